//! YAML text as a tree that knows where each of its values stands, built within budgets that keep hostile text cheap.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};

use super::{FileError, Problems};
use crate::text;

/// How deep lists and mappings may lie in each other; the files' own forms need six.
const DEEPEST: usize = 24;
/// How much may be repeated by `*alias`, in bytes of text and [`VALUE_WEIGHT`] for each value.
const MOST_REPEATED: usize = 1024 * 1024;
const VALUE_WEIGHT: usize = 16;

/// Where something stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl From<Marker> for Place {
    fn from(marker: Marker) -> Self {
        let known = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self { line: known(marker.line()), column: known(marker.col()).saturating_add(1) }
    }
}

/// A value and its place. Values that an alias repeats are shared, not copied.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Scalar(Scalar),
    List(Vec<Arc<Node>>),
    Map(Vec<Entry>),
}

/// A single value: text, a number, `true`, nothing.
#[derive(Debug)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Written without quotes, so that `80` is a number.
    pub(super) plain: bool,
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) value: Arc<Node>,
}

impl Node {
    /// The entries, where it is a mapping.
    pub(super) fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            Value::Scalar(_) | Value::List(_) => None,
        }
    }

    /// What stands for a value that was refused.
    fn nothing(place: Place) -> Self {
        Self { place, value: Value::Scalar(Scalar { text: String::new(), plain: true }) }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }
}

impl Scalar {
    pub(super) fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// The tree of a text; none where it is not YAML or holds nothing, which is then among the problems.
pub(super) fn tree(source: &str, problems: &mut Problems) -> Option<Arc<Node>> {
    let mut options = granit_parser::options! {
        disallow_directives: true,
        emit_unresolved_aliases: true,
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST,
    };
    options.set_emit_comments(false);
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(source, options) {
        let step = event
            .map_err(|error| FileError::at((*error.marker()).into(), broken(&error)))
            .and_then(|(event, span)| builder.take(event, span, problems));
        if let Err(fatal) = step {
            problems.add(fatal);
            return None;
        }
    }
    let root = builder.root.filter(|root| !root.is_null());
    if root.is_none() {
        problems.add(FileError::everywhere("the file is empty; it begins with `version: 1`"));
    }
    root
}

/// What the parser stops at, for someone who does not know its grammar.
fn broken(error: &ScanError) -> String {
    use granit_parser::ErrorKind;
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => {
            format!("lists and mappings lie in each other deeper than {DEEPEST} levels")
        }
        ErrorKind::DirectiveDisallowed => "YAML directives (`%…`) are not allowed".to_owned(),
        ErrorKind::TabInIndentation | ErrorKind::TabInBlockIndentation | ErrorKind::TabNotAllowed => {
            "a tab stands where YAML wants spaces".to_owned()
        }
        ErrorKind::UnexpectedCharacter { character } => {
            format!("this is not YAML: the character `{}` cannot stand here", character.escape_default())
        }
        kind => format!("this is not YAML: {}", text::first_line(&kind.to_string(), 200)),
    }
}

/// What is open while the events come in.
#[derive(Debug, Default)]
struct Builder {
    open: Vec<Frame>,
    anchors: HashMap<usize, (Arc<Node>, usize)>,
    repeated: usize,
    documents: usize,
    root: Option<Arc<Node>>,
}

/// A list or mapping whose end has not come yet.
#[derive(Debug)]
struct Frame {
    place: Place,
    anchor: usize,
    weight: usize,
    content: Content,
}

#[derive(Debug)]
enum Content {
    List(Vec<Arc<Node>>),
    Map { entries: Vec<Entry>, seen: HashSet<String>, key: Option<Key> },
}

