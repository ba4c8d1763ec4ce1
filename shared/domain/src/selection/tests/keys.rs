//! A key changes with everything that a test reads or is run by, and with nothing else.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::*;
use crate::spec::{ChecksSpec, Compute, IntegrationSpec, ServiceSpec, Severity, StartedService, TestSpec};

const FACTS: KeyFacts<'_> = KeyFacts { buildspec: "version: 0.2\n", build_image: "python:3.12" };

type Files = BTreeMap<String, Vec<u8>>;

fn contents(files: &Files) -> Contents {
    files.iter().map(|(path, bytes)| (path.clone(), ContentHash::of(EntryKind::File, bytes))).collect()
}

fn of_files() -> Files {
    FILES.iter().map(|path| ((*path).to_owned(), path.as_bytes().to_vec())).collect()
}

/// The plan's tests by their subjects.
fn specs() -> BTreeMap<String, TaskSpec> {
    tests_of(&a_plan()).into_iter().map(|(subject, spec)| (subject.to_string(), spec)).collect()
}

/// The subjects whose keys change.
fn moved(change: impl Fn(&mut Files)) -> Vec<String> {
    let (before, mut files) = (contents(&of_files()), of_files());
    change(&mut files);
    let after = contents(&files);
    let specs = specs();
    let moved = specs.iter().filter(|(_, spec)| key(spec, &before, &FACTS) != key(spec, &after, &FACTS));
    moved.map(|(subject, _)| subject.clone()).collect()
}

#[test]
fn a_key_moves_with_what_is_read_alone() {
    let all = ["+checks", "+integration", "auth", "auth2"];
    for (path, expected) in [
        ("backend/auth/auth/app.py", &["+checks", "+integration", "auth"][..]),
        ("backend/auth/README.md", &["+checks", "+integration", "auth"]),
        ("backend/auth/new.bin", &["+checks", "+integration", "auth"]),
        ("backend/common/tokens.py", &all),
        ("backend/conftest.py", &all),
        ("pyproject.toml", &all),
        ("requirements-dev.txt", &all),
        ("constraints.txt", &all),
        ("docs/conf.py", &["+checks"]),
        ("integration_tests/test_all.py", &["+integration"]),
        ("README.md", &[]),
        ("infrastructure/ci_cd/pipeline.yaml", &[]),
        ("infrastructure/kubernetes/auth-deployment.yaml", &[]),
    ] {
        let edited = moved(|files| _ = files.insert(path.to_owned(), b"other".to_vec()));
        assert_eq!(edited, expected, "edited {path}");
        if of_files().contains_key(path) {
            assert_eq!(moved(|files| _ = files.remove(path)), expected, "removed {path}");
        }
    }
}

#[test]
fn a_choice_carries_the_key_of_its_test() {
    let (plan, contents, changes) = (a_plan(), contents(&of_files()), changes(&["docs/conf.py"]));
    let choices = choose(&plan, &Reach::of(&plan, &a_request(), Some(&changes)), &contents, &FACTS);
    let told: Vec<_> = choices.iter().map(|choice| (choice.subject.to_string(), choice.affected)).collect();
    let expected = [("auth", false), ("auth2", false), ("+checks", true), ("+integration", false)];
    assert_eq!(told, expected.map(|(subject, affected)| (subject.to_owned(), affected)));
    for choice in &choices {
        assert_eq!(choice.key, key(&specs()[&choice.subject.to_string()], &contents, &FACTS));
        assert!(choice.key.len() == 64 && choice.key.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    // The same form for ever, or else every service is tested again.
    insta::assert_snapshot!(choices[0].key, @"89881797690bd735c71d9caedd9a4431d87276aaf4382a390c2e93d8e6aa537b");
}

#[test]
fn the_kind_of_a_file_counts() {
    let hashes =
        [EntryKind::File, EntryKind::Executable, EntryKind::Link].map(|kind| ContentHash::of(kind, b"x"));
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2]);
    let mut pieces = ContentHash::new(EntryKind::Link);
    pieces.update(b"");
    pieces.update(b"x");
    assert_eq!(pieces.finish(), hashes[2]);
}

/// The key of a test after its spec was changed.
fn keyed(subject: &str, change: impl Fn(&mut TaskSpec)) -> String {
    let mut spec = specs()[subject].clone();
    change(&mut spec);
    key(&spec, &contents(&of_files()), &FACTS)
}

fn test(service: &mut ServiceSpec) -> &mut TestSpec {
    service.test.as_mut().expect("tests")
}

#[test]
fn how_a_service_is_tested_counts_and_how_it_is_delivered_does_not() {
    let service = |change: fn(&mut ServiceSpec)| {
        keyed("auth", |spec| {
            if let TaskSpec::Service(service) = spec {
                change(service);
            }
        })
    };
    let as_is = service(|_| {});
    let mut keys = vec![
        service(|service| test(service).command.push_str(" -x")),
        service(|service| test(service).coverage = Some(79)),
        service(|service| test(service).coverage = None),
        service(|service| test(service).not_below_base = true),
        service(|service| test(service).reports = vec!["a.xml".parse().expect("a path")]),
        service(|service| test(service).requirements.clear()),
        service(|service| _ = test(service).build.environment.insert("A".to_owned(), "b".to_owned())),
        service(|service| _ = test(service).build.secrets.insert("A".to_owned(), "b".to_owned())),
        service(|service| test(service).build.image = Some("python:3.13".to_owned())),
        service(|service| test(service).build.compute = Some(Compute::Large)),
        service(|service| test(service).build.timeout = Some(7)),
        service(|service| test(service).build.retries = 1),
        as_is.clone(),
    ];
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count, "each of them is another test");
    let image = service(|service| service.image = None);
    let manifests = service(|service| service.manifests.clear());
    let health = service(|service| service.health = None);
    assert_eq!([image, manifests, health], [as_is.clone(), as_is.clone(), as_is]);
}

