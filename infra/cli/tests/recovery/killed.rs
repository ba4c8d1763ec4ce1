//! A start that is killed at every step, and a local AWS that is killed.

use anyhow::ensure;

use crate::support::{self, Folder, Held, kill_process, nothing_runs};

/// How each step of a start is announced.
const STEPS: [&str; 5] = [
    "starting the local AWS",
    "starting GitHub, CodeBuild",
    "deploying template.yaml",
    "filling secrets",
    "the cloud is up",
];

#[tokio::test]
async fn a_start_may_be_killed_at_every_step() -> anyhow::Result<()> {
    let functions = Folder::of_functions()?;
    let folder = functions.path().display().to_string();
    let arguments = ["--port", "0", "--functions", &folder];
    let name = support::unique("steps");
    for (number, step) in STEPS.into_iter().enumerate() {
        let mut cloud = Held::begin(&name, &arguments)?;
        ensure!(cloud.says(|line| line.contains(step)).await?, "`{step}` is not said");
        cloud.kill().await?;
        // Every other time the next start has to clear up, while the local AWS may still be ending.
        if number % 2 == 0 {
            let down = support::slipway(&["local", "down", "--name", &name]).await?;
            ensure!(down.status.success(), "after `{step}`: {}", String::from_utf8_lossy(&down.stderr));
            nothing_runs(&name)?;
        }
    }
    let cloud = Held::again(&name, &arguments).await?;
    assert_eq!(cloud.post_webhook().await?, format!("hello from {name}-webhook"));
    let traces = cloud.traces()?;
    cloud.end_in_order().await?;
    traces.assert_gone().await
}

#[tokio::test]
async fn a_killed_local_aws_ends_the_cloud_and_the_next_one_works() -> anyhow::Result<()> {
    let functions = Folder::of_functions()?;
    let cloud = Held::up("aws", &functions).await?;
    cloud.post_webhook().await?;
    let container = cloud.run_container().await?;
    let (traces, name) = (cloud.traces()?, cloud.name().to_owned());

    kill_process(cloud.ministack()?.id).await?;
    let (code, said) = cloud.ends().await?;

    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the local AWS (process"), "{said}");
    assert!(said.contains(&format!("`slipway local up --name {name}` starts a new, empty one")), "{said}");
    assert!(!container.exists().await);
    traces.assert_gone().await?;
    let folder = functions.path().display().to_string();
    let again = Held::again(&name, &["--port", "0", "--functions", &folder]).await?;
    assert_eq!(again.post_webhook().await?, format!("hello from {name}-webhook"));
    let traces = again.traces()?;
    again.end_in_order().await?;
    traces.assert_gone().await
}