/// A key that waits for its value.
#[derive(Debug)]
enum Key {
    Text(String, Place),
    /// Refused already; its value is read and forgotten.
    Refused,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span, problems: &mut Problems) -> Result<(), FileError> {
        let place = Place::from(span.start);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let message = "the file must be one document, without a second `---`";
                    return Err(FileError::at(place, message));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.as_deref(), span, problems);
                let weight = VALUE_WEIGHT + text.len();
                let scalar = Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                self.put(Node { place, value: Value::Scalar(scalar) }, anchor, weight, problems);
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_tag(tag.as_deref(), span, problems);
                self.begin(place, anchor, Content::List(Vec::new()));
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_tag(tag.as_deref(), span, problems);
                let content = Content::Map { entries: Vec::new(), seen: HashSet::new(), key: None };
                self.begin(place, anchor, content);
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(problems),
            Event::Alias(anchor) => {
                let Some((node, weight)) = self.anchors.get(&anchor).cloned() else {
                    problems.at(place, "this alias repeats the very value that it is part of");
                    self.put(Node::nothing(place), 0, VALUE_WEIGHT, problems);
                    return Ok(());
                };
                self.repeated += weight;
                if self.repeated > MOST_REPEATED {
                    return Err(FileError::at(
                        place,
                        format!(
                            "with what its aliases (`*…`) repeat, the file grows by more than {MOST_REPEATED} bytes"
                        ),
                    ));
                }
                self.hang(node, weight, problems);
            }
            Event::UnresolvedAlias(name) => {
                let name = text::first_line(&name, 80);
                problems.at(place, format!("`*{name}` repeats nothing: no `&{name}` stands before it"));
                self.put(Node::nothing(place), 0, VALUE_WEIGHT, problems);
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, place: Place, anchor: usize, content: Content) {
        self.open.push(Frame { place, anchor, weight: VALUE_WEIGHT, content });
    }

    fn end(&mut self, problems: &mut Problems) {
        if let Some(Frame { place, anchor, weight, content }) = self.open.pop() {
            let value = match content {
                Content::List(nodes) => Value::List(nodes),
                Content::Map { entries, .. } => Value::Map(entries),
            };
            self.put(Node { place, value }, anchor, weight, problems);
        }
    }

    /// A value is complete.
    fn put(&mut self, node: Node, anchor: usize, weight: usize, problems: &mut Problems) {
        let node = Arc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, (Arc::clone(&node), weight));
        }
        self.hang(node, weight, problems);
    }

    /// Hangs a value where it belongs.
    fn hang(&mut self, node: Arc<Node>, weight: usize, problems: &mut Problems) {
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        frame.weight += weight;
        match &mut frame.content {
            Content::List(nodes) => nodes.push(node),
            Content::Map { entries, seen, key } => match key.take() {
                None => *key = Some(key_of(&node, seen, problems)),
                Some(Key::Text(key, place)) => entries.push(Entry { key, place, value: node }),
                Some(Key::Refused) => {}
            },
        }
    }
}

fn key_of(node: &Node, seen: &mut HashSet<String>, problems: &mut Problems) -> Key {
    let refuse = |message: String, problems: &mut Problems| {
        problems.at(node.place, message);
        Key::Refused
    };
    match &node.value {
        Value::Scalar(scalar) if scalar.plain && scalar.text == "<<" => refuse(
            "merge keys (`<<`) are not understood; repeat a whole value with `*name`, or write it out"
                .to_owned(),
            problems,
        ),
        Value::Scalar(scalar) if seen.insert(scalar.text.clone()) => {
            Key::Text(scalar.text.clone(), node.place)
        }
        Value::Scalar(scalar) => {
            let key = text::first_line(&scalar.text, 80);
            refuse(format!("`{key}` is there twice in the same mapping; keep one of them"), problems)
        }
        Value::List(_) | Value::Map(_) => {
            refuse("a key must be a word, not a list or mapping".to_owned(), problems)
        }
    }
}

fn refuse_tag(tag: Option<&granit_parser::Tag>, span: Span, problems: &mut Problems) {
    if let Some(tag) = tag {
        let tag = text::first_line(&tag.original(), 80);
        problems.at(
            span.tag_start().unwrap_or(span.start).into(),
            format!("the tag `{tag}` is not allowed; quotes make text of a value, and no tag is needed"),
        );
    }
}
