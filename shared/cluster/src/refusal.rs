//! Sentences for objects that the API server refuses.

use kube::Error;
use kube::core::Status;

use crate::FIELD_MANAGER;
use crate::fault::Failure;

/// The sentence when the object itself is refused; none when the failure may pass or is not about the object.
pub(crate) fn sentence(label: &str, failure: &Failure) -> Option<String> {
    let Failure::Client(Error::Api(status)) = failure else { return None };
    match status.code {
        409 => conflicting_fields(failure).map(|fields| {
            format!(
                "{label} is refused: {fields}; let the other manager give the field up, leave it out of the manifest of \
                 `{FIELD_MANAGER}`, or let the operator's file say `policy: {{conflicts: take}}`"
            )
        }),
        400 | 403..=406 | 413 | 415 | 422 => Some(format!("{label} is refused: {}", tidy(&status.message))),
        // API servers before 1.23 answer an invalid object with 500 and no reason; a passing fault has one.
        500 if status.reason.is_empty() && !status.message.is_empty() => {
            Some(format!("{label} is refused: {}", tidy(&status.message)))
        }
        _ => None,
    }
}

/// What the API server says of each field as `conflict with "kubectl" using apps/v1` at `.spec.replicas`; none where
/// nobody else owns one.
pub(crate) fn conflicting_fields(failure: &Failure) -> Option<String> {
    let Failure::Client(Error::Api(status)) = failure else { return None };
    let causes = causes(status);
    if status.code != 409 || causes.is_empty() {
        return None;
    }
    let fields: Vec<String> = causes
        .iter()
        .map(|(message, field)| match message.split('"').nth(1) {
            Some(manager) => format!("`{field}` belongs to `{manager}`"),
            None => format!("`{field}`: {}", tidy(message)),
        })
        .collect();
    Some(fields.join(", "))
}

fn causes(status: &Status) -> Vec<(&str, &str)> {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    causes.iter().map(|cause| (cause.message.as_str(), cause.field.as_str())).collect()
}

/// One line of at most 600 characters.
pub(crate) fn tidy(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(600) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: serde_json::Value) -> Failure {
        Failure::Client(Error::Api(Box::new(serde_json::from_value(status).expect("a status"))))
    }

    #[test]
    fn a_conflict_names_the_other_manager_and_the_field() {
        let conflict = failure(serde_json::json!({
            "code": 409, "reason": "Conflict", "message": "Apply failed with 1 conflict: conflict with \"kubectl\" using apps/v1: .spec.replicas",
            "details": {"causes": [{"reason": "FieldManagerConflict", "message": "conflict with \"kubectl\" using apps/v1", "field": ".spec.replicas"}]},
        }));
        assert_eq!(
            sentence("Deployment `a/b`", &conflict).as_deref(),
            Some(
                "Deployment `a/b` is refused: `.spec.replicas` belongs to `kubectl`; let the other manager give the field up, \
                 leave it out of the manifest of `slipway`, or let the operator's file say `policy: {conflicts: take}`"
            )
        );
    }

    #[test]
    fn what_may_pass_is_no_refusal() {
        let another_writer =
            serde_json::json!({"code": 409, "reason": "Conflict", "message": "the object has been modified"});
        let webhook =
            serde_json::json!({"code": 500, "reason": "InternalError", "message": "failed calling webhook"});
        let busy = serde_json::json!({"code": 429, "message": "too many requests"});
        let credentials = serde_json::json!({"code": 401, "message": "Unauthorized"});
        for status in [another_writer, webhook, busy, credentials] {
            assert_eq!(sentence("ConfigMap `a/b`", &failure(status.clone())), None, "{status}");
        }
    }

    #[test]
    fn an_old_servers_500_without_a_reason_is_about_the_object() {
        let invalid = failure(
            serde_json::json!({"code": 500, "message": "failed to create typed patch object: .spec.foo: field not declared in schema"}),
        );
        let sentence = sentence("Service `a/b`", &invalid).unwrap_or_default();
        assert!(sentence.contains("field not declared in schema"), "{sentence}");
    }
}
