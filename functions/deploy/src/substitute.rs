//! Placeholders in the texts of manifests: `${slipway.…}` for what Slipway knows, `${values.…}` for what the pipeline file
//! gives the service in this environment.
//!
//! They are replaced after the YAML is read, in values and never in keys, so that nothing that stands for a placeholder
//! can add to the manifest's structure. Any other `${…}` belongs to somebody else and stays.

use domain::files::did_you_mean;
use domain::ids::{EnvironmentName, Sha};
use domain::spec::{Scalar, ServiceSpec};
use domain::task::{ObjectName, PinnedImage};
use serde_json::{Value, json};

/// Where manifests are rendered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The environment.
    pub environment: &'a EnvironmentName,
    /// Its Kubernetes namespace.
    pub namespace: &'a str,
    /// The commit that is delivered.
    pub sha: &'a Sha,
    /// Whether what lies in no namespace may be applied.
    pub cluster_wide: bool,
}

/// What placeholders stand for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) target: &'a Target<'a>,
    pub(crate) service: &'a ServiceSpec,
    pub(crate) image: Option<&'a PinnedImage>,
}

/// What names of placeholders begin with that are Slipway's to replace.
const PREFIXES: [&str; 2] = ["slipway.", "values."];

/// The object with its placeholders replaced; `path` is the file it comes from.
///
/// # Errors
/// A sentence for the developer with file, object and field.
pub(crate) fn substituted(object: Value, path: &str, known: &Known<'_>) -> Result<Value, String> {
    let whose = ObjectName::of(&object);
    replaced(object, "", known).map_err(|(field, why)| format!("{whose} in `{path}`, `{field}`: {why}"))
}

/// The value, or the field and why not.
fn replaced(value: Value, field: &str, known: &Known<'_>) -> Result<Value, (String, String)> {
    match value {
        Value::String(text) => known.text(&text).map_err(|why| (field.to_owned(), why)),
        Value::Array(items) => {
            let items = items.into_iter().enumerate();
            let items = items.map(|(index, item)| replaced(item, &format!("{field}[{index}]"), known));
            items.collect::<Result<Vec<_>, _>>().map(Value::Array)
        }
        Value::Object(fields) => {
            let dot = if field.is_empty() { "" } else { "." };
            let fields = fields.into_iter().map(|(key, inner)| {
                let inner = replaced(inner, &format!("{field}{dot}{key}"), known)?;
                Ok((key, inner))
            });
            fields.collect::<Result<_, _>>().map(Value::Object)
        }
        other => Ok(other),
    }
}

impl Known<'_> {
    /// The text with its placeholders replaced. One that is nothing but a placeholder takes its value's type.
    fn text(&self, text: &str) -> Result<Value, String> {
        let mut made = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, after) = (&rest[..start], &rest[start + 2..]);
            if !PREFIXES.iter().any(|prefix| after.starts_with(prefix)) {
                made.push_str(&rest[..start + 2]);
                rest = after;
                continue;
            }
            if let Some(escaped) = before.strip_suffix('$') {
                made.push_str(escaped);
                made.push_str("${");
                rest = after;
                continue;
            }
            let Some((name, following)) = after.split_once('}') else {
                return Err("a placeholder has no `}` at its end".to_owned());
            };
            let value = self.value(name)?;
            if before.is_empty() && made.is_empty() && following.is_empty() {
                return Ok(value);
            }
            made.push_str(before);
            match value {
                Value::String(value) => made.push_str(&value),
                other => made.push_str(&other.to_string()),
            }
            rest = following;
        }
        made.push_str(rest);
        Ok(Value::String(made))
    }

    fn value(&self, name: &str) -> Result<Value, String> {
        let Target { environment, namespace, sha, cluster_wide: _ } = self.target;
        if let Some(own) = name.strip_prefix("values.") {
            return self.own_value(own);
        }
        Ok(match name.strip_prefix("slipway.").unwrap_or(name) {
            "environment" => json!(environment.as_str()),
            "namespace" => json!(namespace),
            "sha" => json!(sha.as_str()),
            "short_sha" => json!(sha.short()),
            "image" => match self.image {
                Some(image) => json!(image.to_string()),
                None => return Err(format!("`${{{name}}}` stands for nothing: a component has no image")),
            },
            _ => {
                let all = ["environment", "namespace", "sha", "short_sha", "image"];
                let all = all.map(|one| format!("slipway.{one}"));
                return Err(unknown(name, &all.iter().map(String::as_str).collect::<Vec<_>>()));
            }
        })
    }

    fn own_value(&self, name: &str) -> Result<Value, String> {
        let values = &self.service.values;
        match values.get(name) {
            Some(Scalar::Flag(flag)) => Ok(json!(flag)),
            Some(Scalar::Number(number)) => Ok(json!(number)),
            Some(Scalar::Text(text)) => Ok(json!(text)),
            None if values.is_empty() => Err(format!(
                "`${{values.{}}}` is not known: the pipeline file gives no `services.{}.values.{}`",
                shown(name),
                self.service.name,
                self.target.environment
            )),
            None => {
                let all: Vec<String> = values.keys().map(|key| format!("values.{key}")).collect();
                Err(unknown(&format!("values.{name}"), &all.iter().map(String::as_str).collect::<Vec<_>>()))
            }
        }
    }
}

