//! Plays a scenario undisturbed, then in every disturbed way, and compares what is there at the end.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use testkit::fakes::{Guard, Trouble};

use crate::Handler;
use crate::coverage::{IDLE, Met, READS};
use crate::picture::{Picture, Spare};
use crate::play::{Call, Play};
use crate::waivers::WAIVERS;

/// The state of the world before, the invocation to be disturbed, and what it is about.
pub struct Scenario {
    /// What happens, for people.
    pub name: &'static str,
    /// Port calls that the invocation makes when nothing disturbs it: the effects that count.
    pub does: &'static [&'static str],
    /// Plays until the invocation is due, and answers it.
    pub before: fn(&mut Play) -> Call,
}

/// What goes otherwise. Port calls are counted from 1.
#[derive(Debug, Clone, Copy)]
pub enum Disturbance {
    Nothing,
    /// This port call of the invocation goes wrong.
    Trouble(usize, Trouble),
    /// It is delivered again right after its end.
    Twice,
    /// It lies twice in one batch.
    InOneBatch,
    /// It is delivered again so many steps of the world later.
    Late(usize),
    /// It is delivered twice at the same time: the second begins when the first is about to make this call, makes
    /// so many steps, and ends after the first.
    AtOnce(usize, usize),
    /// The same with the scenario's other invocation as the second, where it has one.
    Beside(usize, usize),
    /// It sleeps before this call, while it is delivered again and the world goes on.
    Asleep(usize),
}

/// Longer than any function may run (template.yaml's longest `Timeout` but plan's), shorter than notify's lease.
const SLEEP: Duration = Duration::from_secs(55);

/// What a play led to.
struct Seen {
    /// Names of the port calls of the first invocation, and whatever ran beside it.
    calls: Vec<&'static str>,
    sent: u64,
    rested: Picture,
    swept: Picture,
    met: BTreeSet<Met>,
    act: Act,
    /// Whether the scenario has another invocation.
    beside: bool,
}

/// Whether a disturbance found something to disturb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// It did not.
    Nothing,
    /// It did, and a longer one will not find more.
    Last,
    /// It did.
    Played,
}

/// What came of all scenarios of a handler.
#[derive(Default)]
pub struct Report {
    pub plays: usize,
    pub faults: Vec<String>,
    pub met: BTreeSet<Met>,
    /// The scenarios whose waiver was needed.
    pub waived: BTreeSet<&'static str>,
    /// The most messages that a disturbance made beyond those of the undisturbed play.
    pub extra: u64,
}

/// A play of one scenario.
struct Trial<'a> {
    handler: Handler,
    scenario: &'a Scenario,
    without: Option<Guard>,
}

/// Every scenario of a handler under every disturbance.
pub fn disturb(handler: Handler) -> Report {
    let mut report = Report::default();
    for scenario in handler.scenarios() {
        Trial { handler, scenario, without: None }.run(&mut report);
    }
    report
}

/// The same without a guard of the other side, until a fault is found.
pub fn disturb_without(guard: Guard, handler: Handler) -> Report {
    let mut report = Report::default();
    for scenario in handler.scenarios() {
        if report.faults.is_empty() {
            Trial { handler, scenario, without: Some(guard) }.run(&mut report);
        }
    }
    report
}

