//! Commands in a comment: one on each line that begins with `/`, outside of code, quotes and HTML comments.

use super::Command;
use crate::files::did_you_mean;
use crate::ids::{ServiceName, Sha, Subject};
use crate::text;

/// The most commands of one comment.
const MOST: usize = 5;

const VERBS: [&str; 4] = ["/retest", "/test", "/cancel", "/ok-to-test"];

/// A slip of the fingers leaves at least so much of a word; `/rest` or `/text` may be meant as they stand.
const SHORTEST_SLIP: usize = "/retst".len();

/// The commands of a comment in their order, at most five and a word about the rest. What looks like one of ours and is
/// none is [`Command::Malformed`]; other words behind a slash are none of our business.
pub fn commands(comment: &str) -> Vec<Command> {
    let mut found: Vec<_> = visible_lines(comment).filter_map(command).take(MOST + 1).collect();
    if found.len() > MOST {
        found.truncate(MOST);
        found.push(Command::Malformed(format!(
            "Only the first {MOST} commands of a comment are carried out; write the others in another comment."
        )));
    }
    found
}

/// The lines of running text: no fenced or indented code, no quotes, nothing that HTML hides.
fn visible_lines(comment: &str) -> impl Iterator<Item = &str> {
    let mut fence: Option<Fence> = None;
    let mut is_hidden = false;
    comment.lines().filter(move |line| {
        let Some(text) = unindented(line) else { return false };
        if is_hidden {
            is_hidden = !text.contains("-->");
            return false;
        }
        if let Some(open) = fence {
            if open.is_closed_by(text) {
                fence = None;
            }
            return false;
        }
        fence = Fence::opened_by(text);
        if let Some((_, hidden)) = text.rsplit_once("<!--") {
            is_hidden = !hidden.contains("-->");
        }
        fence.is_none()
    })
}

/// The line without the up to three spaces that Markdown allows before a paragraph; none where it is indented further,
/// which makes it code.
fn unindented(line: &str) -> Option<&str> {
    let text = line.trim_start_matches(' ');
    (line.len() - text.len() <= 3 && !text.starts_with('\t')).then_some(text)
}

/// The row of backticks or tildes that begins a block of code.
#[derive(Clone, Copy)]
struct Fence {
    sign: char,
    length: usize,
}

impl Fence {
    fn opened_by(text: &str) -> Option<Self> {
        let sign = text.chars().next().filter(|sign| ['`', '~'].contains(sign))?;
        let rest = text.trim_start_matches(sign);
        let length = text.len() - rest.len();
        // A backtick after the row makes it code within a line.
        (length >= 3 && (sign == '~' || !rest.contains('`'))).then_some(Self { sign, length })
    }

    fn is_closed_by(self, text: &str) -> bool {
        let rest = text.trim_start_matches(self.sign);
        text.len() - rest.len() >= self.length && rest.trim().is_empty()
    }
}

/// The command of one line, if it has one.
fn command(line: &str) -> Option<Command> {
    let line = line.trim();
    if !line.starts_with('/') {
        return None;
    }
    let mut words = line.split_whitespace();
    let verb = words.next()?;
    let (first, more) = (words.next(), words.next().is_some());
    Some(match (verb.to_ascii_lowercase().as_str(), first) {
        ("/retest", None) => Command::Retest,
        ("/retest", Some(_)) => malformed(
            "`/retest` stands alone on its line and runs every failed test again; for one test write `/test <service>`",
        ),
        ("/cancel", None) => Command::Cancel,
        ("/cancel", Some(_)) => malformed("`/cancel` stands alone on its line and stops the whole run"),
        ("/test", name) => test(name.filter(|_| !more), more),
        ("/ok-to-test", sha) => admit(sha.filter(|_| !more)),
        (other, _) => slip(other)?,
    })
}

fn malformed(sentence: &str) -> Command {
    Command::Malformed(format!("{sentence}."))
}

fn test(name: Option<&str>, has_more: bool) -> Command {
    const FORM: &str = "write `/test <service>`, `/test checks` or `/test integration`";
    match name {
        Some("checks") => Command::Test(Subject::Checks),
        Some("integration") => Command::Test(Subject::Integration),
        Some(name) => name.parse::<ServiceName>().map_or_else(
            |_| malformed(&format!("`{}` is no service's name: {FORM}", shown(name))),
            |service| Command::Test(Subject::Service(service)),
        ),
        None if has_more => malformed(&format!("`/test` takes one name; {FORM}, each on a line of its own")),
        None => malformed(&format!("`/test` wants to know what: {FORM}; `/retest` takes all that failed")),
    }
}

fn admit(sha: Option<&str>) -> Command {
    const FORM: &str = "write `/ok-to-test` and the commit's 40 digits, nothing else";
    let Some(given) = sha else {
        return malformed(&format!(
            "`/ok-to-test` admits one commit, so that a push after it does not slip through: {FORM}"
        ));
    };
    if let Ok(sha) = given.to_ascii_lowercase().parse::<Sha>() {
        return Command::OkToTest(sha);
    }
    let is_short = given.len() < 40 && given.bytes().all(|digit| digit.is_ascii_hexdigit());
    let shown = shown(given);
    malformed(&if is_short {
        format!(
            "`{shown}` is only the beginning of a commit's id, and another commit can be made that begins so: {FORM}"
        )
    } else {
        format!("`{shown}` is no commit's id: {FORM}")
    })
}

/// A word that is one of ours but for a slip of the fingers. A path is none.
fn slip(verb: &str) -> Option<Command> {
    if verb.len() < SHORTEST_SLIP || verb[1..].contains('/') {
        return None;
    }
    let near = did_you_mean(verb, VERBS);
    let shown = shown(verb);
    (!near.is_empty()).then(|| Command::Malformed(format!("`{shown}` is no command;{near}")))
}

/// A hostile word, fit to stand between backticks.
fn shown(word: &str) -> String {
    text::first_line(word, 40).replace('`', "'")
}

#[cfg(test)]
mod tests;
