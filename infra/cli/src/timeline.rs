//! `slipway timeline`: the entries of a run's timeline, the oldest first.

use std::process::ExitCode;

use clap::Args;
use domain::ids::RunId;
use domain::ports::{Timeline as _, printable_reason};
use domain::timeline::Entry;
use serde_json::{Value, json};

use crate::output;
use crate::rerun::{picture, run_id, table, told};
use crate::stack::WhichStack;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The run: `owner/name@sha` with all 40 digits of the SHA, or its id as check runs and logs show it.
    #[arg(value_parser = run_id)]
    run: RunId,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stack: WhichStack,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let store = table(&arguments.stack.open().await?).await?;
    let entries = store.timeline(&arguments.run).await.map_err(|fault| told(&fault))?;
    if entries.is_empty() {
        // A run that nobody knows has no entries either.
        picture(&store, &arguments.run).await?;
    }
    if arguments.json {
        let entries: Vec<Value> = entries.iter().map(as_json).collect();
        output::line(&format!("{:#}", Value::Array(entries)));
    } else if entries.is_empty() {
        output::line("nothing: nobody asked for anything, and the machinery needed no help");
    } else {
        for entry in &entries {
            output::line(&as_line(entry));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn as_line(entry: &Entry) -> String {
    format!("{}  {}  {}", entry.at.rfc3339(), printable_reason(&entry.by), printable_reason(&entry.what))
}

fn as_json(entry: &Entry) -> Value {
    json!({
        "key": entry.key,
        "at": entry.at.rfc3339(),
        "by": printable_reason(&entry.by),
        "what": printable_reason(&entry.what),
    })
}
