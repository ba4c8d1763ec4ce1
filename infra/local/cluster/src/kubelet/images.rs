//! Images: where they are pulled from, and what is known of them afterwards.

use crate::kubelet::Node;

/// An image that is there.
#[derive(Debug, Clone)]
pub struct Image {
    /// What the engine calls it.
    pub local_name: String,
    /// `imageID` of the status: repository and digest as the manifest names the repository.
    pub id: String,
    /// Whether it was pulled just now.
    pub pulled: bool,
}

/// Why an image is not there.
#[derive(Debug)]
pub enum Missing {
    /// It could not be pulled.
    NotPulled(String),
    /// It may not be pulled.
    NeverPulled,
}

/// Makes an image available by its policy.
pub async fn ensure(node: &Node, reference: &str, policy: &str) -> Result<Image, Missing> {
    let local_name = rewritten(&node.image_rewrites, reference);
    if policy != "Always"
        && let Some(id) = inspect(node, &local_name, reference).await
    {
        return Ok(Image { local_name, id, pulled: false });
    }
    if policy == "Never" {
        return Err(Missing::NeverPulled);
    }
    let pulled = node.docker.engine.output(&["pull", "--quiet", &local_name]).await;
    pulled.map_err(|error| Missing::NotPulled(format!("{error:#}")))?;
    let id = inspect(node, &local_name, reference).await;
    let id = id.ok_or_else(|| Missing::NotPulled(format!("`{local_name}` vanished after it was pulled")))?;
    Ok(Image { local_name, id, pulled: true })
}

async fn inspect(node: &Node, local_name: &str, reference: &str) -> Option<String> {
    let format = "{{.Id}}{{range .RepoDigests}} {{.}}{{end}}";
    let output =
        node.docker.engine.output(&["image", "inspect", "--format", format, local_name]).await.ok()?;
    let mut parts = output.split_whitespace();
    let id = parts.next()?.to_owned();
    // Only a digest of the same repository says what was pulled.
    let repository = repository(local_name);
    let digest = parts.find_map(|known| known.strip_prefix(repository)?.strip_prefix('@'));
    Some(digest.map_or_else(
        || format!("docker://{id}"),
        |digest| format!("{}@{digest}", self::repository(reference)),
    ))
}

/// The name that is really pulled.
fn rewritten(rewrites: &[(String, String)], reference: &str) -> String {
    let found = rewrites
        .iter()
        .find_map(|(from, to)| Some(format!("{to}{}", reference.strip_prefix(from.as_str())?)));
    found.unwrap_or_else(|| reference.to_owned())
}

/// A reference without its tag and digest.
fn repository(reference: &str) -> &str {
    let name = reference.split('@').next().unwrap_or(reference);
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::{repository, rewritten};

    #[test]
    fn a_registry_is_replaced_by_its_local_stand_in() {
        let rewrites = vec![("1.dkr.ecr.eu-west-1.amazonaws.com/".to_owned(), "127.0.0.1:4566/".to_owned())];
        let check = |from: &str, expect: &str| assert_eq!(rewritten(&rewrites, from), expect);
        check("1.dkr.ecr.eu-west-1.amazonaws.com/a/b@sha256:1", "127.0.0.1:4566/a/b@sha256:1");
        check("python:3.12", "python:3.12");
    }

    #[test]
    fn the_repository_of_a_reference() {
        let check = |from: &str, expect: &str| assert_eq!(repository(from), expect);
        check("127.0.0.1:4566/a/b:1@sha256:2", "127.0.0.1:4566/a/b");
        check("127.0.0.1:4566/a/b", "127.0.0.1:4566/a/b");
        check("a:1", "a");
    }
}
