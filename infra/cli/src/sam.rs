//! `slipway local sam`: prepares the SAM CLI for a cloud that is up, and `slipway local loopback`, which brings that
//! cloud's ports into SAM's containers.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use local::{Options, sam};

use crate::local_cloud::Which;
use crate::output;

/// The repository whose commit the example events speak of.
const REPOSITORY: &str = "vive-sphere/bot-manager";

#[derive(Args)]
pub(crate) struct Sam {
    #[command(flatten)]
    which: Which,
    /// Hold the cloud's own functions back: nothing happens but what is invoked by hand.
    #[arg(long, conflicts_with = "release")]
    hold: bool,
    /// Let the cloud's own functions go again.
    #[arg(long)]
    release: bool,
}

#[derive(Args)]
pub(crate) struct Loopback {
    /// The folder of the sockets.
    folder: PathBuf,
    /// The command and its arguments.
    #[arg(trailing_var_arg = true, required = true)]
    command: Vec<OsString>,
}

/// Prepares everything and prints what a shell is to evaluate: `eval "$(slipway local sam)"`.
pub(crate) async fn run(arguments: Sam) -> anyhow::Result<ExitCode> {
    let options = Options::new(&local::workspace(), &arguments.which.name);
    let (record, prepared) = sam::prepare(&options, &output::progress).await?;
    let commit = sam::plant_commit(&options, REPOSITORY).await?;
    if arguments.hold || arguments.release {
        sam::hold(&record, arguments.hold).await?;
    }
    output::progress(&format!("events/ speak of commit {} of {REPOSITORY}, which is there", commit.short()));
    output::progress(match (arguments.hold, arguments.release) {
        (true, _) => "the cloud's own functions are held back; `slipway local sam --release` lets them go",
        (_, true) => "the cloud's own functions are at work again",
        _ => "the cloud's own functions are at work too; `--hold` holds them back",
    });
    let folder = local::workspace().join(".slipway/sam/bin");
    if !folder.join("sam").exists() {
        output::progress("the SAM CLI is not here yet: `sh infra/doctor.sh sam` installs it");
    }
    let mut exports = format!("export PATH={}:\"$PATH\"\n", quoted(&folder.display().to_string()));
    for (name, value) in prepared.variables {
        let _ = writeln!(exports, "export {name}={}", quoted(&value));
    }
    output::line(exports.trim_end());
    Ok(ExitCode::SUCCESS)
}

/// Runs a function inside a container and ends as it ends.
pub(crate) async fn loopback(arguments: Loopback) -> anyhow::Result<ExitCode> {
    let status = sam::inside(&arguments.folder, &arguments.command).await?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_a_value_as_it_is() {
        for (text, word) in [("/srv/my cloud", "'/srv/my cloud'"), ("it's $HOME", r"'it'\''s $HOME'")] {
            assert_eq!(quoted(text), word);
        }
    }
}
