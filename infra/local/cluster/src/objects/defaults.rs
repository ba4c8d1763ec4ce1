//! Values that Kubernetes fills in where an object says nothing.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::node;
use crate::objects::json::{default_to, list, object, object_at, text};
use crate::objects::resources::Resource;

/// Fills in the defaults of a kind.
pub fn fill(resource: &Resource, value: &mut Value) {
    match resource.plural {
        "deployments" => deployment(value),
        "replicasets" => {
            let spec = spec(value);
            default_to(spec, "replicas", 1);
            template(spec);
        }
        "statefulsets" => stateful_set(value),
        "daemonsets" => daemon_set(value),
        "jobs" => {
            job_identity(value);
            job(spec(value));
        }
        "cronjobs" => cron_job(value),
        "pods" => pod(value),
        "services" => service(value),
        "secrets" => secret(value),
        "namespaces" => namespace(value),
        _ => {}
    }
}

fn spec(value: &mut Value) -> &mut Value {
    object(value).entry("spec").or_insert_with(|| json!({}))
}

fn deployment(value: &mut Value) {
    let spec = spec(value);
    default_to(spec, "replicas", 1);
    default_to(spec, "revisionHistoryLimit", 10);
    default_to(spec, "progressDeadlineSeconds", 600);
    default_to(spec, "strategy", json!({}));
    let strategy = &mut spec["strategy"];
    default_to(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        default_to(strategy, "rollingUpdate", json!({}));
        default_to(&mut strategy["rollingUpdate"], "maxSurge", "25%");
        default_to(&mut strategy["rollingUpdate"], "maxUnavailable", "25%");
    }
    template(spec);
}

fn stateful_set(value: &mut Value) {
    let spec = spec(value);
    default_to(spec, "replicas", 1);
    default_to(spec, "revisionHistoryLimit", 10);
    default_to(spec, "podManagementPolicy", "OrderedReady");
    default_to(spec, "updateStrategy", json!({}));
    let strategy = &mut spec["updateStrategy"];
    default_to(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        default_to(strategy, "rollingUpdate", json!({}));
        default_to(&mut strategy["rollingUpdate"], "partition", 0);
    }
    template(spec);
}

fn daemon_set(value: &mut Value) {
    let spec = spec(value);
    default_to(spec, "revisionHistoryLimit", 10);
    default_to(spec, "updateStrategy", json!({}));
    let strategy = &mut spec["updateStrategy"];
    default_to(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        default_to(strategy, "rollingUpdate", json!({}));
        default_to(&mut strategy["rollingUpdate"], "maxUnavailable", 1);
        default_to(&mut strategy["rollingUpdate"], "maxSurge", 0);
    }
    template(spec);
}

/// A Job's pods are told from all others by its uid, unless it says otherwise.
fn job_identity(value: &mut Value) {
    let (uid, name) = (text(value, "/metadata/uid").to_owned(), text(value, "/metadata/name").to_owned());
    let spec = spec(value);
    if spec["manualSelector"] == true || !spec["template"].is_object() {
        return;
    }
    default_to(spec, "selector", json!({ "matchLabels": { "batch.kubernetes.io/controller-uid": uid } }));
    let labels =
        object_at(object(&mut spec["template"]).entry("metadata").or_insert_with(|| json!({})), "labels");
    for prefix in ["", "batch.kubernetes.io/"] {
        labels.insert(format!("{prefix}controller-uid"), uid.as_str().into());
        labels.insert(format!("{prefix}job-name"), name.as_str().into());
    }
}

fn job(spec: &mut Value) {
    // Neither number means one pod; parallelism alone means a queue of work.
    if spec["completions"].is_null() && spec["parallelism"].is_null() {
        default_to(spec, "completions", 1);
    }
    default_to(spec, "parallelism", 1);
    default_to(spec, "backoffLimit", 6);
    default_to(spec, "completionMode", "NonIndexed");
    default_to(spec, "suspend", false);
    default_to(spec, "podReplacementPolicy", "TerminatingOrFailed");
    template(spec);
}

fn cron_job(value: &mut Value) {
    let spec = spec(value);
    default_to(spec, "concurrencyPolicy", "Allow");
    default_to(spec, "suspend", false);
    default_to(spec, "successfulJobsHistoryLimit", 3);
    default_to(spec, "failedJobsHistoryLimit", 1);
    if let Some(spec) = spec.pointer_mut("/jobTemplate/spec").filter(|spec| spec.is_object()) {
        template(spec);
    }
}

