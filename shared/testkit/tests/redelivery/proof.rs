//! The suite sees what it is there for: without a guard of the other side it fails.

use testkit::fakes::Guard;

use crate::Handler;
use crate::harness::disturb_without;

/// The scenarios of a handler catch the missing guard.
fn caught(guard: Guard, handler: Handler) {
    let report = disturb_without(guard, handler);
    assert!(!report.faults.is_empty(), "{} without {guard:?} stands {} plays", handler.name(), report.plays);
}

#[test]
fn builds_without_tokens_are_seen() {
    caught(Guard::Tokens, Handler::Build);
}

#[test]
fn writes_without_conditions_are_seen() {
    caught(Guard::Versions, Handler::Publish);
}

#[test]
fn a_lock_that_everybody_gets_is_seen() {
    caught(Guard::Locks, Handler::Deploy);
}

#[test]
fn check_runs_without_names_are_seen() {
    caught(Guard::CheckNames, Handler::Notify);
}

#[test]
fn comments_without_marks_are_seen() {
    caught(Guard::CommentMarks, Handler::Notify);
}
