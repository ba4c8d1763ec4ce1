//! The slipway command, asked about a story's cloud.

use local::Options;
use tokio::process::Command;

use crate::programs;
use crate::world::World;

/// What the command said.
pub(super) struct Said {
    pub(super) good: bool,
    pub(super) out: String,
    pub(super) error: String,
}

/// `slipway` with these arguments and this editor.
pub(super) async fn slipway(world: &World<'_>, arguments: &[&str], editor: &str) -> anyhow::Result<Said> {
    let program = Options::new(&local::workspace(), &world.record.name).functions_dir.join("slipway");
    programs::current(&program)?;
    let mut command = Command::new(program);
    command.args(arguments).args(["--name", &world.record.name]);
    let output = command.env_remove("VISUAL").env("EDITOR", editor).kill_on_drop(true).output().await?;
    Ok(Said {
        good: output.status.success(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        error: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
