//! What users get wrong in stateful sets, daemon sets, jobs and cron jobs, said in Kubernetes' words.

use serde_json::Value;

use crate::objects::json::{integer, list, text};
use crate::objects::resources::Resource;
use crate::objects::validation::{Findings, labels, pod_spec, pod_template};

/// Checks one of those kinds against its state before; others are left alone.
pub fn check(resource: &Resource, object: &Value, before: Option<&Value>, findings: &mut Findings) {
    match resource.plural {
        "statefulsets" => stateful_set(object, before, findings),
        "daemonsets" => daemon_set(object, before, findings),
        "jobs" => job(object, before, findings),
        "cronjobs" => cron_job(object, findings),
        _ => {}
    }
}

fn stateful_set(object: &Value, before: Option<&Value>, findings: &mut Findings) {
    pod_template("stateful set", object, before, findings);
    let spec = &object["spec"];
    choice(spec, "podManagementPolicy", &["OrderedReady", "Parallel"], findings);
    strategy(spec, findings);
    if !list(spec, "/volumeClaimTemplates").is_empty() {
        let what = "this local server mounts `configMap`, `secret` and `emptyDir` only";
        findings.forbidden("spec.volumeClaimTemplates", what);
    }
    let free = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
        "selector",
    ];
    let fixed = |spec: &Value| -> Vec<(String, Value)> {
        let fields = spec.as_object().into_iter().flatten();
        let fields = fields.filter(|(name, _)| !free.contains(&name.as_str()));
        fields.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    if before.is_some_and(|before| fixed(&before["spec"]) != fixed(spec)) {
        let what = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        findings.forbidden("spec", what);
    }
}

fn daemon_set(object: &Value, before: Option<&Value>, findings: &mut Findings) {
    pod_template("daemon set", object, before, findings);
    strategy(&object["spec"], findings);
    let rolling = &object["spec"]["updateStrategy"]["rollingUpdate"];
    if rolling["maxUnavailable"] == 0 && rolling["maxSurge"] == 0 {
        let why = "cannot be 0 when maxSurge is 0";
        findings.invalid("spec.updateStrategy.rollingUpdate.maxUnavailable", &Value::from(0), why);
    }
}

fn strategy(spec: &Value, findings: &mut Findings) {
    let kinds = "\"RollingUpdate\", \"OnDelete\"";
    if !["RollingUpdate", "OnDelete"].contains(&text(spec, "/updateStrategy/type")) {
        findings.unsupported("spec.updateStrategy.type", &spec["updateStrategy"]["type"], kinds);
    }
}

fn choice(spec: &Value, field: &str, known: &[&str], findings: &mut Findings) {
    if !known.contains(&text(spec, &format!("/{field}"))) {
        let known: Vec<String> = known.iter().map(|name| format!("\"{name}\"")).collect();
        findings.unsupported(format!("spec.{field}"), &spec[field], &known.join(", "));
    }
}

fn job(object: &Value, before: Option<&Value>, findings: &mut Findings) {
    let spec = &object["spec"];
    job_spec(spec, "spec", findings);
    let Some(before) = before else { return };
    for field in ["completions", "selector", "template", "completionMode"] {
        if before["spec"][field] != spec[field] {
            findings.invalid(format!("spec.{field}"), &spec[field], "field is immutable");
        }
    }
}

fn job_spec(spec: &Value, field: &str, findings: &mut Findings) {
    for name in
        ["parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"]
    {
        if integer(spec, &format!("/{name}")).is_some_and(|number| number < 0) {
            let why = "must be greater than or equal to 0";
            findings.invalid(format!("{field}.{name}"), &spec[name], why);
        }
    }
    if !["", "NonIndexed"].contains(&text(spec, "/completionMode")) {
        let what = "this local server runs jobs of the mode `NonIndexed` only";
        findings.forbidden(format!("{field}.completionMode"), what);
    }
    for name in ["podFailurePolicy", "successPolicy", "backoffLimitPerIndex", "maxFailedIndexes"] {
        if !spec[name].is_null() {
            findings.forbidden(format!("{field}.{name}"), "this local server knows none");
        }
    }
    let template = &spec["template"];
    let policy = format!("{field}.template.spec.restartPolicy");
    match text(template, "/spec/restartPolicy") {
        "OnFailure" | "Never" => {}
        "Always" | "" => findings.required(policy, "valid values: \"OnFailure\", \"Never\""),
        _ => findings.unsupported(policy, &template["spec"]["restartPolicy"], "\"OnFailure\", \"Never\""),
    }
    labels(&template["metadata"]["labels"], &format!("{field}.template.metadata.labels"), findings);
    pod_spec(&template["spec"], &format!("{field}.template.spec"), findings);
}

fn cron_job(object: &Value, findings: &mut Findings) {
    let schedule = &object["spec"]["schedule"];
    match schedule.as_str().unwrap_or_default().trim() {
        "" => findings.required("spec.schedule", ""),
        text if text.starts_with('@') || text.split_whitespace().count() == 5 => {}
        _ => findings.invalid("spec.schedule", schedule, "expected exactly 5 fields"),
    }
    choice(&object["spec"], "concurrencyPolicy", &["Allow", "Forbid", "Replace"], findings);
    job_spec(&object["spec"]["jobTemplate"]["spec"], "spec.jobTemplate.spec", findings);
}
