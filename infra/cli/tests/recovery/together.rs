//! Commands for the same cloud at the same time.

use std::time::Duration;

use anyhow::ensure;
use local::Phase;
use tokio::time::interval;

use crate::support::{Folder, Held, slipway};

#[tokio::test]
async fn two_downs_and_an_up_at_the_same_time() -> anyhow::Result<()> {
    let functions = Folder::of_functions()?;
    let folder = functions.path().display().to_string();
    let cloud = Held::up("together", &functions).await?;
    cloud.post_webhook().await?;
    let (traces, name) = (cloud.traces()?, cloud.name().to_owned());
    let arguments = ["--port", "0", "--functions", &folder];
    let (code, said) = Held::begin(&name, &arguments)?.ends().await?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("`slipway local down --name {name}` ends it")), "{said}");

    let down = ["local", "down", "--name", &name];
    let (one, other) = tokio::try_join!(slipway(&down), slipway(&down))?;
    for down in [one, other] {
        ensure!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
    }
    traces.assert_gone().await?;
    let (code, said) = cloud.ends().await?;
    assert_eq!(code, Some(0), "{said}");

    // A start that meets a cloud on its way out waits for its end.
    let cloud = Held::again(&name, &arguments).await?;
    let mut ticks = interval(Duration::from_millis(5));
    let again = async {
        while cloud.record().is_ok_and(|record| record.phase != Phase::Ending) {
            ticks.tick().await;
        }
        Held::again(&name, &arguments).await
    };
    let (down, next) = tokio::try_join!(slipway(&down), again)?;
    ensure!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
    assert_eq!(next.post_webhook().await?, format!("hello from {name}-webhook"));
    let (code, said) = cloud.ends().await?;
    assert_eq!(code, Some(0), "{said}");
    let traces = next.traces()?;
    next.end_in_order().await?;
    traces.assert_gone().await
}