#[test]
fn how_checks_and_integration_tests_run_counts() {
    let checks = |change: fn(&mut ChecksSpec)| {
        keyed("+checks", |spec| {
            if let TaskSpec::Checks(checks) = spec {
                change(checks);
            }
        })
    };
    let integration = |change: fn(&mut IntegrationSpec)| {
        keyed("+integration", |spec| {
            if let TaskSpec::Integration(integration) = spec {
                change(integration);
            }
        })
    };
    let mut keys = vec![
        checks(|_| {}),
        checks(|checks| checks.severity = Severity::Low),
        checks(|checks| checks.command = Some("make lint".to_owned())),
        checks(|checks| checks.flake8.clear()),
        checks(|checks| checks.bandit.clear()),
        checks(|checks| checks.build.timeout = Some(9)),
        integration(|_| {}),
        integration(|tests| tests.command.clear()),
        integration(|tests| tests.build.retries = 3),
        integration(|tests| {
            tests.services.push(StartedService {
                name: "redis".parse().expect("a name"),
                start: "redis-server".to_owned(),
                port: 6379,
                ready: "/".to_owned(),
            });
        }),
    ];
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count);
}

#[test]
fn buildspec_and_image_count() {
    let contents = contents(&of_files());
    let own = keyed("auth", |_| {});
    let spec = &specs()["auth"];
    assert_ne!(own, key(spec, &contents, &KeyFacts { buildspec: "version: 0.2", ..FACTS }));
    assert_ne!(own, key(spec, &contents, &KeyFacts { build_image: "python:3.13", ..FACTS }));
    // What is appended to one is not taken from the other.
    let shifted = KeyFacts { buildspec: "version: 0.2\npython", build_image: ":3.12" };
    assert_ne!(own, key(spec, &contents, &shifted));
}

/// A service that reads these.
fn reading(reads: Reads) -> TaskSpec {
    // Planned once: what is planned is the same for every case.
    static AUTH: LazyLock<TaskSpec> = LazyLock::new(|| specs()["auth"].clone());
    let TaskSpec::Service(mut service) = AUTH.clone() else { unreachable!("a service") };
    service.reads = reads;
    service.test.as_mut().expect("tests").requirements = vec!["pinned/list.txt".parse().expect("a path")];
    TaskSpec::Service(service)
}

fn some_reads() -> impl Strategy<Value = Reads> {
    let path = "[ab](/[ab0-]{1,2}){0,2}|\\.";
    (prop::collection::vec(path, 0..4), prop::collection::vec(path, 0..3))
        .prop_map(|(paths, files_in)| Reads { paths, files_in })
}

fn some_files() -> impl Strategy<Value = Files> {
    let path = "[ab](/[ab0-]{1,2}){0,3}|[ab]/README.md|setup.cfg|README.md|[ab]/requirements.txt|a.txt|pinned/list.txt";
    prop::collection::btree_map(path, prop::collection::vec(any::<u8>(), 0..4), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn exactly_what_is_covered_moves_a_key(reads in some_reads(), files in some_files(), which in any::<prop::sample::Index>()) {
        let spec = reading(reads.clone());
        let path = files.keys().nth(which.index(files.len())).expect("a file").clone();
        let is_read = reads.covers(&path) || path == "pinned/list.txt";
        let before = key(&spec, &contents(&files), &FACTS);
        let mut edited = files.clone();
        edited.get_mut(&path).expect("the file").push(0);
        prop_assert_eq!(before != key(&spec, &contents(&edited), &FACTS), is_read, "edited {}", &path);
        let mut removed = files.clone();
        removed.remove(&path);
        prop_assert_eq!(before != key(&spec, &contents(&removed), &FACTS), is_read, "removed {}", &path);
    }

    #[test]
    fn the_order_of_files_does_not_matter(files in some_files(), reads in some_reads()) {
        let hashed = || files.iter().map(|(path, bytes)| (path.clone(), ContentHash::of(EntryKind::File, bytes)));
        let spec = reading(reads);
        let backwards: Vec<_> = hashed().collect();
        let forwards: Contents = hashed().collect();
        prop_assert_eq!(
            key(&spec, &forwards, &FACTS),
            key(&spec, &backwards.into_iter().rev().collect(), &FACTS)
        );
    }

    /// Few letters, so that the same text is often split differently.
    #[test]
    fn different_files_never_have_the_same_key(one in all_files(), other in all_files()) {
        let spec = reading(Reads { paths: vec![".".to_owned()], files_in: Vec::new() });
        let same = key(&spec, &contents(&one), &FACTS) == key(&spec, &contents(&other), &FACTS);
        prop_assert_eq!(same, one == other);
    }
}

fn all_files() -> impl Strategy<Value = Files> {
    prop::collection::btree_map("[ab]{1,2}", prop::collection::vec(97_u8..99, 0..3), 0..3)
}
