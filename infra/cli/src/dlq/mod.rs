//! `slipway dlq`: messages that were set aside, for people to read, mend, send again or drop.

mod body;
mod letters;
mod show;

use std::io::{BufRead, IsTerminal, stdin};
use std::process::ExitCode;

use anyhow::{bail, ensure};
use clap::{Args, Subcommand};
use domain::message::parse_message;
use domain::time::Timestamp;

use crate::output;
use crate::stack::WhichStack;
use letters::{Letter, Letters};

/// Every command looks into all queues unless one is named.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// What lies in the dead-letter queues, and why.
    List(List),
    /// Everything about one message.
    Show(Show),
    /// Send messages to the queues they came from, then take them out; a crash in between sends one twice.
    Redrive(Redrive),
    /// Take messages out for good; what is dropped is printed, so that it can be sent again.
    Drop(Drop),
}

#[derive(Args)]
struct Place {
    #[command(flatten)]
    stack: WhichStack,
    /// Only the dead letters of this function: plan, test, build, publish, deploy, verify, notify or sweep.
    #[arg(long, value_name = "FUNCTION", value_parser = letters::FUNCTIONS)]
    queue: Option<String>,
}

impl Place {
    async fn open(&self) -> anyhow::Result<Letters> {
        Letters::of(self.stack.open().await?, self.queue.as_deref()).await
    }
}

#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Show {
    /// The message's id, or its beginning.
    id: String,
    #[command(flatten)]
    place: Place,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// One message, or all of them.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Chosen {
    /// The message's id, or its beginning.
    id: Option<String>,
    /// All messages.
    #[arg(long)]
    all: bool,
}

#[derive(Args)]
pub(crate) struct Redrive {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    place: Place,
    /// Change the body in $VISUAL or $EDITOR first.
    #[arg(long, conflicts_with_all = ["all", "body"])]
    edit: bool,
    /// Send this file's content instead; `-` reads standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    body: Option<String>,
    /// Send also what this version of Slipway cannot read.
    #[arg(long, conflicts_with_all = ["edit", "body"])]
    unchecked: bool,
}

#[derive(Args)]
pub(crate) struct Drop {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    place: Place,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(list) => {
            let seen = list.place.open().await?.look().await?;
            show::list(&seen, list.json, Timestamp::now());
            Ok(ExitCode::SUCCESS)
        }
        Command::Show(show) => {
            let letter = show.place.open().await?.find(&show.id).await?;
            show::letter(&letter, show.json, Timestamp::now());
            Ok(ExitCode::SUCCESS)
        }
        Command::Redrive(redrive) => redrive.run().await,
        Command::Drop(drop) => drop.run().await,
    }
}

impl Redrive {
    async fn run(&self) -> anyhow::Result<ExitCode> {
        let letters = self.place.open().await?;
        let Some(id) = &self.chosen.id else { return self.all(&letters).await };
        let letter = letters.find(id).await?;
        let queue = letter.source()?;
        let changed = match &self.body {
            Some(file) => Some(body::given(file, queue)?),
            None if self.edit => Some(body::edited(&letter, queue)?),
            None => None,
        };
        let body = changed.as_ref().unwrap_or(&letter.body);
        if !self.unchecked {
            parse_message(body, queue).map_err(|unreadable| unreadable_as_it_is(&letter, &unreadable))?;
        }
        // Taken anew: while somebody edited, the queue gave it back and somebody else may have had it.
        let letter = letters.take(&letter.id).await?;
        letters.redrive(&letter, body).await?;
        output::line(&format!("{} is on the `{}` queue again", letter.id, queue.function()));
        Ok(ExitCode::SUCCESS)
    }

    async fn all(&self, letters: &Letters) -> anyhow::Result<ExitCode> {
        let (mut sent, mut left) = (0, Vec::new());
        for letter in letters.take_all().await? {
            let readable = letter.source().and_then(|queue| {
                let read = parse_message(&letter.body, queue);
                if self.unchecked { Ok(()) } else { read.map(|_| ()).map_err(anyhow::Error::from) }
            });
            match readable {
                Ok(()) => {
                    letters.redrive(&letter, &letter.body).await?;
                    sent += 1;
                }
                Err(error) => {
                    output::progress(&format!("{} stays in `{}`: {error}", letter.id, letter.function));
                    left.push(letter);
                }
            }
        }
        letters.give_back(&left).await;
        output::line(&format!("{sent} sent again, {} left", left.len()));
        Ok(if left.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn unreadable_as_it_is(letter: &Letter, unreadable: &impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!(
        "{unreadable}; `slipway dlq redrive {} --edit` lets you change it, `--unchecked` sends it nevertheless",
        letter.id
    )
}

impl Drop {
    async fn run(&self) -> anyhow::Result<ExitCode> {
        let letters = self.place.open().await?;
        if !self.yes {
            ensure!(stdin().is_terminal(), "nobody can be asked here; `--yes` drops without a question");
            let count = match &self.chosen.id {
                Some(id) => {
                    letters.find(id).await.map(|letter| format!("{} of `{}`", letter.id, letter.function))?
                }
                None => format!(
                    "all {} messages",
                    letters.look().await?.iter().map(|seen| seen.letters.len()).sum::<usize>()
                ),
            };
            output::progress(&format!("drop {count}? [y/N]"));
            let answer = stdin().lock().lines().next().transpose()?.unwrap_or_default();
            if !matches!(answer.trim(), "y" | "Y" | "yes") {
                bail!("nothing was dropped");
            }
        }
        let taken = match &self.chosen.id {
            Some(id) => vec![letters.take(&letters.find(id).await?.id).await?],
            None => letters.take_all().await?,
        };
        for letter in &taken {
            // Said before it is done: whatever happens then, the body is not lost.
            output::line(&show::restorable(letter));
            letters.delete(letter).await?;
        }
        output::progress(&format!(
            "{} dropped; each line above is what `redrive` would have sent",
            taken.len()
        ));
        Ok(ExitCode::SUCCESS)
    }
}