fn unknown(name: &str, known: &[&str]) -> String {
    let near = did_you_mean(name, known.iter().copied());
    let known: Vec<String> = known.iter().map(|one| format!("`{one}`")).collect();
    format!(
        "`${{{}}}` is not known;{near} there are {}; `$${{` stands for itself",
        shown(name),
        known.join(", ")
    )
}

/// A name from a manifest, fit for a sentence.
fn shown(name: &str) -> String {
    domain::text::first_line(name, 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a text, or why nothing.
    fn told(text: &str) -> String {
        let environment = "staging".parse().expect("a name");
        let sha = "3f9c2a17be000000000000000000000000000000".parse().expect("a commit");
        let target = Target { environment: &environment, namespace: "chat", sha: &sha, cluster_wide: false };
        let values = json!({ "replicas": 2, "debug": false, "level": "in${slipway.sha}fo" });
        let service = json!({
            "name": "bots", "path": "backend/bots", "test": null, "image": null, "manifests": [], "health": null,
            "values": values,
        });
        let service = serde_json::from_value(service).expect("a service");
        let known = Known { target: &target, service: &service, image: None };
        let object = json!({ "kind": "ConfigMap", "metadata": { "name": "a" }, "list": [{ "${values.debug}": text }] });
        match substituted(object, "a.yaml", &known) {
            Ok(object) => object["list"][0]["${values.debug}"].to_string(),
            Err(why) => why,
        }
    }

    #[test]
    fn placeholders_are_replaced_and_everything_else_stays() {
        for (text, expect) in [
            ("${slipway.environment}/${slipway.namespace}", r#""staging/chat""#),
            ("${slipway.sha}", r#""3f9c2a17be000000000000000000000000000000""#),
            ("v${slipway.short_sha}!", r#""v3f9c2a1!""#),
            ("${values.replicas}", "2"),
            ("${values.debug}", "false"),
            ("${values.replicas} ${values.debug}", r#""2 false""#),
            ("${values.level}", r#""in${slipway.sha}fo""#),
            ("$${slipway.sha} $${values.x", r#""${slipway.sha} ${values.x""#),
            ("${HOME} $${HOME} $(HOME) ${} $", r#""${HOME} $${HOME} $(HOME) ${} $""#),
            ("${ slipway.sha}", r#""${ slipway.sha}""#),
            ("${a${slipway.namespace}}", r#""${achat}""#),
            ("", r#""""#),
        ] {
            assert_eq!(told(text), expect, "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_told_with_its_place() {
        insta::assert_snapshot!(told("${slipway.namspace}"), @"ConfigMap `a` in `a.yaml`, `list[0].${values.debug}`: `${slipway.namspace}` is not known; did you mean `slipway.namespace`? there are `slipway.environment`, `slipway.namespace`, `slipway.sha`, `slipway.short_sha`, `slipway.image`; `$${` stands for itself");
        insta::assert_snapshot!(told("${values.replica}"), @"ConfigMap `a` in `a.yaml`, `list[0].${values.debug}`: `${values.replica}` is not known; did you mean `values.replicas`? there are `values.debug`, `values.level`, `values.replicas`; `$${` stands for itself");
        insta::assert_snapshot!(told("x${slipway.image}"), @"ConfigMap `a` in `a.yaml`, `list[0].${values.debug}`: `${slipway.image}` stands for nothing: a component has no image");
        insta::assert_snapshot!(told("${slipway.sha"), @"ConfigMap `a` in `a.yaml`, `list[0].${values.debug}`: a placeholder has no `}` at its end");
    }
}
