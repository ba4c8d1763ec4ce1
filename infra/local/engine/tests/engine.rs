//! A real engine: found or started, cleaned by label, and ended without a trace.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use local_engine::{Engine, images, no_progress};

fn state_dir(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("slipway-engine-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

/// The base images' files are kept between test runs: making them takes most of a minute.
fn cache_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../.slipway/images")
}

#[tokio::test]
async fn everything_with_the_label_goes_and_nothing_else() {
    let folder = state_dir("label");
    let engine = Engine::find_or_start(&folder, &no_progress).await.expect("an engine");
    let own = format!("slipway.cloud=engine-test-{}", std::process::id());
    let other = format!("{own}-other");
    let name = |kind: &str| format!("slipway-engine-test-{}-{kind}", std::process::id());
    engine.output(&["network", "create", "--label", &own, &name("net")]).await.expect("a network");
    engine.output(&["volume", "create", "--label", &own, &name("vol")]).await.expect("a volume");
    engine.output(&["volume", "create", "--label", &other, &name("kept")]).await.expect("another volume");

    engine.remove_labelled(&own).await.expect("removed");
    engine.remove_labelled(&own).await.expect("removing nothing is fine");

    let label = format!("label={own}");
    let networks = engine.output(&["network", "ls", "--quiet", "--filter", &label]).await.expect("networks");
    let volumes = engine.output(&["volume", "ls", "--quiet", "--filter", &label]).await.expect("volumes");
    assert_eq!((networks.as_str(), volumes.as_str()), ("", ""));
    let kept = engine.output(&["volume", "ls", "--quiet", "--filter", &format!("label={other}")]).await;
    assert_eq!(kept.expect("volumes"), name("kept"));
    engine.remove_labelled(&other).await.expect("removed");
    engine.stop().await.expect("stopped");
    std::fs::remove_dir_all(folder).expect("nothing is mounted there any more");
}

#[tokio::test]
async fn the_base_images_run_python_and_pip_and_are_made_only_once() {
    let folder = state_dir("images");
    let engine = Engine::find_or_start(&folder, &no_progress).await.expect("an engine");
    let python = images::ensure_python(&engine, &cache_dir(), &no_progress).await.expect("a base image");
    let build = images::ensure_build(&engine, &cache_dir(), &no_progress).await.expect("a build image");

    let answer =
        engine.output(&["run", "--rm", python, "sh", "-c", "python --version && pip --version"]).await;
    let answer = answer.expect("it runs");
    assert!(answer.starts_with("Python 3.") && answer.contains("\npip "), "{answer}");
    let tools = "git --version && curl --version && zip -v && unzip -v && docker --version";
    engine.output(&["run", "--rm", build, "sh", "-c", tools]).await.expect("the tools are there");

    let said = Mutex::new(Vec::new());
    let progress = |line: &str| said.lock().expect("nobody panicked").push(line.to_owned());
    images::ensure_build(&engine, &cache_dir(), &progress).await.expect("still there");
    assert_eq!(
        *said.lock().expect("nobody panicked"),
        Vec::<String>::new(),
        "the second time nothing is done"
    );
    engine.stop().await.expect("stopped");
    std::fs::remove_dir_all(folder).expect("nothing is mounted there any more");
}

/// Where the machine lets nobody start an engine there is nothing to test.
fn can_start() -> bool {
    let root =
        std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    root && Path::new("/usr/sbin/dockerd").exists()
}

#[tokio::test]
async fn a_private_engine_is_found_again_and_ends_without_a_trace() {
    if !can_start() {
        return;
    }
    let folder = state_dir("private");
    let engine = Engine::start_private(&folder).await.expect("a private engine");
    assert!(engine.is_private());
    let network = format!("slipway-private-{}", std::process::id());
    engine.output(&["network", "create", &network]).await.expect("a network");

    let again = Engine::left_over(&folder).await.expect("looked for").expect("found by its pid file");
    assert_eq!(again.host(), engine.host());
    again.stop().await.expect("stopped");

    assert!(engine.version().await.is_err(), "nothing answers any more");
    assert_no_trace(&folder);
    assert!(Engine::left_over(&folder).await.expect("looked for").is_none());
    std::fs::remove_dir_all(&folder).expect("nothing is mounted there any more");
}

#[tokio::test]
async fn the_remains_of_a_killed_engine_are_cleared_away() {
    if !can_start() {
        return;
    }
    let folder = state_dir("killed");
    let engine = Engine::start_private(&folder).await.expect("a private engine");
    let pid = std::fs::read_to_string(folder.join("engine/docker.pid")).expect("its pid file");
    let kill = format!("kill -KILL {}", pid.trim());
    std::process::Command::new("sh").args(["-c", &kill]).status().expect("killed");
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while engine.version().await.is_ok() {
        assert!(std::time::Instant::now() < deadline, "it still answers");
    }

    assert!(Engine::left_over(&folder).await.expect("cleared away").is_none());
    assert_no_trace(&folder);
    std::fs::remove_dir_all(&folder).expect("nothing is mounted there any more");
}

fn assert_no_trace(folder: &Path) {
    let path = folder.to_str().expect("a plain path");
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
    assert!(!mounts.contains(path), "a mount stayed:\n{mounts}");
    for entry in std::fs::read_dir("/proc").expect("processes").flatten() {
        let line = std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        assert!(!line.contains(path), "a process stayed: {}", line.replace('\0', " "));
    }
}
