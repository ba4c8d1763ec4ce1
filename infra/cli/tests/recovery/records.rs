//! `down` and `status` where the record lies, is damaged, or is gone.

use std::fs;

use anyhow::ensure;
use local::{Process, Record};
use serde_json::json;
use tokio::process::Command;

use crate::support::{self, Folder, Held, forget, nothing_runs, slipway, state_dir};

async fn down(name: &str) -> anyhow::Result<String> {
    let down = slipway(&["local", "down", "--name", name]).await?;
    ensure!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
    Ok(String::from_utf8(down.stdout)?)
}

async fn status(name: &str) -> anyhow::Result<(Option<i32>, String)> {
    let status = slipway(&["local", "status", "--name", name]).await?;
    Ok((status.status.code(), String::from_utf8(status.stdout)?))
}

#[tokio::test]
async fn a_running_cloud_with_a_damaged_record_is_ended() -> anyhow::Result<()> {
    let functions = Folder::of_functions()?;
    let cloud = Held::up("damaged", &functions).await?;
    cloud.post_webhook().await?;
    let (traces, name) = (cloud.traces()?, cloud.name().to_owned());
    let file = state_dir(&name).join("cloud.json");
    let text = fs::read_to_string(&file)?;

    fs::write(&file, &text[..text.len() / 2])?;

    assert!(down(&name).await?.contains("is gone"));
    let (code, said) = cloud.ends().await?;
    assert!(code.is_some(), "{said}");
    traces.assert_gone().await?;
    forget(&name)
}

#[tokio::test]
async fn a_cloud_whose_folder_is_removed_ends() -> anyhow::Result<()> {
    let functions = Folder::of_functions()?;
    let cloud = Held::up("removed", &functions).await?;
    cloud.post_webhook().await?;
    let container = cloud.run_container().await?;
    let (traces, name) = (cloud.traces()?, cloud.name().to_owned());

    fs::remove_dir_all(state_dir(&name))?;
    down(&name).await?;

    let (code, said) = cloud.ends().await?;
    assert!(code.is_some(), "{said}");
    assert!(!container.exists().await);
    traces.assert_gone().await?;
    assert!(down(&name).await?.contains("no cloud"));
    Ok(())
}

/// A killed cloud whose record says less and less; a stranger's process is left alone.
#[tokio::test]
async fn what_a_record_says_of_a_killed_cloud_is_not_believed() -> anyhow::Result<()> {
    let functions = Folder::of_functions()?;
    let folder = functions.path().display().to_string();
    let name = support::unique("records");
    assert_eq!(status(&name).await?.0, Some(3), "there is nothing yet");
    let mut stranger = Command::new("sleep").arg("600").kill_on_drop(true).spawn()?;
    let id = stranger.id().unwrap_or_default();
    let started = Process::running(id).map_or(0, |process| process.started) - 1;
    let somebody_else = json!({ "process": { "id": id, "started": started } });
    let of_another_version = json!({ "version": 7, "holder": "?" }).to_string();
    for text in ["\0garbage", &of_another_version, &somebody_else.to_string(), "whole"] {
        let cloud = Held::again(&name, &["--port", "0", "--functions", &folder]).await?;
        assert_eq!(status(&name).await?.0, Some(0), "it is up");
        let container = cloud.run_container().await?;
        cloud.post_webhook().await?;
        let traces = cloud.traces()?;
        cloud.kill().await?;
        let file = state_dir(&name).join("cloud.json");
        if text == "whole" {
            let mut record = serde_json::to_value(Record::read(&state_dir(&name))?)?;
            record["process"] = somebody_else["process"].clone();
            record["ministack"] = somebody_else["process"].clone();
            fs::write(&file, record.to_string())?;
        } else {
            fs::write(&file, text)?;
        }
        let (code, said) = status(&name).await?;
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("was killed and left"), "`{text}`: {said}");
        assert!(said.contains(&format!("`slipway local down --name {name}` clears it away")), "{said}");

        assert!(down(&name).await?.contains("is gone"), "`{text}`");

        assert!(!container.exists().await, "`{text}`");
        traces.assert_gone().await?;
        assert!(status(&name).await?.1.contains("no cloud"));
    }
    assert!(stranger.try_wait()?.is_none(), "the process of somebody else was ended");
    nothing_runs(&name)?;
    forget(&name)
}
