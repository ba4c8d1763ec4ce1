//! Where things lie in the bucket. What a stranger's build reads and writes lies apart from all else: its role
//! reaches nothing but [`UNTRUSTED`].

use crate::ids::{AttemptId, RepositoryName, RunId, ServiceName, Trust};

/// What the keys of strangers' runs begin with.
pub const UNTRUSTED: &str = "untrusted/";

/// GitHub's zip of a run's commit, as it came: one top-level folder.
pub fn source(run: &RunId) -> String {
    format!("{}sources/{}/{}.zip", realm(run), run.repository, run.sha)
}

/// The folder under which a build's `result.zip` lies.
pub fn result_folder(attempt: &AttemptId) -> String {
    format!("{}results/{}/{}/{}", realm(&attempt.run), attempt.run, attempt.task, attempt.attempt)
}

/// The `result.zip` in a build's folder.
pub fn result(folder: &str) -> String {
    format!("{folder}/result.zip")
}

/// The folder under which the `result.zip` of a build lies that these services share.
pub fn shared_result_folder(run: &RunId, services: &[ServiceName]) -> String {
    let names: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
    // No service's name has a dot.
    format!("{}results/{run}/test/{}", realm(run), names.join("."))
}

/// The folder of what the builds of a repository's trusted runs keep for each other.
pub fn cache(repository: &RepositoryName) -> String {
    format!("cache/{repository}")
}

/// What a pull request's commit adds to each file, line by line.
pub fn new_lines(run: &RunId) -> String {
    format!("changes/{run}.json")
}

/// The services whose manifests a pull request's commit changes.
pub fn preview(run: &RunId) -> String {
    format!("previews/{run}.json")
}

/// What a build has rendered of a service, by its SHA-256 in hexadecimal.
pub fn rendered(hash: &str) -> String {
    format!("rendered/{hash}.yaml")
}

/// Which hashes a repository's manifests had that were rendered from what this key stands for.
pub fn rendering(repository: &RepositoryName, key: &str) -> String {
    format!("rendered/{repository}/{key}.json")
}

/// Rendered manifests by their SHA-256 in hexadecimal.
pub fn manifests(hash: &str) -> String {
    format!("manifests/{hash}.json")
}

fn realm(run: &RunId) -> &'static str {
    match run.trust {
        Trust::Trusted => "",
        Trust::Untrusted => UNTRUSTED,
    }
}

#[cfg(test)]
mod tests {
    use super::{cache, result, result_folder, source};

    #[test]
    fn what_strangers_bring_and_leave_lies_apart() {
        let sha = "0123456789abcdef0123456789abcdef01234567";
        let check = |run: &str, expect: [&str; 2]| {
            let attempt = format!("vive-sphere.bot-manager.{run}/test/authentication/2");
            let attempt: crate::ids::AttemptId = attempt.parse().expect("an attempt");
            assert_eq!(
                [source(&attempt.run), result(&result_folder(&attempt))],
                expect.map(|key| key.replace("SHA", sha))
            );
        };
        check(
            sha,
            [
                "sources/vive-sphere/bot-manager/SHA.zip",
                "results/vive-sphere.bot-manager.SHA/test/authentication/2/result.zip",
            ],
        );
        check(
            &format!("{sha}.untrusted"),
            [
                "untrusted/sources/vive-sphere/bot-manager/SHA.zip",
                "untrusted/results/vive-sphere.bot-manager.SHA.untrusted/test/authentication/2/result.zip",
            ],
        );
        assert_eq!(
            cache(&"vive-sphere/bot-manager".parse().expect("a name")),
            "cache/vive-sphere/bot-manager"
        );
    }
}
