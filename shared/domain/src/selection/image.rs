//! An image's key: the same key means that the same build would run over the same files.

use sha2::{Digest as _, Sha256};

use super::contents::Contents;
use crate::spec::{ImageSpec, Reads, ServiceSpec};
use crate::time::Timestamp;

/// What a key begins with; whoever changes what it is made of counts on.
const FORM: &str = "slipway image key 2";

/// How old an image may be whose base image may have moved on, in seconds: then its key is another one. A week, so
/// that mended bases are taken over without a commit having to ask for it.
const LONGEST_AGE: u64 = 7 * 24 * 60 * 60;

/// What a service's image depends on: its build context with every file, its Dockerfile, arguments, names of secrets, the
/// buildspec, and the week, where a base image is no digest. SHA-256 in hexadecimal; none for what has no image.
///
/// What a Dockerfile's commands fetch from elsewhere is in no key.
pub fn image_key(
    service: &ServiceSpec,
    tree: &Contents,
    dockerfile: &[u8],
    buildspec: &str,
    now: Timestamp,
) -> Option<String> {
    let ImageSpec { repository, dockerfile: path, arguments, secrets } = service.image.as_ref()?;
    let mut hash = Sha256::new();
    let mut feed = |part: &[u8]| {
        // Its length before each part, so that no part can pass for another one or for two.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    for part in [FORM, repository, service.path.as_str(), path.as_str(), buildspec] {
        feed(part.as_bytes());
    }
    feed(dockerfile);
    for given in [arguments, secrets] {
        feed(&(given.len() as u64).to_le_bytes());
        for (name, value) in given {
            feed(name.as_bytes());
            feed(value.as_bytes());
        }
    }
    let week = if is_pinned(dockerfile) { 0 } else { now.seconds() / LONGEST_AGE };
    feed(&week.to_le_bytes());
    let context = Reads { paths: vec![service.path.to_string()], ..Reads::default() };
    for (path, content) in tree.read(&context) {
        feed(path.as_bytes());
        feed(content);
    }
    Some(hex::encode(hash.finalize()))
}

/// Whether every image that the Dockerfile names is a digest, nothing (`scratch`), or a stage of its own. What cannot be
/// read for sure is not pinned: `FROM` with a variable, and files that are copied from other images.
fn is_pinned(dockerfile: &[u8]) -> bool {
    let text = String::from_utf8_lossy(dockerfile).replace("\\\r\n", " ").replace("\\\n", " ");
    let mut stages: Vec<String> = Vec::new();
    let is_known = |image: &str, stages: &[String]| {
        let is_digest = image.contains("@sha256:") && !image.contains('$');
        is_digest || image == "scratch" || stages.iter().any(|stage| stage.eq_ignore_ascii_case(image))
    };
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next().is_some_and(|word| word.eq_ignore_ascii_case("FROM")) {
            let mut words = words.skip_while(|word| word.starts_with("--"));
            let Some(image) = words.next().filter(|image| is_known(image, &stages)) else { return false };
            let name = words.next().filter(|word| word.eq_ignore_ascii_case("AS")).and_then(|_| words.next());
            stages.push(name.unwrap_or(image).to_owned());
        } else if line.contains("from=") {
            // `COPY --from=`, `RUN --mount=…,from=`: a stage by its name or number is fine, anything else may move.
            let names = line.split("from=").skip(1).filter_map(|rest| rest.split([' ', ',', '\t']).next());
            let is_fine = |name: &str| {
                name.parse::<usize>().is_ok_and(|number| number < stages.len()) || is_known(name, &stages)
            };
            if !names.into_iter().all(is_fine) {
                return false;
            }
        }
    }
    !stages.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::contents::{ContentHash, EntryKind};
    use super::*;
    use crate::planning::plan;

    const DIGEST: &str = "@sha256:0000000000000000000000000000000000000000000000000000000000000007";
    const WEEK: u64 = LONGEST_AGE * 1000;

    #[test]
    fn only_digests_are_pinned() {
        for (file, expect) in [
            ("FROM scratch\nCOPY . .\n", true),
            (&format!("FROM python{DIGEST}\nRUN pip install x\n"), true),
            (&format!("from --platform=linux/amd64 \\\n  python:3.11{DIGEST} AS build\nFROM Build\n"), true),
            (&format!("FROM a{DIGEST} AS b\nFROM scratch\nCOPY --from=b /x /x\nCOPY --from=0 /y /y\n"), true),
            (&format!("FROM a{DIGEST}\nCOPY --from=busybox /x /x\n"), false),
            (&format!("FROM a{DIGEST}\nRUN --mount=type=bind,from=b:1,target=/x true\n"), false),
            ("FROM python:3.11\n", false),
            (&format!("ARG BASE\nFROM ${{BASE}}{DIGEST}\n"), false),
            ("FROM later\nFROM scratch AS later\n", false),
            ("", false),
            ("FROM\n", false),
        ] as [(&str, bool); 11]
        {
            assert_eq!(is_pinned(file.as_bytes()), expect, "{file}");
        }
    }

    /// The key of the one service of this tree.
    fn key_of(files: &[(&str, &str)], dockerfile: &str, now: u64) -> String {
        let paths = files
            .iter()
            .map(|(path, _)| *path)
            .chain(["backend/auth/Dockerfile", "infrastructure/kubernetes/auth-deployment.yaml"]);
        let plan = plan(None, &paths.collect()).expect("a plan");
        let hashed = |(path, text): &(&str, &str)| {
            ((*path).to_owned(), ContentHash::of(EntryKind::File, text.as_bytes()))
        };
        let tree: Contents = files.iter().map(hashed).collect();
        image_key(&plan.services[0], &tree, dockerfile.as_bytes(), "buildspec", Timestamp(now))
            .expect("an image")
    }

    #[test]
    fn a_key_is_the_context_the_dockerfile_and_the_week() {
        let (pinned, moving) = (format!("FROM a{DIGEST}\n"), "FROM python:3.11\n");
        let files =
            [("backend/auth/app.py", "1"), ("backend/auth/tests/test_app.py", "1"), ("README.md", "1")];
        let key = |files: &[(&str, &str)], now| key_of(files, &pinned, now);

        let first = key(&files, 0);
        assert_eq!(key(&files, 5 * WEEK), first, "a pinned base does not age");
        assert_eq!(
            key(&[files[0], files[1], ("README.md", "2")], 0),
            first,
            "what lies outside is not copied"
        );
        assert_ne!(
            key(&[files[0], ("backend/auth/tests/test_app.py", "2")], 0),
            first,
            "all of the context is"
        );
        assert_ne!(key(&[("backend/auth/other.py", "1"), files[1]], 0), first, "names count");
        assert_ne!(key_of(&files, "FROM scratch\n", 0), first, "another Dockerfile");

        let moves = |now| key_of(&files, moving, now);
        assert_eq!(moves(WEEK), moves(2 * WEEK - 1));
        assert_ne!(moves(WEEK - 1), moves(WEEK), "a base that may move on is built anew each week");
    }
}
