//! A body that a person changed: read from a file, or from an editor, and checked by the very parser of its queue.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write, stdin};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use domain::message::{QueueName, parse_message};

use super::letters::Letter;
use super::show;

/// The content of a file, or of standard input for `-`.
pub(super) fn given(file: &str, queue: QueueName) -> anyhow::Result<String> {
    let text = if file == "-" {
        let mut text = String::new();
        stdin().read_to_string(&mut text).context("reading standard input")?;
        text
    } else {
        fs::read_to_string(file).with_context(|| format!("reading `{file}`"))?
    };
    checked(&text, queue).with_context(|| format!("the body from `{file}` was not sent"))
}

/// What a person makes of a letter's body in the editor of `VISUAL` or `EDITOR`.
pub(super) fn edited(letter: &Letter, queue: QueueName) -> anyhow::Result<String> {
    let path = beside(letter)?;
    let before = show::pretty(&letter.body);
    write(&path, &before)?;
    let editor =
        ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok().filter(|text| !text.is_empty()));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    // By way of the shell, as git does it: the variable may hold arguments.
    let status = Command::new("sh").args(["-c", &format!("{editor} \"$@\""), &editor]).arg(&path).status();
    let status = status.with_context(|| format!("starting the editor `{editor}`"))?;
    ensure!(status.success(), "the editor `{editor}` ended with {status}; nothing was sent");
    let after = fs::read_to_string(&path)?;
    if after == before {
        fs::remove_file(&path)?;
        bail!("the body was not changed; nothing was sent");
    }
    let checked = checked(&after, queue).with_context(|| {
        let path = path.display();
        format!("nothing was sent; what you wrote is kept: `slipway dlq redrive {} --body {path}`", letter.id)
    })?;
    fs::remove_file(&path)?;
    Ok(checked)
}

fn checked(text: &str, queue: QueueName) -> anyhow::Result<String> {
    let text = text.trim();
    parse_message(text, queue)?;
    Ok(text.to_owned())
}

/// A file of the letter's own, which nobody else reads.
fn beside(letter: &Letter) -> anyhow::Result<PathBuf> {
    let name: String =
        letter.id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(80).collect();
    let folder = std::env::temp_dir();
    for number in 0..100 {
        let path = folder.join(format!("slipway-{name}-{number}.json"));
        if !path.exists() {
            return Ok(path);
        }
    }
    bail!("`{}` holds a hundred edited bodies of this message; remove some", folder.display())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("writing `{}`", path.display()))?;
    Ok(file.write_all(text.as_bytes())?)
}
