//! Dead letters as people and programs read them. Everything in a letter is hostile: nothing of it may move the cursor.

use std::time::Duration;

use domain::ports::printable_reason;
use domain::time::Timestamp;
use serde_json::{Value, json};

use super::letters::{Letter, Seen};
use crate::output;

/// The most characters of a column.
const WIDEST: usize = 44;

/// What lies in the queues.
pub(super) fn list(seen: &[Seen], as_json: bool, now: Timestamp) {
    if as_json {
        let queues: Vec<Value> = seen.iter().map(|seen| queue_json(seen, now)).collect();
        output::line(&safe(&format!("{:#}", Value::Array(queues))));
        return;
    }
    let (full, empty): (Vec<&Seen>, Vec<&Seen>) = seen.iter().partition(|seen| seen.depth > 0);
    for seen in &full {
        let oldest = seen
            .letters
            .first()
            .map_or_else(String::new, |oldest| format!(", the oldest {}", age(oldest, now)));
        output::title(&format!("{}: {}{oldest}", seen.function, counted(seen.depth)));
        for letter in &seen.letters {
            output::detail(&row(letter, now));
        }
        if seen.letters.len() < seen.depth {
            let hidden = seen.depth - seen.letters.len();
            output::detail(&format!("and {hidden} more, or in somebody's hands just now"));
        }
    }
    if !empty.is_empty() {
        let names: Vec<String> = empty.iter().map(|seen| format!("`{}`", seen.function)).collect();
        output::line(&format!(
            "{}nothing lies in {}",
            if full.is_empty() { "" } else { "\n" },
            names.join(", ")
        ));
    }
}

/// Everything about one.
pub(super) fn letter(letter: &Letter, as_json: bool, now: Timestamp) {
    if as_json {
        output::line(&safe(&format!("{:#}", letter_json(letter, now))));
        return;
    }
    output::entry("message", &letter.id);
    output::entry("function", letter.function);
    output::entry("about", &about(&letter.body));
    output::entry("reason", &reason(letter));
    output::entry("sent", &format!("{}, {} ago", letter.sent.rfc3339(), age(letter, now)));
    output::entry("received", &format!("{} times from this queue; looking counts", letter.receives));
    for (name, value) in letter.attributes.iter().filter(|(name, _)| *name != "reason") {
        output::entry(&printable_reason(name), &printable_reason(value));
    }
    output::line(&format!("\n{}", visible(&pretty(&letter.body))));
}

/// One line of JSON that holds what it takes to send the message again.
pub(super) fn restorable(letter: &Letter) -> String {
    let line =
        json!({ "queue": letter.function, "id": letter.id, "reason": letter.reason(), "body": letter.body });
    safe(&line.to_string())
}

/// A body that is JSON with a line for each field, any other as it is.
pub(super) fn pretty(body: &str) -> String {
    serde_json::from_str::<Value>(body).map_or_else(|_| body.to_owned(), |value| format!("{value:#}\n"))
}

fn row(letter: &Letter, now: Timestamp) -> String {
    format!(
        "{}  {:>7}  {:<WIDEST$}  {}",
        letter.id.chars().take(8).collect::<String>(),
        age(letter, now),
        about(&letter.body),
        reason(letter)
    )
}

fn queue_json(seen: &Seen, now: Timestamp) -> Value {
    let letters: Vec<Value> = seen.letters.iter().map(|letter| letter_json(letter, now)).collect();
    let oldest = seen.letters.first().map(|oldest| now.since(oldest.sent).as_secs());
    json!({ "queue": seen.function, "count": seen.depth, "oldest_seconds": oldest, "messages": letters })
}

fn letter_json(letter: &Letter, now: Timestamp) -> Value {
    json!({
        "id": letter.id,
        "function": letter.function,
        "about": about(&letter.body),
        "reason": letter.reason(),
        "sent": letter.sent.rfc3339(),
        "age_seconds": now.since(letter.sent).as_secs(),
        "receives": letter.receives,
        "attributes": letter.attributes,
        "body": letter.body,
    })
}

