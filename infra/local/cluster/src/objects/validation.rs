//! What users get wrong in manifests, said in Kubernetes' words.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::failure::Cause;
use crate::objects::json::{integer, list, pairs, text};
use crate::objects::resources::Resource;
use crate::objects::selectors;
use crate::objects::workloads;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SERVICE_NAME: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

/// Everything wrong with an object.
#[derive(Default)]
pub struct Findings(pub Vec<Cause>);

impl Findings {
    /// A field is missing.
    pub fn required(&mut self, field: impl Into<String>, hint: &str) {
        let message =
            if hint.is_empty() { "Required value".to_owned() } else { format!("Required value: {hint}") };
        self.0.push(Cause { reason: "FieldValueRequired", field: field.into(), message });
    }

    /// A value does not fit.
    pub fn invalid(&mut self, field: impl Into<String>, value: &Value, why: &str) {
        let message = format!("Invalid value: {value}: {why}");
        self.0.push(Cause { reason: "FieldValueInvalid", field: field.into(), message });
    }

    /// A field must not be set, or not so.
    pub fn forbidden(&mut self, field: impl Into<String>, why: &str) {
        let message = format!("Forbidden: {why}");
        self.0.push(Cause { reason: "FieldValueForbidden", field: field.into(), message });
    }

    /// A value is none of those known.
    pub fn unsupported(&mut self, field: impl Into<String>, value: &Value, supported: &str) {
        let message = format!("Unsupported value: {value}: supported values: {supported}");
        self.0.push(Cause { reason: "FieldValueNotSupported", field: field.into(), message });
    }
}

/// Checks an object after defaulting, against its state before when it is an update.
pub fn check(resource: &Resource, object: &Value, before: Option<&Value>) -> Vec<Cause> {
    let mut findings = Findings::default();
    name(resource, object, &mut findings);
    labels(&object["metadata"]["labels"], "metadata.labels", &mut findings);
    match resource.plural {
        "deployments" => deployment(object, before, &mut findings),
        "replicasets" => pod_template("replica set", object, before, &mut findings),
        "pods" => pod(object, before, &mut findings),
        "services" => service(object, before, &mut findings),
        "secrets" | "configmaps" => data(object, before, &mut findings),
        _ => workloads::check(resource, object, before, &mut findings),
    }
    findings.0
}

fn name(resource: &Resource, object: &Value, findings: &mut Findings) {
    let name = text(object, "/metadata/name");
    let (fits, longest, rule) = match resource.plural {
        "services" => {
            (is_label(name) && !name.starts_with(|first: char| first.is_ascii_digit()), 63, SERVICE_NAME)
        }
        "namespaces" => (is_label(name), 63, LABEL),
        _ => (name.split('.').all(is_label), 253, SUBDOMAIN),
    };
    if name.is_empty() {
        findings.required("metadata.name", "name or generateName is required");
    } else if !fits {
        findings.invalid("metadata.name", &object["metadata"]["name"], rule);
    } else if name.len() > longest {
        let why = format!("must be no more than {longest} characters");
        findings.invalid("metadata.name", &object["metadata"]["name"], &why);
    }
}

fn is_label(name: &str) -> bool {
    let inner = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    !name.is_empty()
        && name.starts_with(inner)
        && name.ends_with(inner)
        && name.chars().all(|character| inner(character) || character == '-')
}

/// Checks the values and names of labels.
pub fn labels(labels: &Value, field: &str, findings: &mut Findings) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        let text = value.as_str().unwrap_or_default();
        let edge = |character: char| character.is_ascii_alphanumeric();
        let inner = |character: char| edge(character) || "-_.".contains(character);
        let fits =
            text.is_empty() || (text.starts_with(edge) && text.ends_with(edge) && text.chars().all(inner));
        if !fits || text.len() > 63 {
            let why = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
            findings.invalid(field, value, why);
        }
        if key.rsplit('/').next().is_none_or(|name| name.is_empty() || name.len() > 63) {
            findings.invalid(
                field,
                &Value::from(key.as_str()),
                "name part must be no more than 63 characters",
            );
        }
    }
}