impl Trial<'_> {
    fn run(&self, report: &mut Report) {
        // The good day has all guards: what is compared with is right.
        let good = match (Trial { without: None, ..*self }).play(Disturbance::Nothing) {
            Ok(good) => good,
            Err(fault) => return report.faults.push(self.fault(Disturbance::Nothing, &[], &[fault])),
        };
        let missing: Vec<_> = self.scenario.does.iter().filter(|call| !good.calls.contains(call)).collect();
        if !missing.is_empty() {
            let sentence = format!("the scenario is about {missing:?}, but calls {:?}", good.calls);
            return report.faults.push(self.fault(Disturbance::Nothing, &[], &[sentence]));
        }
        report.met.extend(&good.met);
        let calls = good.calls.len();
        let has_effect = |number: usize| good.calls.get(number - 1).is_some_and(|name| !READS.contains(name));
        for number in 1..=calls {
            self.compare(Disturbance::Trouble(number, Trouble::FailBefore), &good, report);
            if number == 1 {
                self.compare(Disturbance::Trouble(number, Trouble::CrashBefore), &good, report);
            }
            if has_effect(number) {
                self.compare(Disturbance::Trouble(number, Trouble::FailAfter), &good, report);
                self.compare(Disturbance::Trouble(number, Trouble::CrashAfter), &good, report);
            }
            self.compare(Disturbance::Asleep(number), &good, report);
            // A second that has not made its first call is the one that comes right after the end.
            let (mut polls, at_once) =
                (2, if good.beside { Disturbance::Beside } else { Disturbance::AtOnce });
            while self.compare(at_once(number, polls), &good, report) {
                polls = further(polls);
            }
        }
        self.compare(Disturbance::Twice, &good, report);
        self.compare(Disturbance::InOneBatch, &good, report);
        let mut steps = 1;
        while self.compare(Disturbance::Late(steps), &good, report) {
            steps = further(steps);
        }
    }

    /// Plays it disturbed and notes what differs; false when a longer disturbance is nothing new.
    fn compare(&self, disturbance: Disturbance, good: &Seen, report: &mut Report) -> bool {
        let seen = match self.play(disturbance) {
            Ok(seen) => seen,
            Err(fault) => {
                report.faults.push(self.fault(disturbance, &good.calls, &[fault]));
                return false;
            }
        };
        if seen.act == Act::Nothing {
            return false;
        }
        report.plays += 1;
        report.met.extend(seen.met);
        let extra = seen.sent.saturating_sub(good.sent);
        report.extra = report.extra.max(extra);
        let spare = self.spare(disturbance);
        let mut lines = seen.rested.differences(&good.rested, spare);
        lines.retain(|line| !self.is_waived(disturbance, line, true, report));
        if lines.is_empty() {
            let mut after = seen.swept.differences(&good.swept, spare);
            after.retain(|line| !self.is_waived(disturbance, line, false, report));
            lines = after.into_iter().map(|line| format!("after sweeps: {line}")).collect();
        }
        if extra > bound(good.sent) {
            lines.push(format!("{extra} messages more than {}: they multiply", good.sent));
        }
        if !lines.is_empty() {
            report.faults.push(self.fault(disturbance, &good.calls, &lines));
        }
        seen.act == Act::Played
    }

    fn play(&self, disturbance: Disturbance) -> Result<Seen, String> {
        let mut play = Play::new(self.handler != Handler::Notify);
        let call = (self.scenario.before)(&mut play);
        if let Some(guard) = self.without {
            play.world.wire.remove(guard);
        }
        let begun = play.world.wire.calls().len();
        let act = act(&mut play, &call, disturbance, begun)?;
        let ended = play.world.wire.calls().len();
        if matches!(call, Call::Sweep) {
            play.sweep()?;
        } else {
            play.rest()?;
        }
        let looks = self.handler == Handler::Plan;
        let (rested, sent) = (Picture::of(&play.world, looks), play.world.queue.sent());
        let at_rest = play.world.wire.calls().len();
        play.sweep()?;
        let calls = play.world.wire.calls();
        let is_idle = !looks && calls[at_rest..].iter().all(|call| IDLE.contains(call));
        Ok(Seen {
            calls: calls[begun..ended].to_vec(),
            sent,
            swept: if is_idle { rested.clone() } else { Picture::of(&play.world, looks) },
            rested,
            met: play.met,
            act,
            beside: play.beside.is_some(),
        })
    }

    /// Slack, mail and the dead letters have no key: one trouble in telling costs one, and so does a second delivery
    /// of what is refused.
    fn spare(&self, disturbance: Disturbance) -> Spare {
        let in_telling = matches!(disturbance, Disturbance::Trouble(..) | Disturbance::Asleep(_));
        Spare { said: usize::from(self.handler == Handler::Notify && in_telling), letters: 1 }
    }

    fn is_waived(
        &self,
        disturbance: Disturbance,
        line: &str,
        before_sweep: bool,
        report: &mut Report,
    ) -> bool {
        let waiver = WAIVERS.iter().find(|waiver| {
            waiver.handler == self.handler
                && waiver.scenario == self.scenario.name
                && (waiver.under)(disturbance)
                && (before_sweep || !waiver.mended_by_sweep)
                && waiver.lines.iter().any(|begin| line.starts_with(begin))
        });
        report.waived.extend(waiver.map(|waiver| waiver.scenario));
        waiver.is_some()
    }

    fn fault(&self, disturbance: Disturbance, calls: &[&str], lines: &[String]) -> String {
        let what = Told { disturbance, calls };
        format!("{}: {}: {what}\n    {}", self.handler.name(), self.scenario.name, lines.join("\n    "))
    }
}

