//! Services that share a build.

use super::{told, tree};
use crate::ids::ServiceName;
use crate::planning::plan;

#[test]
fn groups_are_as_the_file_says() {
    let file = "version: 1\nshared_builds: [[api_gateway, authentication]]\n";
    let plan = plan(Some(file.as_bytes()), &tree(&[], &[])).expect("a plan");
    let groups: Vec<String> = plan
        .shared_builds
        .iter()
        .map(|group| group.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(groups, ["api_gateway authentication"]);
}

#[test]
fn what_cannot_share_is_told_with_the_reason() {
    let file = "version: 1
services:
  api_gateway: {test: {environment: {A: b}, retries: 1}}
  authentication:
  redis: {image: none, manifests: [infrastructure/kubernetes/redis-deployment.yaml]}
shared_builds:
  - [authentication]
  - [api_gateway, authentication]
  - [api_gateway, redis, notification]
  - [a, b, c, d, e, f, g, h, i]
";
    insta::assert_snapshot!(told(Some(file), &tree(&[], &[])), @r"
    pipeline.yaml:6:1 2 to 8 services share a build; a list of `shared_builds` names 1
    pipeline.yaml:6:1 `api_gateway` and `authentication` cannot share a build: their `test` differs in `environment`, `retries`; give both the same, or take one of them out of `shared_builds`
    pipeline.yaml:6:1 `api_gateway` stands twice in `shared_builds`; leave it in one place
    pipeline.yaml:6:1 `shared_builds` names `redis`, which is no service with tests; take it out
    pipeline.yaml:6:1 `shared_builds` names `notification`, which is no service with tests; take it out
    pipeline.yaml:6:1 2 to 8 services share a build; a list of `shared_builds` names 9
    ");
}

#[test]
fn other_problems_come_first() {
    let file = "version: 1\nservices: {fleet: }\nshared_builds: [[fleet, chat]]\n";
    let told = told(Some(file), &tree(&[], &[]));
    assert!(told.contains("backend/fleet") && !told.contains("shared_builds"), "{told}");
}
