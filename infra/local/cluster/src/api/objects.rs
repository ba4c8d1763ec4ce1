//! The verbs on objects.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use crate::api::failure::Failure;
use crate::api::request::{Parameters, Target, content_type, parse_body};
use crate::api::{Api, json as answer, manager, table};
use crate::objects::deletion::{Deletion, Propagation};
use crate::objects::lifecycle::Writer;
use crate::objects::resources::{JOBS, Resource};
use crate::objects::schema::{Unfit, check};
use crate::objects::selectors::Selection;
use crate::objects::store::{Key, Written};
use crate::objects::{json as read, patch};

/// One request on an object or collection.
pub struct Call<'a> {
    /// The server.
    pub api: &'a Api,
    /// What it addresses.
    pub target: &'a Target,
    /// Its query.
    pub parameters: &'a Parameters,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a [u8],
}

impl Call<'_> {
    /// GET of one object.
    pub fn get(&self, name: &str) -> Result<Response, Failure> {
        let object = self.api.objects.store.get(&self.key(name));
        let object = object.ok_or_else(|| Failure::not_found(self.target.resource, name))?;
        if table::wanted(self.headers) {
            return Ok(answer(StatusCode::OK, &table::render(self.target.resource, &[object], 0)));
        }
        Ok(answer(StatusCode::OK, &object))
    }

    /// GET of a collection.
    pub fn list(&self) -> Result<Response, Failure> {
        let resource = self.target.resource;
        let (revision, objects) = self.select()?;
        if table::wanted(self.headers) {
            return Ok(answer(StatusCode::OK, &table::render(resource, &objects, revision)));
        }
        let items: Vec<Value> = objects.iter().map(|object| (**object).clone()).collect();
        let list = json!({
            "kind": format!("{}List", resource.kind), "apiVersion": resource.api_version(),
            "metadata": { "resourceVersion": revision.to_string() }, "items": items,
        });
        Ok(answer(StatusCode::OK, &list))
    }

    /// POST.
    pub fn create(&self) -> Result<Response, Failure> {
        let mut object = self.parsed()?;
        self.fit(&mut object, None)?;
        let created = self.api.objects.create(self.target.resource, object, &self.writer())?;
        Ok(answer(StatusCode::CREATED, &created))
    }

    /// PUT.
    pub fn replace(&self, name: &str) -> Result<Response, Failure> {
        let mut object = self.parsed()?;
        self.fit(&mut object, Some(name))?;
        let updated =
            self.api.objects.update(self.target.resource, &self.key(name), &self.writer(), |_| Ok(object))?;
        Ok(answer(StatusCode::OK, &updated))
    }

    /// PATCH in any of its forms.
    pub fn patch(&self, name: &str) -> Result<Response, Failure> {
        match content_type(self.headers) {
            "application/apply-patch+yaml" => self.apply(name),
            kind @ ("application/merge-patch+json"
            | "application/strategic-merge-patch+json"
            | "application/json-patch+json") => {
                let patch = self.parsed()?;
                let resource = self.target.resource;
                let updated =
                    self.api.objects.update(resource, &self.key(name), &self.writer(), |before| {
                        let mut after = before.clone();
                        match kind {
                            "application/merge-patch+json" => patch::merge(&mut after, &patch),
                            "application/json-patch+json" => patch::json_patch(&mut after, &patch)?,
                            _ => patch::strategic(&mut after, &patch, &[]),
                        }
                        self.check_schema(&after)?;
                        Ok(after)
                    })?;
                Ok(answer(StatusCode::OK, &updated))
            }
            other => Err(Failure::unsupported_media_type(format!(
                "the body of the request was in an unknown format: {other} - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml"
            ))),
        }
    }

    /// DELETE of one object.
    pub fn delete(&self, name: &str) -> Result<Response, Failure> {
        let resource = self.target.resource;
        match self.api.objects.delete(resource, &self.key(name), &self.deletion()?)? {
            Written::Deleted(object) => {
                let uid = read::text(&object, "/metadata/uid");
                let mut details = json!({ "name": name, "kind": resource.plural, "uid": uid });
                if !resource.group.is_empty() {
                    details["group"] = resource.group.into();
                }
                let status = json!({
                    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
                });
                Ok(answer(StatusCode::OK, &status))
            }
            pending => Ok(answer(StatusCode::OK, &pending.object())),
        }
    }

    /// DELETE of a collection.
    pub fn delete_collection(&self) -> Result<Response, Failure> {
        let deletion = self.deletion()?;
        let (_, objects) = self.select()?;
        for object in objects {
            let key = Key::of(self.target.resource, &object);
            match self.api.objects.delete(self.target.resource, &key, &deletion) {
                Err(failure) if failure.code != 404 => return Err(failure),
                _ => {}
            }
        }
        Ok(answer(StatusCode::OK, &json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" })))
    }

    fn apply(&self, name: &str) -> Result<Response, Failure> {
        if self.parameters.text("fieldManager").is_empty() {
            let mut failure = Failure::bad_request(
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
            );
            (failure.code, failure.reason) = (422, "Invalid");
            return Err(failure);
        }
        let mut applied = self.parsed()?;
        if applied.pointer("/metadata/managedFields").is_some_and(|fields| !fields.is_null()) {
            return Err(Failure::bad_request("metadata.managedFields must be nil"));
        }
        self.fit(&mut applied, Some(name))?;
        read::drop_nulls(&mut applied);
        let resource = self.target.resource;
        let force = self.parameters.flag("force");
        if !self.target.subresource.is_empty() {
            applied["spec"] = Value::Null;
            read::drop_nulls(&mut applied);
        }
        Ok(match self.api.objects.apply(resource, &self.key(name), &applied, force, &self.writer())? {
            Written::Created(object) => answer(StatusCode::CREATED, &object),
            written => answer(StatusCode::OK, &written.object()),
        })
    }

    fn key(&self, name: &str) -> Key {
        Key::new(self.target.resource, &self.target.namespace, name)
    }

    fn writer(&self) -> Writer {
        Writer {
            manager: manager(self.parameters, self.headers),
            status: self.target.subresource == "status",
            dry_run: self.parameters.text("dryRun") == "All",
        }
    }

    fn parsed(&self) -> Result<Value, Failure> {
        parse_body(self.headers, self.body)
    }

    fn select(&self) -> Result<(u64, Vec<Arc<Value>>), Failure> {
        let selection =
            Selection::parse(self.parameters.text("labelSelector"), self.parameters.text("fieldSelector"))?;
        let namespace = Some(self.target.namespace.as_str()).filter(|namespace| !namespace.is_empty());
        let (revision, mut objects) = self.api.objects.store.list(self.target.resource, namespace);
        objects.retain(|object| selection.matches(object));
        Ok((revision, objects))
    }

    /// Makes the body say what the path says, and refuses it when it says something else.
    fn fit(&self, object: &mut Value, name: Option<&str>) -> Result<(), Failure> {
        let resource = self.target.resource;
        let (version, kind) = (read::text(object, "/apiVersion"), read::text(object, "/kind"));
        if (!kind.is_empty() && kind != resource.kind)
            || (!version.is_empty() && version != resource.api_version())
        {
            return Err(Failure::bad_request(format!(
                "{kind} in version \"{version}\" cannot be handled as a {}",
                resource.kind
            )));
        }
        let metadata = read::object_at(object, "metadata");
        for (field, expected) in [("namespace", Some(self.target.namespace.as_str())), ("name", name)] {
            let Some(expected) = expected.filter(|expected| !expected.is_empty()) else { continue };
            match metadata.get(field).and_then(Value::as_str).filter(|found| !found.is_empty()) {
                Some(found) if found != expected => {
                    return Err(Failure::bad_request(format!(
                        "the {field} of the object ({found}) does not match the {field} on the URL ({expected})"
                    )));
                }
                _ => drop(metadata.insert(field.to_owned(), expected.into())),
            }
        }
        self.check_schema(object)
    }

    fn check_schema(&self, object: &Value) -> Result<(), Failure> {
        let strictness = self.parameters.text("fieldValidation");
        let applying = content_type(self.headers) == "application/apply-patch+yaml";
        match check(self.target.resource, object) {
            Err(Unfit::Type(message)) => Err(Failure::bad_request(format!(
                "{} in version \"{}\" cannot be handled as a {}: {message}",
                self.target.resource.kind,
                Resource::VERSION,
                self.target.resource.kind
            ))),
            Err(Unfit::UnknownFields(fields)) if applying => {
                let name = read::text(object, "/metadata/name");
                let list: Vec<String> =
                    fields.iter().map(|field| format!(".{field}: field not declared in schema")).collect();
                let message = format!("failed to create typed patch object ({name}): {}", list.join(", "));
                Err(Failure::bad_request(message))
            }
            Err(Unfit::UnknownFields(fields)) if strictness == "Strict" => {
                let list: Vec<String> =
                    fields.iter().map(|field| format!("unknown field \"{field}\"")).collect();
                Err(Failure::bad_request(format!("strict decoding error: {}", list.join(", "))))
            }
            Ok(()) | Err(Unfit::UnknownFields(_)) => Ok(()),
        }
    }

    fn deletion(&self) -> Result<Deletion, Failure> {
        let options = if self.body.is_empty() { Value::Null } else { self.parsed()? };
        let policy = Some(read::text(&options, "/propagationPolicy")).filter(|policy| !policy.is_empty());
        let policy = policy.unwrap_or_else(|| self.parameters.text("propagationPolicy"));
        let propagation = match policy {
            "Foreground" => Propagation::Foreground,
            "Orphan" => Propagation::Orphan,
            // As ever since: pods outlive a Job whose deletion says nothing of them.
            "" if self.target.resource == &JOBS => Propagation::Orphan,
            _ => Propagation::Background,
        };
        let uid = Some(read::text(&options, "/preconditions/uid")).filter(|uid| !uid.is_empty());
        let dry_run = !read::list(&options, "/dryRun").is_empty() || self.parameters.text("dryRun") == "All";
        Ok(Deletion {
            grace: read::integer(&options, "/gracePeriodSeconds")
                .or_else(|| self.parameters.number("gracePeriodSeconds")),
            uid: uid.map(str::to_owned),
            propagation,
            dry_run,
        })
    }
}