fn deployment(object: &Value, before: Option<&Value>, findings: &mut Findings) {
    pod_template("deployment", object, before, findings);
    let strategy = &object["spec"]["strategy"];
    if !strategy.is_null() && !["Recreate", "RollingUpdate"].contains(&text(strategy, "/type")) {
        findings.unsupported("spec.strategy.type", &strategy["type"], "\"Recreate\", \"RollingUpdate\"");
    }
    if strategy["rollingUpdate"]["maxSurge"] == 0 && strategy["rollingUpdate"]["maxUnavailable"] == 0 {
        let why = "may not be 0 when `maxSurge` is 0";
        findings.invalid("spec.strategy.rollingUpdate.maxUnavailable", &Value::from(0), why);
    }
}

/// Checks selector and pod template of a workload whose pods run for ever. `kind` is for the message.
pub fn pod_template(kind: &str, object: &Value, before: Option<&Value>, findings: &mut Findings) {
    let selector = &object["spec"]["selector"];
    let template = &object["spec"]["template"];
    let template_labels = template.pointer("/metadata/labels");
    if selector.is_null() {
        findings.required("spec.selector", "");
    }
    let nothing =
        pairs(selector, "/matchLabels").is_empty() && list(selector, "/matchExpressions").is_empty();
    if nothing {
        findings.invalid("spec.selector", selector, &format!("empty selector is invalid for {kind}"));
    } else if !selectors::selects(selector, template_labels) {
        let labels = template_labels.cloned().unwrap_or_default();
        findings.invalid(
            "spec.template.metadata.labels",
            &labels,
            "`selector` does not match template `labels`",
        );
    }
    if let Some(before) = before
        && before["spec"]["selector"] != *selector
    {
        findings.invalid("spec.selector", selector, "field is immutable");
    }
    for field in ["replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"] {
        if integer(&object["spec"], &format!("/{field}")).is_some_and(|number| number < 0) {
            let why = "must be greater than or equal to 0";
            findings.invalid(format!("spec.{field}"), &object["spec"][field], why);
        }
    }
    if template["spec"]["restartPolicy"] != "Always" && template["spec"].is_object() {
        let field = "spec.template.spec.restartPolicy";
        findings.unsupported(field, &template["spec"]["restartPolicy"], "\"Always\"");
    }
    labels(&template["metadata"]["labels"], "spec.template.metadata.labels", findings);
    pod_spec(&template["spec"], "spec.template.spec", findings);
}

fn pod(object: &Value, before: Option<&Value>, findings: &mut Findings) {
    pod_spec(&object["spec"], "spec", findings);
    if before.is_some_and(|before| before["spec"] != object["spec"]) {
        let why = "pod updates may not change fields; this server allows none, a cluster only the image";
        findings.forbidden("spec", why);
    }
}

/// Checks the spec of a pod.
pub fn pod_spec(spec: &Value, field: &str, findings: &mut Findings) {
    if list(spec, "/containers").is_empty() {
        findings.required(format!("{field}.containers"), "");
    }
    let volumes: BTreeSet<&str> = list(spec, "/volumes").iter().map(|volume| text(volume, "/name")).collect();
    for (index, volume) in list(spec, "/volumes").iter().enumerate() {
        let known = ["configMap", "secret", "emptyDir"];
        if !known.iter().any(|kind| volume[*kind].is_object()) {
            let what = "this local server mounts `configMap`, `secret` and `emptyDir` only";
            findings.forbidden(format!("{field}.volumes[{index}]"), what);
        }
    }
    let mut names = BTreeSet::new();
    for kind in ["initContainers", "containers"] {
        for (index, container) in list(spec, &format!("/{kind}")).iter().enumerate() {
            let field = format!("{field}.{kind}[{index}]");
            self::container(container, &field, &volumes, findings);
            let name = text(container, "/name");
            if !name.is_empty() && !names.insert(name) {
                findings.0.push(Cause {
                    reason: "FieldValueDuplicate",
                    field: format!("{field}.name"),
                    message: format!("Duplicate value: \"{name}\""),
                });
            }
        }
    }
}