fn template(spec: &mut Value) {
    if let Some(template) = spec.get_mut("template").filter(|template| template["spec"].is_object()) {
        pod_spec(&mut template["spec"]);
    }
}

fn pod(value: &mut Value) {
    let spec = spec(value);
    pod_spec(spec);
    default_to(spec, "enableServiceLinks", true);
    if node::suits(spec) {
        default_to(spec, "nodeName", node::NAME);
    }
    default_to(spec, "serviceAccountName", "default");
    for container in containers(spec) {
        let limits = container.pointer("/resources/limits").and_then(Value::as_object).cloned();
        for (name, limit) in limits.unwrap_or_default() {
            default_to(&mut container["resources"], "requests", json!({}));
            default_to(&mut container["resources"]["requests"], &name, limit);
        }
    }
}

fn pod_spec(spec: &mut Value) {
    default_to(spec, "restartPolicy", "Always");
    default_to(spec, "dnsPolicy", "ClusterFirst");
    default_to(spec, "terminationGracePeriodSeconds", 30);
    default_to(spec, "securityContext", json!({}));
    default_to(spec, "schedulerName", "default-scheduler");
    for volume in spec.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        for source in ["configMap", "secret", "downwardAPI", "projected"] {
            if let Some(source) = volume.get_mut(source).filter(|source| source.is_object()) {
                default_to(source, "defaultMode", 420);
            }
        }
    }
    containers(spec).for_each(container);
}

fn containers(spec: &mut Value) -> impl Iterator<Item = &mut Value> {
    let fields =
        object(spec).iter_mut().filter(|(name, _)| *name == "containers" || *name == "initContainers");
    fields.filter_map(|(_, list)| list.as_array_mut()).flatten().filter(|container| container.is_object())
}

fn container(container: &mut Value) {
    let always = uses_latest(text(container, "/image"));
    default_to(container, "imagePullPolicy", if always { "Always" } else { "IfNotPresent" });
    default_to(container, "terminationMessagePath", "/dev/termination-log");
    default_to(container, "terminationMessagePolicy", "File");
    default_to(container, "resources", json!({}));
    for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        default_to(port, "protocol", "TCP");
    }
    for variable in container.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(reference) = variable.pointer_mut("/valueFrom/fieldRef") {
            default_to(reference, "apiVersion", "v1");
        }
    }
    for name in ["readinessProbe", "livenessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(name).filter(|probe| probe.is_object()) {
            default_to(probe, "timeoutSeconds", 1);
            default_to(probe, "periodSeconds", 10);
            default_to(probe, "successThreshold", 1);
            default_to(probe, "failureThreshold", 3);
            if let Some(get) = probe.get_mut("httpGet") {
                default_to(get, "path", "/");
                default_to(get, "scheme", "HTTP");
            }
        }
    }
}

/// Whether an image reference names no tag and no digest, or `latest`.
fn uses_latest(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or_default();
    !image.contains('@') && name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn service(value: &mut Value) {
    let spec = spec(value);
    default_to(spec, "type", "ClusterIP");
    default_to(spec, "sessionAffinity", "None");
    default_to(spec, "internalTrafficPolicy", "Cluster");
    default_to(spec, "ipFamilies", json!(["IPv4"]));
    default_to(spec, "ipFamilyPolicy", "SingleStack");
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        default_to(port, "protocol", "TCP");
        let number = port["port"].clone();
        default_to(port, "targetPort", number);
    }
}

fn secret(value: &mut Value) {
    default_to(value, "type", "Opaque");
    let Some(Value::Object(plain)) = object(value).remove("stringData") else { return };
    for (name, content) in plain {
        let encoded = base64::engine::general_purpose::STANDARD.encode(content.as_str().unwrap_or_default());
        object_at(value, "data").insert(name, encoded.into());
    }
}

fn namespace(value: &mut Value) {
    let name = text(value, "/metadata/name").to_owned();
    let metadata = object(value).entry("metadata").or_insert_with(|| json!({}));
    object_at(metadata, "labels").insert("kubernetes.io/metadata.name".to_owned(), name.into());
    let terminating = !text(value, "/metadata/deletionTimestamp").is_empty();
    if list(value, "/spec/finalizers").is_empty() && !terminating {
        default_to(value, "spec", json!({}));
        value["spec"]["finalizers"] = json!(["kubernetes"]);
    }
}
