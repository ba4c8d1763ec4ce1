//! What people do: they run tasks again and redrive dead letters. And what becomes of a bad release.

use domain::command::{About, Asked, Command};
use domain::ids::TaskId;
use domain::message::{Message, QueueName};
use domain::ports::Permission;
use domain::rerun::Rerun;
use testkit::builders::{a_sha, name, recorded};
use testkit::fakes::Fate;

use super::{DEPLOY, VERIFY, services};
use crate::play::{Call, Play};

/// A request to run a task of commit 1 again, in hands.
pub fn again(play: &mut Play, task: &str) -> Call {
    ask(play, task, false, false)
}

/// The same with everything that follows.
pub fn again_with_all(play: &mut Play, task: &str) -> Call {
    ask(play, task, true, false)
}

/// A request that only wants to know what would happen.
pub fn rehearsed(play: &mut Play, task: &str) -> Call {
    ask(play, task, false, true)
}

fn ask(play: &mut Play, task: &str, cascade: bool, dry_run: bool) -> Call {
    let task: TaskId = name(task);
    let (run, request) = (name(&format!("vive-sphere.bot-manager.{}", a_sha(1))), Some(name("request-1")));
    let queue = QueueName::Stage(task.stage);
    let rerun = Message::Rerun(Rerun { run, task, request, cascade, dry_run });
    play.put(queue, &serde_json::to_string(&rerun).expect("plain data"))
}

/// Commit 1 of one service has been delivered.
pub fn delivered(play: &mut Play) {
    play.push(1, &services(1));
    play.rest().expect("it comes to rest");
}

/// A task was stuck because that port call failed five times; the cause is removed, and its letter redriven.
pub fn redriven(play: &mut Play, call: &'static str) -> Call {
    play.world.wire.down(call);
    delivered(play);
    play.world.wire.up(call);
    play.redrive()
}

/// A commit could not be planned because GitHub refused that call five times; it does no more, and the letter is redriven.
pub fn redriven_plan(play: &mut Play, call: &'static str) -> Call {
    play.world.wire.refuse(call);
    delivered(play);
    play.world.wire.up(call);
    play.redrive()
}

/// Something that a person who may push asks of commit 1 from GitHub, in plan's hands.
pub fn asks(play: &mut Play, about: About, command: Command) -> Call {
    play.world.github.allow("ada", Permission::Write);
    asks_as(play, "ada", about, command)
}

/// The same of anybody.
pub fn asks_as(play: &mut Play, login: &str, about: About, command: Command) -> Call {
    let comment = play.world.github.say(7, "a comment");
    let asked = Asked {
        delivery: name("a-wish"),
        repository: name("vive-sphere/bot-manager"),
        installation: 1,
        by: login.to_owned(),
        about,
        comment: Some(comment),
        commands: vec![command],
        tries: 0,
    };
    recorded(&play.world, &asked.delivery);
    let body = serde_json::to_string(&Message::Asked(asked)).expect("plain data");
    play.put(QueueName::Plan, &body)
}

/// Commit 1 is delivered; deploy has commit 2 in hands, whose image fares like this.
pub fn a_bad_release(play: &mut Play, fate: Fate) -> Call {
    delivered(play);
    play.push(2, &services(1));
    let deploy = play.until(DEPLOY, &["deploy/service-1", a_sha(2).as_str()]);
    let digest = play.world.images.tags("vive-sphere/service-1")[a_sha(2).as_str()].clone();
    play.world.cluster.spoil(digest.as_str(), fate);
    deploy
}

/// Commit 1 is delivered; verify has commit 2 in hands, which will not heal.
pub fn a_release_that_will_not_heal(play: &mut Play) -> Call {
    let deploy = a_bad_release(play, Fate::Hopeless { evidence: vec!["CrashLoopBackOff".to_owned()] });
    play.invoke(&deploy);
    play.until(VERIFY, &["verify/service-1", a_sha(2).as_str()])
}
