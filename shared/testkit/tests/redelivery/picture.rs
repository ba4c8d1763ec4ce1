//! What a world looks like at the end, without what may differ: times, versions, counts of failures and timers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Map, Value, json};
use testkit::fakes::World;

/// Fields whose value is another one after a disturbance although nothing is wrong.
const MAY_DIFFER: [&str; 7] = ["version", "timer", "failures", "outages", "lease", "content", "log"];

/// Milliseconds in 2026 and 2027: no other number is as large.
const TIMES: std::ops::Range<u64> = 1_767_225_600_000..1_830_297_600_000;

/// Everything that counts, by where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// What has a key: nothing is there twice.
    keyed: BTreeMap<String, String>,
    /// What has none: how often each thing was said.
    said: BTreeMap<String, usize>,
    /// How often each dead letter lies there: a queue has no key either.
    letters: BTreeMap<String, usize>,
}

/// What has no key and may therefore be there once more.
#[derive(Debug, Clone, Copy)]
pub struct Spare {
    /// Things said.
    pub said: usize,
    /// The same dead letter.
    pub letters: usize,
}

impl Picture {
    /// With `tips` also what was seen of the branches, which any sweep may bring up to date.
    pub fn of(world: &World, tips: bool) -> Self {
        let mut keyed: BTreeMap<String, String> = BTreeMap::new();
        for (key, item) in
            world.store.contents().into_iter().filter(|(key, _)| tips || !key.ends_with(" tips"))
        {
            keyed.insert(format!("table {key}"), shown(&item));
        }
        for key in world.artifacts.keys() {
            let bytes = world.artifacts.object(&key).unwrap_or_default();
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            keyed.insert(format!("bucket {key}"), hasher.finish().to_string());
        }
        for build in
            [world.tests.all(), world.untrusted.all(), world.image_builds.all(), world.renders.all()].concat()
        {
            let states = keyed.entry(format!("builds {}", build.request.task())).or_default();
            write!(states, "{:?} ", build.status.state).expect("memory takes every text");
        }
        for repository in world.images.repositories() {
            keyed.insert(format!("registry {repository}"), format!("{:?}", world.images.tags(&repository)));
        }
        for (name, object) in world.cluster.objects() {
            keyed.insert(format!("cluster {}/{}", name.kind, name.name), shown(&object));
        }
        for run in world.github.check_runs() {
            let shows = keyed.entry(format!("check run {} {}", run.sha, run.check.name)).or_default();
            write!(shows, "{} ", shown(&json!(run.check))).expect("memory takes every text");
        }
        for comment in world.github.comments() {
            let mark = comment.mark.as_deref().unwrap_or("a person's");
            let shows = keyed.entry(format!("comment {} {mark}", comment.pull)).or_default();
            write!(shows, "{} ", timeless(&nameless(&comment.text))).expect("memory takes every text");
        }
        let mut letters: BTreeMap<String, usize> = BTreeMap::new();
        for letter in world.queue.dead() {
            let body = serde_json::from_str(&letter.body).map_or(letter.body, |body| shown(&body));
            let letter = format!("dead letter {:?} {body}: {}", letter.queue, shown(&json!(letter.reason)));
            *letters.entry(letter).or_default() += 1;
        }
        keyed.insert("messages that wait".to_owned(), world.queue.len().to_string());
        Self { keyed, letters, said: said(world) }
    }

    /// How this picture differs from the expected one, a line each; `spare` says what may be there once more.
    pub fn differences(&self, expected: &Self, spare: Spare) -> Vec<String> {
        let mut lines = Vec::new();
        for letter in self.letters.keys().chain(expected.letters.keys()).collect::<BTreeSet<_>>() {
            let count = |picture: &Self| picture.letters.get(letter).copied().unwrap_or(0);
            let (found, wanted) = (count(self), count(expected));
            if found < wanted || found > wanted + wanted.min(spare.letters) {
                lines.push(format!("{letter}: there {found} times instead of {wanted}"));
            }
        }
        for (key, value) in &expected.keyed {
            match self.keyed.get(key) {
                None => lines.push(format!("{key}: missing")),
                Some(found) if found != value => {
                    lines.push(format!("{key}: {}", first_difference(value, found)));
                }
                Some(_) => {}
            }
        }
        for key in self.keyed.keys().filter(|key| !expected.keyed.contains_key(*key)) {
            lines.push(format!("{key}: too much"));
        }
        for (said, count) in &expected.said {
            let found = self.said.get(said).copied().unwrap_or(0);
            if found < *count {
                lines.push(format!("said {found} instead of {count} times: {said}"));
            }
        }
        let (found, wanted): (usize, usize) = (self.said.values().sum(), expected.said.values().sum());
        if found > wanted + spare.said {
            lines.push(format!(
                "said {found} things instead of {wanted}, with {} to spare: {:?}",
                spare.said, self.said
            ));
        }
        lines
    }
}

