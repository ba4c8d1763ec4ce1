//! Names in their text form, and what is no name.

use super::*;

fn round_trip<T: FromStr + fmt::Display>(text: &str) -> bool {
    text.parse::<T>().is_ok_and(|value| value.to_string() == text)
}

#[test]
fn ids_read_back_what_they_write() {
    let sha = "0123456789abcdef0123456789abcdef01234567";
    assert!(round_trip::<RunId>(&format!("vive-sphere.bot.manager.{sha}")));
    assert!(round_trip::<RunId>(&format!("vive-sphere.bot-manager.{sha}.untrusted")));
    for task in ["test/authentication", "test/+checks", "deploy/authentication@development"] {
        assert!(round_trip::<TaskId>(task), "{task}");
        assert!(round_trip::<AttemptId>(&format!("o.r.{sha}/{task}/3")), "{task}");
    }
}

#[test]
fn hostile_names_are_refused() {
    for path in ["/etc/passwd", "a/../b", "..", "a\\b", "a\nb", "a b", ""] {
        assert!(path.parse::<RepositoryPath>().is_err(), "{path}");
    }
    for task in ["test", "test/", "deploy/a", "test/a@development", "fly/a", "test/A", "test/_a"] {
        assert!(task.parse::<TaskId>().is_err(), "{task}");
    }
    for repository in ["a", "a/b/c", "a/..", "a b/c", "/b"] {
        assert!(repository.parse::<RepositoryName>().is_err(), "{repository}");
    }
    assert!("ABCDEF6789abcdef0123456789abcdef01234567".parse::<Sha>().is_err());
}

#[test]
fn branches_are_those_of_git() {
    for branch in ["develop", "feature/login-2", "a.b", "ünder", "HEAD-1"] {
        assert!(branch.parse::<BranchName>().is_ok(), "{branch}");
    }
    for branch in [
        "", "@", "a..b", "a b", "-f", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a.", "a@{1}", "a~1",
        "a:b", "a*", "a\nb",
    ] {
        assert!(branch.parse::<BranchName>().is_err(), "{branch}");
    }
}
