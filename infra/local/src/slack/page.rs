//! The page that shows the channels as a person would see them.

use std::fmt::Write as _;

use super::Message;

const HEAD: &str = "<!doctype html><meta charset=utf-8><meta http-equiv=refresh content=2><title>Slack</title>\
<style>body{font:15px/1.45 sans-serif;max-width:46em;margin:2em auto;color:#1d1c1d}\
pre{font:inherit;white-space:pre-wrap;margin:0 0 .8em}.reply{margin-left:2em;border-left:3px solid #ddd;\
padding-left:1em}small{color:#777}</style>";

/// All messages, each thread below its first message.
pub(super) fn render(messages: &[Message]) -> String {
    let mut page = HEAD.to_owned();
    if messages.is_empty() {
        page.push_str("<p>Nothing was posted yet.</p>");
    }
    for first in messages.iter().filter(|message| message.thread_ts.is_none()) {
        show(&mut page, first, "first");
        let replies = messages.iter().filter(|message| message.thread_ts.as_ref() == Some(&first.ts));
        for reply in replies {
            show(&mut page, reply, "reply");
        }
    }
    page
}

fn show(page: &mut String, message: &Message, class: &str) {
    let edited = if message.changes == 0 { "" } else { " (edited)" };
    let text = escape(&message.text);
    let channel = escape(&message.channel);
    let _ = write!(page, "<div class={class}><small>{channel}{edited}</small><pre>{text}</pre></div>");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
