//! The one-machine cloud as a person uses it: two at a time, ended in order, killed, and taken down after that.
//!
//! The functions are shell scripts that speak the Lambda runtime's protocol, so that nothing has to be compiled
//! for them and their answers can be changed.

mod recovery;
mod support;

use support::{Folder, Held, status_code};

#[tokio::test]
async fn two_clouds_run_side_by_side_and_leave_nothing() -> anyhow::Result<()> {
    let functions = Folder::of_functions()?;
    let (one, other) = tokio::try_join!(Held::up("one", &functions), Held::up("other", &functions))?;

    for cloud in [&one, &other] {
        let answer = cloud.post_webhook().await?;
        assert_eq!(answer, format!("hello from {}-webhook", cloud.name()));
        let record = cloud.record()?;
        assert_eq!(status_code(&record.github_url()).await?, 200);
        assert_eq!(status_code(&record.slack_url()).await?, 200);
    }
    assert_ne!(one.record()?.ports, other.record()?.ports);

    let (traces_of_one, traces_of_other) = (one.traces()?, other.traces()?);
    one.end_in_order().await?;
    traces_of_one.assert_gone().await?;
    assert_eq!(status_code(&other.record()?.github_url()).await?, 200, "the other cloud stays");
    other.end_in_order().await?;
    traces_of_other.assert_gone().await
}

#[tokio::test]
async fn a_killed_cloud_is_cleared_away() -> anyhow::Result<()> {
    let functions = Folder::of_functions()?;
    let cloud = Held::up("killed", &functions).await?;
    cloud.post_webhook().await?;
    let container = cloud.run_container().await?;
    let traces = cloud.traces()?;
    let name = cloud.name().to_owned();

    cloud.kill().await?;
    assert!(container.exists().await, "nobody could have removed it yet");
    let refused = support::slipway(&["local", "status", "--name", &name]).await?;
    assert_eq!(refused.status.code(), Some(3));
    let down = support::slipway(&["local", "down", "--name", &name]).await?;

    assert!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
    assert!(!container.exists().await);
    traces.assert_gone().await?;
    let again = support::slipway(&["local", "down", "--name", &name]).await?;
    assert!(String::from_utf8_lossy(&again.stdout).contains("no cloud"));
    support::forget(&name)
}

#[tokio::test]
async fn what_cannot_start_says_why_and_leaves_nothing() -> anyhow::Result<()> {
    let name = support::unique("empty");
    let nothing = Folder::empty()?;
    let folder = nothing.path().display().to_string();

    let refused =
        support::slipway(&["local", "up", "--name", &name, "--port", "0", "--functions", &folder]).await?;

    assert_eq!(refused.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&refused.stderr);
    assert!(complaint.contains("`make build` builds it"), "{complaint}");
    assert!(local::Record::read(&support::state_dir(&name))?.is_none());
    support::forget(&name)
}

#[tokio::test]
async fn a_cloud_cannot_be_called_like_a_folder_of_tools() -> anyhow::Result<()> {
    for name in ["engine", "images", "sam", "venv"] {
        let refused = support::slipway(&["local", "up", "--name", name]).await?;
        assert_eq!(refused.status.code(), Some(2));
        let complaint = String::from_utf8_lossy(&refused.stderr);
        assert!(complaint.contains("take another name"), "{complaint}");
    }
    Ok(())
}