/// The next of a row of numbers: each one where `REDELIVERY=all` asks for it, else ever wider steps, so that the suite
/// stays short. Where a row ends, its last member reaches to the end in any case.
fn further(number: usize) -> usize {
    let is_complete = std::env::var("REDELIVERY").is_ok_and(|asked| asked == "all");
    if is_complete { number + 1 } else { 3 * number + 1 }
}

/// Each message of the good day may come twice, and some wakes beside.
fn bound(sent: u64) -> u64 {
    sent + 4
}

/// The invocation with its disturbance.
fn act(play: &mut Play, call: &Call, disturbance: Disturbance, begun: usize) -> Result<Act, String> {
    match disturbance {
        Disturbance::Nothing => play.invoke(call),
        Disturbance::Trouble(number, trouble) => {
            play.world.wire.trouble_at(begun + number - 1, trouble);
            play.invoke(call);
        }
        Disturbance::Twice => {
            play.invoke(call);
            play.invoke(call);
        }
        Disturbance::InOneBatch => {
            let Call::Messages(batch) = call else { return Ok(Act::Nothing) };
            play.invoke(&Call::Messages([batch.as_slice(), batch.as_slice()].concat()));
        }
        Disturbance::Late(steps) => {
            play.invoke(call);
            let goes_on = play.go(steps, Duration::MAX)?;
            play.invoke(call);
            return Ok(if goes_on { Act::Played } else { Act::Last });
        }
        Disturbance::AtOnce(number, polls) => return Ok(at_once(play, call, call, number, polls)),
        Disturbance::Beside(number, polls) => {
            let Some(other) = play.beside.take() else { return Ok(Act::Nothing) };
            return Ok(at_once(play, call, &other, number, polls));
        }
        Disturbance::Asleep(number) => {
            let mut sleeper = play.begin(call);
            if play.poll(&mut sleeper, number) {
                return Ok(Act::Nothing);
            }
            play.invoke(call);
            play.go(usize::MAX, SLEEP)?;
            play.end(sleeper);
        }
    }
    Ok(Act::Played)
}

/// The second makes so many steps in the midst of the first, which then goes first to its end.
fn at_once(play: &mut Play, first: &Call, second: &Call, number: usize, polls: usize) -> Act {
    let mut one = play.begin(first);
    if play.poll(&mut one, number) {
        return Act::Nothing;
    }
    let mut other = play.begin(second);
    let is_over = play.poll(&mut other, polls);
    play.end(one);
    if is_over {
        return Act::Last;
    }
    play.end(other);
    Act::Played
}

/// A disturbance with the name of the port call that it meets.
struct Told<'a> {
    disturbance: Disturbance,
    calls: &'a [&'a str],
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |number: usize| self.calls.get(number - 1).unwrap_or(&"?");
        match self.disturbance {
            Disturbance::Nothing => write!(formatter, "undisturbed"),
            Disturbance::Trouble(number, trouble) => {
                let trouble = match trouble {
                    Trouble::FailBefore => "fails before its effect",
                    Trouble::FailAfter => "fails after its effect",
                    Trouble::CrashBefore => "crashes before its effect",
                    Trouble::CrashAfter => "crashes after its effect",
                };
                write!(formatter, "call {number} `{}` {trouble}", name(number))
            }
            Disturbance::Twice => write!(formatter, "delivered again right after its end"),
            Disturbance::InOneBatch => write!(formatter, "twice in one batch"),
            Disturbance::Late(steps) => write!(formatter, "delivered again {steps} steps later"),
            Disturbance::AtOnce(number, polls) => {
                write!(formatter, "delivered again at call {number} `{}`, for {polls} steps", name(number))
            }
            Disturbance::Beside(number, polls) => {
                write!(
                    formatter,
                    "the other one comes at call {number} `{}`, for {polls} steps",
                    name(number)
                )
            }
            Disturbance::Asleep(number) => write!(formatter, "asleep at call {number} `{}`", name(number)),
        }
    }
}
