//! What a request addresses: kind, namespace, name and subresource, its query and its body.

use std::collections::HashMap;

use axum::extract::Query;
use axum::http::{HeaderMap, Uri, header};
use serde_json::Value;

use crate::api::failure::Failure;
use crate::objects::resources::{self, Resource};

/// The object or collection a path names.
#[derive(Debug, Clone)]
pub struct Target {
    /// Kind.
    pub resource: &'static Resource,
    /// Namespace; empty for all of them and for kinds without.
    pub namespace: String,
    /// Name; `None` for the collection.
    pub name: Option<String>,
    /// Subresource, empty for the object itself.
    pub subresource: String,
    /// What follows the subresource, with its leading slash if there is one.
    pub rest: String,
}

impl Target {
    /// Reads `/api/v1/…` and `/apis/<group>/v1/…`.
    ///
    /// # Errors
    /// 404 when nothing like it is served.
    pub fn parse(path: &str) -> Result<Self, Failure> {
        let trimmed = path.strip_prefix('/').unwrap_or(path);
        let (group, path) = if let Some(path) = trimmed.strip_prefix("api/v1/") {
            ("", path)
        } else {
            let path = trimmed.strip_prefix("apis/").ok_or_else(Failure::no_such_path)?;
            let (group, path) = path.split_once('/').ok_or_else(Failure::no_such_path)?;
            (group, path.strip_prefix("v1/").ok_or_else(Failure::no_such_path)?)
        };
        let mut parts = path.splitn(3, '/').map(str::to_owned);
        let (first, second, third) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let in_namespace = |third: &str| !matches!(third, "" | "status" | "finalize");
        let (namespace, path) = match (first.as_str(), second, third) {
            ("namespaces", Some(namespace), Some(third)) if in_namespace(&third) => (namespace, third),
            _ => (String::new(), path.to_owned()),
        };
        let mut parts = path.splitn(4, '/').map(str::to_owned);
        let plural = parts.next().unwrap_or_default();
        let resource = resources::find(group, &plural).ok_or_else(Failure::no_such_path)?;
        if !namespace.is_empty() && !resource.namespaced {
            return Err(Failure::no_such_path());
        }
        let name = parts.next().filter(|name| !name.is_empty());
        let subresource = parts.next().unwrap_or_default();
        let rest = parts.next().map(|rest| format!("/{rest}")).unwrap_or_default();
        Ok(Self { resource, namespace, name, subresource, rest })
    }
}

/// The parameters of a query.
#[derive(Debug, Default)]
pub struct Parameters(HashMap<String, String>);

impl Parameters {
    /// Reads a query; kube-rs begins it with `&` and writes spaces as `+`.
    ///
    /// # Errors
    /// 400 when it is not a query.
    pub fn parse(uri: &Uri) -> Result<Self, Failure> {
        let query: Result<Query<HashMap<String, String>>, _> = Query::try_from_uri(uri);
        query.map(|query| Self(query.0)).map_err(|error| Failure::bad_request(error.to_string()))
    }

    /// A parameter, empty when absent.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Whether a parameter says yes.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.text(name), "true" | "1")
    }

    /// A parameter as a number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.text(name).parse().ok()
    }
}

/// The media type of the body, without parameters.
pub fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

/// Reads a JSON or YAML body.
///
/// # Errors
/// 400 when it cannot be parsed, 415 for another media type.
pub fn parse_body(headers: &HeaderMap, body: &[u8]) -> Result<Value, Failure> {
    let kind = content_type(headers);
    if kind.contains("yaml") {
        // Clients mostly send JSON under this name, which is read much faster as what it is.
        if body.first() == Some(&b'{')
            && let Ok(parsed) = serde_json::from_slice(body)
        {
            return Ok(parsed);
        }
        let text = std::str::from_utf8(body).map_err(|error| Failure::bad_request(error.to_string()))?;
        let parsed = serde_saphyr::from_str(text);
        return parsed.map_err(|error| Failure::bad_request(format!("error decoding YAML: {error}")));
    }
    if kind.is_empty() || kind.contains("json") {
        let parsed = serde_json::from_slice(body);
        return parsed.map_err(|error| Failure::bad_request(format!("error decoding JSON: {error}")));
    }
    Err(Failure::unsupported_media_type(format!("the body of the request was in an unknown format: {kind}")))
}
