//! A kubeconfig made to stand alone: the functions get its text in a secret, and see no file beside it.

use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Reads a kubeconfig, keeps its current context, and puts the files it names into it.
pub(crate) fn stand_alone(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    reduce(&text, path.parent().unwrap_or(Path::new("."))).with_context(|| format!("in {}", path.display()))
}

fn reduce(text: &str, folder: &Path) -> anyhow::Result<String> {
    let config: Value = serde_saphyr::from_str(text).context("this is no kubeconfig")?;
    let context_name = config["current-context"].as_str().filter(|name| !name.is_empty());
    let context_name =
        context_name.context("there is no current context; `kubectl config use-context` sets it")?;
    let context = named(&config, "contexts", "context", context_name)?;
    let cluster_name = context["cluster"].as_str().unwrap_or_default().to_owned();
    let user_name = context["user"].as_str().unwrap_or_default().to_owned();
    let mut cluster = named(&config, "clusters", "cluster", &cluster_name)?;
    let mut user = named(&config, "users", "user", &user_name)?;
    if user.get("exec").is_some() || user.get("auth-provider").is_some() {
        bail!(
            "user `{user_name}` gets its token from a program, which functions cannot run: use a kubeconfig with a \
             service account's token or a client certificate"
        );
    }
    inline(&mut cluster, "certificate-authority", folder)?;
    inline(&mut user, "client-certificate", folder)?;
    inline(&mut user, "client-key", folder)?;
    if let Some(file) = user.remove("tokenFile") {
        let token = read(folder, &file)?;
        user.insert("token".to_owned(), String::from_utf8(token)?.trim().into());
    }
    // JSON is YAML: nothing else is needed to write it.
    Ok(serde_json::to_string_pretty(&json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context_name,
        "contexts": [{ "name": context_name, "context": context }],
        "clusters": [{ "name": cluster_name, "cluster": cluster }],
        "users": [{ "name": user_name, "user": user }],
    }))?)
}

fn named(config: &Value, list: &str, key: &str, name: &str) -> anyhow::Result<Map<String, Value>> {
    let entries = config[list].as_array().map(Vec::as_slice).unwrap_or_default();
    let entry = entries.iter().find(|entry| entry["name"] == name);
    let body = entry.and_then(|entry| entry[key].as_object());
    Ok(body.with_context(|| format!("`{list}` has no entry `{name}`"))?.clone())
}

/// Replaces `<key>: path` by `<key>-data: base64`.
fn inline(entry: &mut Map<String, Value>, key: &str, folder: &Path) -> anyhow::Result<()> {
    if let Some(file) = entry.remove(key) {
        let data = STANDARD.encode(read(folder, &file)?);
        entry.insert(format!("{key}-data"), data.into());
    }
    Ok(())
}

fn read(folder: &Path, file: &Value) -> anyhow::Result<Vec<u8>> {
    let path = folder.join(file.as_str().context("a file is named by its path")?);
    std::fs::read(&path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIKUBE: &str = "
current-context: minikube
contexts:
- {name: other, context: {cluster: other, user: other}}
- {name: minikube, context: {cluster: minikube, user: minikube, namespace: default}}
clusters:
- {name: other, cluster: {server: 'https://other'}}
- {name: minikube, cluster: {server: 'https://192.168.49.2:8443', certificate-authority: Cargo.toml}}
users:
- {name: minikube, user: {client-certificate: Cargo.toml, client-key: Cargo.toml}}
";

    fn here() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn files_are_put_into_it_and_other_contexts_left_out() -> anyhow::Result<()> {
        let reduced: Value = serde_json::from_str(&reduce(MINIKUBE, here())?)?;

        let data = STANDARD.encode(std::fs::read(here().join("Cargo.toml"))?);
        assert_eq!(reduced["clusters"][0]["cluster"]["certificate-authority-data"], data);
        assert_eq!(reduced["users"][0]["user"]["client-key-data"], data);
        assert!(reduced["users"][0]["user"].get("client-key").is_none());
        assert_eq!(reduced["contexts"][0]["context"]["namespace"], "default");
        assert_eq!(reduced["clusters"].as_array().map(Vec::len), Some(1));
        Ok(())
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_way_out() {
        let check = |text: &str, expect: &str| {
            let error = reduce(text, here()).err().map(|error| format!("{error:#}")).unwrap_or_default();
            assert!(error.contains(expect), "{error}");
        };
        check(&MINIKUBE.replace("current-context: minikube", ""), "kubectl config use-context");
        check(&MINIKUBE.replace("current-context: minikube", "current-context: gone"), "no entry `gone`");
        let exec = MINIKUBE.replace(
            "user: {client-certificate: Cargo.toml, client-key: Cargo.toml}",
            "user: {exec: {command: aws}}",
        );
        check(&exec, "service account's token");
    }
}
