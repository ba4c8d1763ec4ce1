//! `slipway validate` as a person calls it: on folders and files, without any cloud.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use insta::assert_snapshot;

const PIPELINE_FILE: &str = "infrastructure/ci_cd/pipeline.yaml";

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder =
            Self(std::env::temp_dir().join(format!("slipway-validate-{}-{number}", std::process::id())));
        fs::create_dir_all(&folder.0).expect("a folder");
        for (path, content) in files {
            folder.write(path, content.as_bytes());
        }
        folder
    }

    fn write(&self, path: &str, content: &[u8]) {
        let file = self.0.join(path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
        fs::write(file, content).expect("a file");
    }

    /// The exit code, and what was printed.
    fn slipway(&self, arguments: &[&str]) -> (i32, String) {
        slipway(&self.0, arguments)
    }

    fn git(&self, arguments: &[&str]) {
        let status = Command::new("git").arg("-C").arg(&self.0).args(arguments).status().expect("git");
        assert!(status.success(), "git {arguments:?}");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the temporary folder harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn slipway(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_slipway"))
        .arg("validate")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        // A folder below another repository's must not be taken for a part of it.
        .env("GIT_CEILING_DIRECTORIES", std::env::temp_dir())
        .output()
        .expect("the command runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("an exit code"), String::from_utf8(text).expect("text"))
}

const SERVICE: &[(&str, &str)] = &[
    ("backend/chat/Dockerfile", ""),
    ("backend/chat/tests/test_chat.py", ""),
    ("infrastructure/kubernetes/chat-deployment.yaml", ""),
];

#[test]
fn what_would_run_is_shown() {
    let folder = Folder::new(SERVICE);
    let (code, text) = folder.slipway(&[]);
    assert_eq!(code, 0, "{text}");
    assert_snapshot!(text, @"
    `.` is good. A push would run:

      chat
        test     pytest backend/chat/tests/ -v --cov=backend/chat (coverage at least 80 %)
        reads    backend/chat; the files directly in ., backend
        build    vive-sphere/chat from backend/chat/Dockerfile
        deploy   infrastructure/kubernetes/chat-deployment.yaml
        verify   chat:8000/api/v1/chat/health

      checks
        flake8   backend/
        bandit   backend/
        reads    backend; the files directly in .

      notes
        there is no `infrastructure/ci_cd/pipeline.yaml`: the convention decides
        services by convention: `chat`
        no integration tests: there is no `integration_tests/`
    ");
}

#[test]
fn what_the_file_sets_is_shown() {
    let folder = Folder::new(SERVICE);
    folder.write("libs/auth/auth.py", b"");
    folder.write("integration_tests/test_all.py", b"");
    let file = r"version: 1
max_parallel_builds: 4
older_runs: cancel
libraries: {auth: {path: libs/auth}}
services:
  chat:
    depends_on: [auth]
    test:
      not_below_base: true
      retries: 2
      timeout: 20
      image: public.ecr.aws/docker/library/python:3.12
      compute: large
      environment: {MODE: test}
      secrets: {PYPI_TOKEN: pypi}
      reports: [out/extra.xml]
integration: {services: [{name: chat, start: python -m chat, port: 8000}]}
checks: {severity: high, command: make lint}
";
    folder.write(PIPELINE_FILE, file.as_bytes());
    let (code, text) = folder.slipway(&[]);
    assert_eq!(code, 0, "{text}");
    assert_snapshot!(text, @"
    `infrastructure/ci_cd/pipeline.yaml` is good. A push would run:

      chat
        test     pytest backend/chat/tests/ -v --cov=backend/chat (coverage at least 80 %, and not below the base's)
        reads    backend/chat, libs/auth; the files directly in ., backend, libs
        reports  out/extra.xml
        runs in  public.ecr.aws/docker/library/python:3.12; a large machine; at most 20 minutes; a failed test is tried 2 more times; variables MODE; secrets PYPI_TOKEN
        build    vive-sphere/chat from backend/chat/Dockerfile
        deploy   infrastructure/kubernetes/chat-deployment.yaml
        verify   chat:8000/api/v1/chat/health

      checks
        flake8   backend/
        bandit   backend/
        command  make lint
        fails    from high severity on
        reads    everything

      integration
        starts   chat: python -m chat (ready at port 8000, /api/v1/chat/health)
        test     pytest integration_tests/ -v
        reads    backend/chat, integration_tests, libs/auth; the files directly in ., backend, libs

      run
        at most 4 test builds at a time
        an older run of a delivering branch is cancelled before its rollout
    ");
}

#[test]
fn services_that_share_a_build_are_shown() {
    let folder = Folder::new(SERVICE);
    let file = "version: 1
services:
  chat:
  fleet: {path: backend/chat, manifests: [infrastructure/kubernetes/chat-deployment.yaml]}
shared_builds: [[chat, fleet]]
";
    folder.write(PIPELINE_FILE, file.as_bytes());
    let (code, text) = folder.slipway(&[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("  run\n    in one build: chat, fleet\n"), "{text}");
}

#[test]
fn what_is_rendered_is_shown_for_an_environment() {
    let folder = Folder::new(SERVICE);
    let file = "version: 1
services:
  chat:
    kustomize: k8s/{environment}
    values: {staging: {replicas: 2}}
  fleet: {path: backend/chat, helm: {chart: charts/fleet, values: ['charts/{environment}.yaml']}}
";
    folder.write(PIPELINE_FILE, file.as_bytes());
    for path in ["k8s/staging/kustomization.yaml", "charts/fleet/Chart.yaml", "charts/staging.yaml"] {
        folder.write(path, b"");
    }
    let (code, text) = folder.slipway(&["--environment", "staging"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("    deploy   what Kustomize makes of k8s/staging\n    values   replicas\n"),
        "{text}"
    );
    let of_helm = "    deploy   what Helm makes of charts/fleet, as release fleet with charts/staging.yaml\n";
    assert!(text.contains(of_helm), "{text}");
    let (code, text) = folder.slipway(&[]);
    assert!(code == 0 && text.contains("what Kustomize makes of k8s/{environment}"), "{text}");
    let (code, text) = folder.slipway(&["--environment", "production"]);
    assert_eq!((code, text.matches("is not in the commit").count()), (1, 2), "{text}");
}

#[test]
fn every_problem_is_shown_with_its_line() {
    let folder = Folder::new(SERVICE);
    let file = "version: 1\nservices:\n  chat: {dockerfile: backend/chat/Dokerfile}\n  search:\n    \
                test: {covrage: \"80\"} # \u{202e}08\n    health: /health\nchecks:\n  flake8: [docs]\n";
    folder.write(PIPELINE_FILE, file.as_bytes());
    let (code, text) = folder.slipway(&["."]);
    assert_eq!(code, 1, "{text}");
    assert_snapshot!(text, @r#"
    infrastructure/ci_cd/pipeline.yaml:3:22: service `chat`: `backend/chat/Dokerfile` is not in the commit; did you mean `backend/chat/Dockerfile`? add it, or name another with `services.chat.dockerfile` in `infrastructure/ci_cd/pipeline.yaml`
         3 |   chat: {dockerfile: backend/chat/Dokerfile}
           |                      ^^^^^^^^^^^^^^^^^^^^^^
    infrastructure/ci_cd/pipeline.yaml:5:12: unknown field `covrage`; did you mean `coverage`? allowed: `command`, `coverage`, `not_below_base`, `reports`, `retries`, `environment`, `secrets`, `image`, `compute`, `timeout`
         5 |     test: {covrage: "80"} #  08
           |            ^^^^^^^
    infrastructure/ci_cd/pipeline.yaml:6:13: expected a mapping (`key: value`), found the text `/health`; allowed keys: `path`, `service`, `port`; `none` is allowed too
         6 |     health: /health
           |             ^^^^^^^
    infrastructure/ci_cd/pipeline.yaml:8:12: `docs` is not in the commit; take it from `checks.flake8` or add it
         8 |   flake8: [docs]
           |            ^^^^

    4 problems
    "#);
    // The same from within, and by the file's own name.
    assert_eq!(folder.slipway(&[PIPELINE_FILE]), (1, text.clone()));
    let (code, inside) = slipway(&folder.0.join("infrastructure/ci_cd"), &["pipeline.yaml"]);
    assert_eq!((code, inside.matches('^').count()), (1, text.matches('^').count()), "{inside}");
}

#[test]
fn programs_read_json() {
    let folder = Folder::new(SERVICE);
    let read = |arguments: &[&str]| {
        let (code, text) = folder.slipway(arguments);
        (code, serde_json::from_str::<serde_json::Value>(&text).expect("JSON"))
    };
    let (code, good) = read(&["--json"]);
    assert_eq!((code, &good["valid"]), (0, &true.into()));
    assert_eq!(good["plan"]["services"][0]["name"], "chat");
    folder.write(PIPELINE_FILE, b"version: 1\nchecks: {flake9: []}\n");
    let (code, bad) = read(&["--json"]);
    assert_eq!((code, &bad["valid"], &bad["plan"]), (1, &false.into(), &serde_json::Value::Null));
    let problem = &bad["problems"][0];
    assert_eq!(
        (&problem["path"], &problem["line"], &problem["column"]),
        (&PIPELINE_FILE.into(), &2.into(), &10.into())
    );
}

#[test]
fn a_commit_would_hold_what_git_would_add() {
    let folder = Folder::new(SERVICE);
    folder.git(&["init", "--quiet"]);
    folder.write(".gitignore", b"*-deployment.yaml\n");
    let (code, text) = folder.slipway(&[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("`infrastructure/kubernetes/chat-deployment.yaml` is not in the commit"), "{text}");
    folder.git(&["add", "--force", "infrastructure"]);
    assert_eq!(folder.slipway(&[]).0, 0);
    fs::remove_file(folder.0.join("infrastructure/kubernetes/chat-deployment.yaml")).expect("removed");
    assert_eq!(folder.slipway(&[]).0, 1);
}

#[test]
fn an_operators_file_is_recognised() {
    let folder = Folder::new(&[]);
    let file = "version: 1\nrepositories:\n  - {name: a/b, installation: 7, environments: [dev, stagin]}\n\
                environments:\n  dev: {branches: [main], cluster: {kubeconfig: true}, namespace: dev}\n  \
                staging: {branches: [next], cluster: {kubeconfig: true}, namespace: staging}\n";
    folder.write("bad.yaml", file.as_bytes());
    folder.write("good.yaml", file.replace("stagin]", "staging]").as_bytes());
    folder.write("other.yaml", b"version: 1\n");
    let told = [
        &["good.yaml"][..],
        &["bad.yaml"],
        &["other.yaml"],
        &["--operator", "other.yaml"],
        &["missing.yaml"],
    ]
    .map(|arguments| {
        let (code, text) = folder.slipway(arguments);
        format!("{arguments:?} {code}\n{text}")
    });
    assert_snapshot!(told.join("\n"), @r#"
    ["good.yaml"] 0

    `good.yaml` is good. The stack would serve:

      a/b
        installation 7
        main to dev, namespace dev
        next to staging, namespace staging

    ["bad.yaml"] 1
    bad.yaml:3:54: environment `stagin` is not defined; did you mean `staging`? defined under `environments`: `dev`, `staging`
         3 |   - {name: a/b, installation: 7, environments: [dev, stagin]}
           |                                                      ^^^^^^

    1 problem

    ["other.yaml"] 0

    `other.yaml` is a good pipeline file.
        It lies in no repository, so nothing was held against files: name a repository's folder.

    ["--operator", "other.yaml"] 1
    other.yaml:1:1: the field `repositories` is missing: it must be a list; each item is a mapping (`key: value`)
         1 | version: 1
           | ^^^^^^^
    other.yaml:1:1: the field `environments` is missing: it must be a mapping (`key: value`)
         1 | version: 1
           | ^^^^^^^

    2 problems

    ["missing.yaml"] 1
    error: `missing.yaml` cannot be read: No such file or directory (os error 2)
    "#);
}

#[test]
fn hostile_files_are_refused() {
    let folder = Folder::new(SERVICE);
    for (content, expected) in [
        (vec![b'x'; 300_000], "more than the 262144 bytes"),
        (b"version: 1\n\xff".to_vec(), "pipeline.yaml:2:1: this byte is not UTF-8"),
        (format!("a: {}", "[".repeat(100_000)).into_bytes(), "deeper than 24 levels"),
        (b"version: 1\n\x1b[31mred: 1".to_vec(), "pipeline.yaml:2:1: this is not YAML"),
        (b"version: 1\n\"\\e[31mred\": 1".to_vec(), "pipeline.yaml:2:1: unknown field `red`"),
    ] {
        folder.write(PIPELINE_FILE, &content);
        let (code, text) = folder.slipway(&[]);
        assert_eq!(code, 1);
        assert!(text.contains(expected), "{text}");
        assert!(text.len() < 1000 && !text.contains('\u{1b}'), "{text:?}");
    }
}

#[test]
fn whoever_stops_reading_causes_no_panic() {
    let folder = Folder::new(&[("backend/bots/Dockerfile", "FROM scratch\n")]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_slipway"))
        .args(["validate", folder.0.to_str().expect("a path")])
        .stdout(writer)
        .output()
        .expect("the command runs");
    assert!(output.status.code().is_some_and(|code| code < 2), "{:?}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