fn container(container: &Value, field: &str, volumes: &BTreeSet<&str>, findings: &mut Findings) {
    match text(container, "/name") {
        "" => findings.required(format!("{field}.name"), ""),
        name if !is_label(name) => findings.invalid(format!("{field}.name"), &container["name"], LABEL),
        _ => {}
    }
    match text(container, "/image") {
        "" => findings.required(format!("{field}.image"), ""),
        image if image.trim() != image => {
            let why = "must not have leading or trailing whitespace";
            findings.invalid(format!("{field}.image"), &container["image"], why);
        }
        _ => {}
    }
    for (index, port) in list(container, "/ports").iter().enumerate() {
        port_number(&port["containerPort"], &format!("{field}.ports[{index}].containerPort"), findings);
    }
    for (index, mount) in list(container, "/volumeMounts").iter().enumerate() {
        let field = format!("{field}.volumeMounts[{index}]");
        if text(mount, "/mountPath").is_empty() {
            findings.required(format!("{field}.mountPath"), "");
        }
        if !volumes.contains(text(mount, "/name")) {
            let message = format!("Not found: {}", mount["name"]);
            findings.0.push(Cause { reason: "FieldValueNotFound", field: format!("{field}.name"), message });
        }
    }
    for name in ["readinessProbe", "livenessProbe", "startupProbe"] {
        let probe = &container[name];
        if probe["grpc"].is_object() {
            findings.forbidden(
                format!("{field}.{name}.grpc"),
                "this local server probes by `httpGet`, `tcpSocket` and `exec` only",
            );
        }
        let handlers = ["httpGet", "tcpSocket", "exec", "grpc"];
        if probe.is_object() && !handlers.iter().any(|handler| probe[handler].is_object()) {
            findings.required(format!("{field}.{name}"), "must specify a handler type");
        }
    }
}

fn port_number(port: &Value, field: &str, findings: &mut Findings) {
    match port.as_i64() {
        None => findings.required(field, ""),
        Some(1..=65535) => {}
        Some(_) => findings.invalid(field, port, "must be between 1 and 65535, inclusive"),
    }
}

fn service(object: &Value, before: Option<&Value>, findings: &mut Findings) {
    let ports = list(object, "/spec/ports");
    if ports.is_empty()
        && text(object, "/spec/type") != "ExternalName"
        && object["spec"]["clusterIP"] != "None"
    {
        findings.required("spec.ports", "");
    }
    for (index, port) in ports.iter().enumerate() {
        port_number(&port["port"], &format!("spec.ports[{index}].port"), findings);
        if ports.len() > 1 && text(port, "/name").is_empty() {
            findings.required(format!("spec.ports[{index}].name"), "");
        }
    }
    if let Some(before) = before
        && before["spec"]["clusterIP"] != object["spec"]["clusterIP"]
    {
        findings.invalid("spec.clusterIPs[0]", &object["spec"]["clusterIP"], "field is immutable");
    }
}

fn data(object: &Value, before: Option<&Value>, findings: &mut Findings) {
    for key in object["data"].as_object().into_iter().flatten().map(|(key, _)| key) {
        if key.is_empty() || !key.chars().all(|part| part.is_ascii_alphanumeric() || "-_.".contains(part)) {
            let why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
            findings.invalid(format!("data[{key}]"), &Value::from(key.as_str()), why);
        }
    }
    let Some(before) = before else { return };
    if before["type"] != object["type"] {
        findings.invalid("type", &object["type"], "field is immutable");
    }
    if before["immutable"] == true && (before["data"] != object["data"] || object["immutable"] != true) {
        findings.forbidden("data", "field is immutable when `immutable` is set");
    }
}