/// Slack's messages and mails as people read them.
fn said(world: &World) -> BTreeMap<String, usize> {
    let mut said = BTreeMap::new();
    for message in world.chat.messages() {
        let kind = if message.thread.is_some() { "answer" } else { "message" };
        *said
            .entry(format!("{kind} in {}: {}", message.channel, timeless(&nameless(&message.text))))
            .or_default() += 1;
    }
    for mail in world.post.mails() {
        *said.entry(format!("mail: {}", shown(&json!(mail)))).or_default() += 1;
    }
    said
}

fn shown(value: &Value) -> String {
    comparable(value).to_string()
}

fn comparable(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.as_u64().is_some_and(|number| TIMES.contains(&number)) => {
            json!("a time")
        }
        Value::String(text) if text.contains([' ', '/']) => json!(timeless(&nameless(text))),
        Value::Array(values) => values.iter().map(comparable).collect(),
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| !MAY_DIFFER.contains(&name.as_str()));
            let mut fields: Map<_, _> = kept.map(|(name, value)| (name.clone(), comparable(value))).collect();
            // Where a thing lies is the channel's own name for it, in the order of arrival.
            if let Some(place) = fields.get_mut("place").filter(|place| **place != json!("")) {
                *place = json!("somewhere");
            }
            Value::Object(fields)
        }
        other => other.clone(),
    }
}

/// The text with every duration, such as `2 min 3 s`, replaced, and without what hangs on durations or on the order of
/// arrival: the width of columns, the numbers of builds.
fn timeless(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut rest = text.split(' ').filter(|word| !word.is_empty()).peekable();
    while let Some(word) = rest.next() {
        let start = word.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        let is_number = start.len() < word.len();
        match rest.next_if(|unit| is_number && is_unit(unit)) {
            Some(unit) => {
                let end = unit.trim_start_matches(char::is_alphabetic);
                match words.last_mut().filter(|last| start.is_empty() && last.ends_with(WHILE)) {
                    Some(last) => last.push_str(end),
                    None => words.push(format!("{start}{WHILE}{end}")),
                }
            }
            None => words.push(without_build(word)),
        }
    }
    words.join(" ")
}

/// The text without the name of the port call that the test let fail, and without what only the one that did it can tell:
/// who died before it noted its build finds the image in the registry, and who died after it pruned finds nothing to prune.
fn nameless(text: &str) -> String {
    let text = text.replace("the registry held it already", "built and pushed");
    let text = text.replace("the same content was built before", "built and pushed");
    let text = text.replace("; pruned: ConfigMap `development/more`", "");
    let mut whole = String::new();
    let mut rest = text.as_str();
    while let Some((piece, after)) = rest.split_once(": the test says so") {
        rest = after;
        let name = piece.rmatch_indices('`').nth(1).map_or(piece.len(), |(place, _)| place);
        whole.push_str(&piece[..name]);
        whole.push_str("a port failed");
    }
    whole + rest
}

/// Stands for a duration.
const WHILE: &str = "a-while";

/// A link to a build's log without the build's number.
fn without_build(word: &str) -> String {
    const LOGS: &str = "logs.example/";
    let Some((before, after)) = word.split_once(LOGS) else { return word.to_owned() };
    let rest = after.trim_start_matches(|c: char| c.is_alphabetic() || c == ':');
    format!("{before}{LOGS}{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
}

fn is_unit(word: &str) -> bool {
    let letters: String = word.chars().take_while(|c| c.is_alphabetic()).collect();
    ["s", "min", "h"].contains(&letters.as_str())
}

/// Both texts from where they part.
fn first_difference(expected: &str, found: &str) -> String {
    let same = expected.chars().zip(found.chars()).take_while(|(one, other)| one == other).count();
    let from = |text: &str| text.chars().skip(same.saturating_sub(40)).take(160).collect::<String>();
    format!("\n      expected …{}\n      found    …{}", from(expected), from(found))
}

#[test]
fn durations_are_not_compared() {
    assert_eq!(timeless("passed in (2 min 3 s), delivered"), "passed in (a-while), delivered");
    assert_eq!(timeless("see (<https://logs.example/test:12>)\n"), "see (<https://logs.example/>)\n");
    assert_eq!(timeless("| 0.3 s | 3 of 4 tests"), "| a-while | 3 of 4 tests");
    assert_eq!(nameless("x: `a.b` failed: the test says so."), "x: a port failed.");
    assert_eq!(timeless("backed by 3 services"), "backed by 3 services");
}
