//! Bearer tokens and what each may do.

use axum::http::{HeaderMap, Method, header};

use crate::api::failure::Failure;
use crate::api::request::Target;

/// A bearer token.
#[derive(Clone)]
pub struct Token {
    /// The secret.
    pub value: String,
    /// The user in messages.
    pub user: String,
    /// What it may do.
    pub access: Access,
}

/// What a user may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    Everything,
    /// Read everything but secrets.
    Read,
    /// Everything in these namespaces, nothing outside.
    Namespaces(Vec<String>),
}

impl Token {
    /// A token of an administrator.
    pub fn administrator(value: impl Into<String>) -> Self {
        Self { value: value.into(), user: "slipway:administrator".to_owned(), access: Access::Everything }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Token")
            .field("user", &self.user)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

/// The token of a request.
///
/// # Errors
/// 401 when it carries none that is known.
pub fn check<'a>(tokens: &'a [Token], headers: &HeaderMap) -> Result<&'a Token, Failure> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = header.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
    let token = given.and_then(|given| tokens.iter().find(|token| token.value == given));
    token.ok_or_else(Failure::unauthorized)
}

/// Whether a user may do this.
///
/// # Errors
/// 403, saying who may not do what.
pub fn authorize(token: &Token, method: &Method, target: &Target) -> Result<(), Failure> {
    let reads = *method == Method::GET;
    let allowed = match &token.access {
        Access::Everything => true,
        Access::Read => reads && target.resource.plural != "secrets" && target.subresource != "proxy",
        Access::Namespaces(names) => names.contains(&target.namespace),
    };
    if allowed {
        return Ok(());
    }
    let verb = match *method {
        Method::GET if target.name.is_none() => "list",
        Method::GET => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        _ => "delete",
    };
    let subject = match &target.name {
        Some(name) => format!("{} \"{name}\"", target.resource.qualified()),
        None => target.resource.qualified(),
    };
    let place = if target.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace \"{}\"", target.namespace)
    };
    Err(Failure::forbidden(format!(
        "{subject} is forbidden: User \"{}\" cannot {verb} resource \"{}\" in API group \"{}\" {place}",
        token.user, target.resource.plural, target.resource.group
    )))
}
