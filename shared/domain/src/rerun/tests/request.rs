//! The push behind every run of these tables.

use super::name;
use crate::ids::Sha;
use crate::message::PlanRequest;

pub(super) fn request() -> PlanRequest {
    PlanRequest {
        delivery: name("delivery-1"),
        repository: name("vive-sphere/bot-manager"),
        installation: 1,
        sha: "a".repeat(40).parse::<Sha>().expect("a SHA"),
        before: None,
        branch: "develop".to_owned(),
        fork: None,
        pull_request: None,
        sender: "ada".to_owned(),
        title: "A commit".to_owned(),
        tag: false,
        forced: false,
        base: None,
        draft: false,
        skip: None,
        admitted: None,
    }
}