fn reason(letter: &Letter) -> String {
    match letter.reason() {
        Some(reason) => printable_reason(reason),
        None => {
            "none was given: it came back more often than its queue allows; the function's log tells more"
                .to_owned()
        }
    }
}

/// The run and task that a body names, as far as it can be read.
fn about(body: &str) -> String {
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    let text = |name: &str| value[name].as_str();
    let variables = value.pointer("/detail/additional-information/environment/environment-variables");
    let built = variables.and_then(Value::as_array).into_iter().flatten();
    let built = built
        .filter(|variable| variable["name"] == domain::message::TASK_VARIABLE)
        .find_map(|one| one["value"].as_str());
    let run = text("run").map(short);
    let words = match (text("task").or(built), run, text("repository"), text("sha")) {
        (Some(task), Some(run), ..) => format!("{task} of {run}"),
        (Some(task), None, ..) => task.to_owned(),
        (None, Some(run), ..) => run,
        (None, None, Some(repository), Some(sha)) => format!("{repository} {}", cut(sha, 7)),
        (None, None, Some(repository), None) => repository.to_owned(),
        _ => return "?".to_owned(),
    };
    cut(&printable_reason(&words), WIDEST)
}

/// A run's id with a commit as short as people write it.
fn short(run: &str) -> String {
    match run.rsplit_once('.') {
        Some((repository, sha)) if sha.len() == 40 && sha.is_ascii() => {
            format!("{repository}.{}", cut(sha, 7))
        }
        _ => run.to_owned(),
    }
}

fn cut(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}

fn counted(count: usize) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

fn age(letter: &Letter, now: Timestamp) -> String {
    words(now.since(letter.sent))
}

/// The largest unit that fits: `59 s`, `3 min`, `5 h`, `13 d`.
fn words(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// The text with every character that would do something to a terminal written out.
fn visible(text: &str) -> String {
    text.chars().flat_map(|c| if hostile(c) { c.escape_unicode().collect() } else { vec![c] }).collect()
}

/// JSON that says the same without such characters; all of them have four hexadecimal digits.
fn safe(json: &str) -> String {
    json.chars()
        .flat_map(|c| if hostile(c) { format!("\\u{:04x}", u32::from(c)).chars().collect() } else { vec![c] })
        .collect()
}

/// Whether a character moves the cursor or turns the direction of the text around it.
fn hostile(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_body_is_about_is_read_where_it_can_be() {
        let sha = "0123456789abcdef0123456789abcdef01234567";
        for (body, expected) in [
            (format!(r#"{{"run": "owner.name.{sha}", "task": "test/a"}}"#), "test/a of owner.name.0123456"),
            (format!(r#"{{"kind": "notify", "run": "owner.name.{sha}"}}"#), "owner.name.0123456"),
            (
                format!(r#"{{"kind": "plan", "repository": "owner/name", "sha": "{sha}"}}"#),
                "owner/name 0123456",
            ),
            (r#"{"task": "\u001b[2Jtest/a"}"#.to_owned(), "test/a"),
            (r#"{"task": 5}"#.to_owned(), "?"),
            ("no JSON".to_owned(), "?"),
        ] {
            assert_eq!(about(&body), expected, "{body}");
        }
    }

    #[test]
    fn ages_and_hostile_bodies_are_readable() {
        for (seconds, expected) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7_200, "2 h"), (1_209_600, "14 d")]
        {
            assert_eq!(words(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(visible("a\u{1b}[2Jb\nc\u{202e}"), "a\\u{1b}[2Jb\nc\\u{202e}");
        assert_eq!(safe("\"\u{9b}\u{202e}ä\""), "\"\\u009b\\u202eä\"");
        assert_eq!(visible(&pretty("{\"a\": \"\\u001b\"}")), "{\n  \"a\": \"\\u001b\"\n}\n");
    }
}
