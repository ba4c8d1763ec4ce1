//! What the suite has met: a kind of message or a state of a task that it never meets fails the build.

use domain::ids::Stage;
use domain::message::{Message, QueueName, parse_message, parse_stage_message};
use domain::task::{State, Task};
use testkit::fakes::World;

use crate::Handler;
use crate::play::Call;

/// A handler, and a word for what its invocation found.
pub type Met = (Handler, &'static str);

/// The kinds of messages, as [`kind`] names them.
pub const KINDS: [(Handler, &str); 8] = [
    (Handler::Plan, "plan"),
    (Handler::Plan, "tips"),
    (Handler::Plan, "asked"),
    (Handler::Plan, "gone"),
    (Handler::Deploy, "preview"),
    (Handler::Publish, "verified"),
    (Handler::Publish, "scanned"),
    (Handler::Notify, "notify"),
];

/// The kinds that each stage takes.
pub const STAGE_KINDS: [&str; 3] = ["task", "rerun", "revive"];

/// The states of a task, as [`state`] names them. Each stage meets all of them.
pub const STATES: [&str; 6] = ["pending", "starting", "running", "passing on", "done", "stuck"];

/// Whose queue it is. A new queue does not compile before it has a handler here.
pub fn handler_of(queue: QueueName) -> Handler {
    match queue {
        QueueName::Plan => Handler::Plan,
        QueueName::Notify => Handler::Notify,
        QueueName::Stage(Stage::Test) => Handler::Test,
        QueueName::Stage(Stage::Build) => Handler::Build,
        QueueName::Stage(Stage::Publish) => Handler::Publish,
        QueueName::Stage(Stage::Deploy) => Handler::Deploy,
        QueueName::Stage(Stage::Verify) => Handler::Verify,
    }
}

/// A new kind of message does not compile before it has a name here, and is not met before it has a scenario.
fn kind(message: &Message) -> &'static str {
    match message {
        Message::Plan(_) => "plan",
        Message::Tips { .. } => "tips",
        Message::Asked(_) => "asked",
        Message::Gone(_) => "gone",
        Message::Task(_) => "task",
        Message::Rerun(_) => "rerun",
        Message::Revive(_) => "revive",
        Message::Preview { .. } => "preview",
        Message::Verified(_) => "verified",
        Message::Scanned(_) => "scanned",
        Message::Notify { .. } => "notify",
    }
}

/// The same for a new state of a task.
fn state(task: &Task) -> &'static str {
    match task.state {
        State::Pending => "pending",
        State::Starting { .. } => "starting",
        State::Running { .. } => "running",
        State::PassingOn { .. } => "passing on",
        State::Done { .. } => "done",
        State::Stuck { .. } => "stuck",
    }
}

/// What an invocation finds.
pub fn met_by(world: &World, call: &Call) -> Vec<Met> {
    let Call::Messages(batch) = call else { return Vec::new() };
    let mut met = Vec::new();
    for received in batch {
        let handler = handler_of(received.queue);
        let message = parse_message(&received.body, received.queue).ok();
        met.extend(message.map(|message| (handler, kind(&message))));
        if let QueueName::Stage(stage) = received.queue
            && let Ok(ask) = parse_stage_message(&received.body, stage)
        {
            for wake in ask.wakes() {
                let task = world.store.tasks_of(&wake.run).into_iter().find(|task| task.id == wake.task);
                met.extend(task.map(|task| (handler, state(&task))));
            }
        }
    }
    met
}

/// Port calls that change nothing. Who dies around one of them is the one that died after the last effect before it,
/// and whether it fails before or after its effect is the same.
pub const READS: [&str; 36] = [
    "artifacts.exists",
    "artifacts.get",
    "artifacts.get_file",
    "branches.commit",
    "branches.list",
    "builds.find",
    "builds.status",
    "checks.find",
    "cluster.probe",
    "cluster.rehearse",
    "cluster.rollout",
    "comments.find",
    "differences.changes",
    "images.digest",
    "images.holds",
    "images.scan",
    "people.permission",
    "people.pull",
    "people.pulls_of",
    "secrets.secret",
    "source.branch_tip",
    "source.compare",
    "source.download",
    "store.awaiting_scan",
    "store.case",
    "store.due",
    "store.entry",
    "store.fence",
    "store.front",
    "store.greens",
    "store.picture",
    "store.releases",
    "store.run",
    "store.tasks",
    "store.timeline",
    "store.tips",
];

/// What sweeps call where nothing is silent and no branch has moved; of that a picture shows nothing.
pub const IDLE: [&str; 7] = [
    "store.due",
    "queue.send",
    "store.postpone",
    "artifacts.get",
    "store.tips",
    "branches.list",
    "store.write_tips",
];
