//! What must be known of rendered objects before anybody applies them: that they are objects, how many, and no hooks.

use serde_json::Value;

/// The most objects of one service.
const MOST_OBJECTS: usize = 1000;

/// What makes an object one that Helm itself would run at a point of an installation
/// (<https://helm.sh/docs/topics/charts_hooks/>).
const HOOK: &str = "helm.sh/hook";

/// Checks a stream of YAML.
///
/// # Errors
/// The sentence for the developer why it cannot be taken.
pub(super) fn check(stream: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(stream).map_err(|_| "what is rendered is not UTF-8".to_owned())?;
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)
        .map_err(|error| format!("what is rendered is not valid YAML: {error}"))?;
    let objects: Vec<&Value> = documents.iter().filter(|document| !document.is_null()).collect();
    if objects.is_empty() {
        return Err("nothing is rendered; a chart or kustomization gives at least one object".to_owned());
    }
    if objects.len() > MOST_OBJECTS {
        return Err(format!(
            "{} objects are rendered; {MOST_OBJECTS} are allowed: give some of them to a component",
            objects.len()
        ));
    }
    for object in objects {
        if let Some(hook) = object.pointer("/metadata/annotations").and_then(|all| all.get(HOOK)) {
            let named = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
            return Err(format!(
                "{} `{}` is a hook of Helm (`{}`), and Slipway runs none: take the annotation `{HOOK}` out; a Job before \
                 or after the release is a manifest of its own under `pre_deploy` or `post_deploy`",
                named("/kind"),
                named("/metadata/name"),
                hook.as_str().unwrap_or("?")
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_and_what_is_no_set_of_objects_is_refused() {
        let object = |more: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p{more}}}\n---\n");
        let told = |stream: &str| check(stream.as_bytes()).err().unwrap_or_default();
        assert_eq!(told(&object("")), "");
        insta::assert_snapshot!(told(&object(", annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}")), @"Pod `p` is a hook of Helm (`pre-install,pre-upgrade`), and Slipway runs none: take the annotation `helm.sh/hook` out; a Job before or after the release is a manifest of its own under `pre_deploy` or `post_deploy`");
        insta::assert_snapshot!(told("---\n# nothing\n"), @"nothing is rendered; a chart or kustomization gives at least one object");
        insta::assert_snapshot!(told(&object("").repeat(1001)), @"1001 objects are rendered; 1000 are allowed: give some of them to a component");
        assert!(told("a: [").starts_with("what is rendered is not valid YAML"));
        assert_eq!(check(b"\xff"), Err("what is rendered is not UTF-8".to_owned()));
    }
}
