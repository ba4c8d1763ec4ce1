//! Stories: small, each in a namespace of its own, many at a time.

use std::io::Write as _;
use std::pin::Pin;
use std::sync::Arc;

use futures::StreamExt as _;

use crate::lab::{Lab, Space};

/// How many run at a time in one cluster.
const AT_A_TIME: usize = 8;

/// What a story came to: nothing more to say, or why it was skipped.
pub type Told = anyhow::Result<Option<String>>;

type Running = Pin<Box<dyn Future<Output = Told>>>;

/// A story by its name.
pub struct Story {
    pub name: &'static str,
    /// Whether it wants nodes that run containers.
    needs_nodes: bool,
    run: Box<dyn FnOnce(Arc<Space>) -> Running>,
}

impl Story {
    pub fn new<F>(name: &'static str, run: fn(Arc<Space>) -> F) -> Self
    where
        F: Future<Output = Told> + 'static,
    {
        Self { name, needs_nodes: false, run: Box::new(move |space| Box::pin(run(space))) }
    }

    /// One that is told only where there are real nodes.
    pub fn of_nodes<F>(name: &'static str, run: fn(Arc<Space>) -> F) -> Self
    where
        F: Future<Output = Told> + 'static,
    {
        Self { needs_nodes: true, ..Self::new(name, run) }
    }
}

/// Names the functions of stories.
#[macro_export]
macro_rules! stories {
    ($make:ident: $($name:ident),+ $(,)?) => {
        vec![$($crate::story::Story::$make(stringify!($name), $name)),+]
    };
}

/// Runs the stories; `KUBECONFIG_CONTRACT_STORY` takes those whose name contains it.
pub async fn run_all(lab: &Arc<Lab>, stories: Vec<Story>) -> Vec<(&'static str, Told)> {
    let wanted = std::env::var("KUBECONFIG_CONTRACT_STORY").unwrap_or_default();
    let running = stories
        .into_iter()
        .filter(|story| story.name.contains(&wanted))
        .map(|story| async { (story.name, run(lab, story).await) });
    futures::stream::iter(running).buffer_unordered(AT_A_TIME).collect().await
}

async fn run(lab: &Arc<Lab>, story: Story) -> Told {
    if story.needs_nodes
        && let Some(reason) = lab.without_nodes()
    {
        return Ok(Some(reason));
    }
    let space = Arc::new(lab.space(story.name).await?);
    let told = (story.run)(Arc::clone(&space)).await;
    space.leave().await?;
    told
}

/// A line for people, also where the test passes.
pub fn tell(line: &str) {
    // Nobody is left to be told of a closed stream.
    let _told = writeln!(std::io::stderr(), "{line}");
}
