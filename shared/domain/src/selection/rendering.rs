//! What rendered manifests depend on: the folders that Kustomize reads, the charts and the files of values.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::contents::Contents;
use crate::spec::{ManifestsSpec, Reads};

/// What a key begins with; whoever changes what it is made of counts on.
const FORM: &str = "slipway manifests key 1";

/// How Kustomize's own file may be called, in a folder.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The folders with a kustomization of their own that the text of one in `folder` may name.
///
/// The text is not understood: each word in it that is the path of such a folder counts, also in a comment. That is
/// never too few, as files outside of these folders are not Kustomize's to read.
pub fn bases_in(text: &[u8], folder: &str, tree: &Contents) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(text);
    let ends_word = |c: char| c.is_whitespace() || "'\"[]{},".contains(c);
    text.split(ends_word)
        .filter(|word| !word.is_empty())
        .filter_map(|word| resolved(folder, word.trim_start_matches("file://")))
        .filter(|base| has_kustomization(base, tree))
        .collect()
}

/// Where a relative path leads from a folder; none where it leaves the repository.
fn resolved(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            parts.pop()?;
        } else {
            parts.push(part);
        }
    }
    Some(if parts.is_empty() { ".".to_owned() } else { parts.join("/") })
}

fn has_kustomization(folder: &str, tree: &Contents) -> bool {
    kustomizations(folder).iter().any(|file| tree.get(file).is_some())
}

/// The paths that the kustomization of a folder may have.
pub fn kustomizations(folder: &str) -> [String; 3] {
    KUSTOMIZATIONS.map(|file| if folder == "." { file.to_owned() } else { format!("{folder}/{file}") })
}

/// What the rendered manifests depend on: every file below the folders that are read, the settings, the environment, and
/// the buildspec, which names the tools. SHA-256 in hexadecimal. `bases` are the folders that the kustomizations lead to.
pub fn manifests_key(
    spec: &ManifestsSpec,
    bases: &BTreeSet<String>,
    tree: &Contents,
    buildspec: &str,
) -> String {
    let mut hash = Sha256::new();
    let mut feed = |part: &[u8]| {
        // Its length before each part, so that no part can pass for another one or for two.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    feed(FORM.as_bytes());
    feed(serde_json::to_string(spec).expect("texts under text keys are always JSON").as_bytes());
    feed(buildspec.as_bytes());
    let roots = spec.services.iter().flat_map(|service| service.rendering.roots());
    let paths = roots.map(|path| path.as_str().trim_end_matches('/').to_owned()).chain(bases.iter().cloned());
    let reads = Reads { paths: paths.collect(), ..Reads::default() };
    for (path, content) in tree.read(&reads) {
        feed(path.as_bytes());
        feed(content);
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::super::contents::{ContentHash, EntryKind};
    use super::*;
    use crate::spec::{RenderedService, Rendering};

    const FILES: [(&str, &str); 7] = [
        ("k8s/base/kustomization.yaml", "resources: [a.yaml]"),
        ("k8s/base/a.yaml", "1"),
        ("k8s/overlays/dev/kustomization.yaml", "resources:\n- ../../base # and ../../other"),
        ("k8s/other/kustomization.yaml", ""),
        ("charts/bot/Chart.yaml", "1"),
        ("charts/values.yaml", "1"),
        ("README.md", "1"),
    ];

    fn tree(changed: Option<(&str, &str)>) -> Contents {
        let others = FILES.into_iter().filter(|(path, _)| changed.is_none_or(|(other, _)| other != *path));
        others
            .chain(changed)
            .map(|(path, text)| (path.to_owned(), ContentHash::of(EntryKind::File, text.as_bytes())))
            .collect()
    }

    fn spec(environment: &str) -> ManifestsSpec {
        let path = |path: &str| path.parse().expect("a path");
        let service =
            |name: &str, rendering| RenderedService { name: name.parse().expect("a name"), rendering };
        let helm = Rendering::Helm {
            chart: path("charts/bot"),
            release: "bot".to_owned(),
            values: vec![path("charts/values.yaml")],
        };
        ManifestsSpec {
            environment: environment.parse().expect("a name"),
            services: vec![
                service("a", Rendering::Kustomize { folder: path("k8s/overlays/dev/") }),
                service("b", helm),
            ],
        }
    }

    #[test]
    fn bases_are_found_wherever_the_text_names_them() {
        let bases = |text: &str, folder: &str| {
            bases_in(text.as_bytes(), folder, &tree(None)).into_iter().collect::<Vec<_>>().join(" ")
        };
        for (text, expect) in [
            (FILES[2].1, "k8s/base k8s/other"),
            ("resources: ['../../base', \"../../other/\"]", "k8s/base k8s/other"),
            ("components: [../../././base]", "k8s/base"),
            ("resources: [../../missing, ../../../../../etc, /k8s/base, https://k8s/base]", ""),
            ("resources: [a.yaml, ../..]", ""),
        ] {
            assert_eq!(bases(text, "k8s/overlays/dev"), expect, "{text}");
        }
        assert_eq!(bases("bases: [k8s/base]", "."), "k8s/base");
    }

    #[test]
    fn a_key_is_all_that_is_read_and_how() {
        let bases = BTreeSet::from(["k8s/base".to_owned()]);
        let key = |changed, environment: &str, buildspec: &str| {
            manifests_key(&spec(environment), &bases, &tree(changed), buildspec)
        };
        let first = key(None, "development", "buildspec");
        assert_eq!(key(Some(("README.md", "2")), "development", "buildspec"), first, "nobody reads that");
        for path in
            ["k8s/base/a.yaml", "k8s/overlays/dev/new.yaml", "charts/bot/Chart.yaml", "charts/values.yaml"]
        {
            assert_ne!(key(Some((path, "2")), "development", "buildspec"), first, "{path}");
        }
        assert_ne!(key(None, "production", "buildspec"), first);
        assert_ne!(key(None, "development", "of other tools"), first);
    }
}
