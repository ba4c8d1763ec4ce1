//! Which kind of report a file is, recognised by what it holds: its name is the user's to choose.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{stream, xml};
use crate::text;

const KNOWN: &str = "JUnit XML, Cobertura XML, coverage.py's JSON, bandit's JSON and SARIF 2.1.0 are read";

/// The kinds that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    JUnit,
    Cobertura,
    CoverageJson,
    Bandit,
    Sarif,
}

/// Recognises the kind, or says why it is none.
pub(super) fn recognise(bytes: &[u8]) -> Result<Kind, String> {
    let bare = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes).trim_ascii_start();
    match bare.first() {
        None => Err("it is empty".to_owned()),
        Some(b'<') => by_root(&String::from_utf8_lossy(bare)),
        Some(b'{') => by_fields(bare),
        Some(_) => Err(format!("it is neither XML nor a JSON object; {KNOWN}")),
    }
}

fn by_root(xml: &str) -> Result<Kind, String> {
    let mut reader = Reader::from_str(xml);
    loop {
        match reader.read_event().map_err(|error| xml::told(&error))? {
            Event::Start(element) | Event::Empty(element) => {
                let name: &str = element.local_name().into_inner();
                return match name {
                    "testsuites" | "testsuite" => Ok(Kind::JUnit),
                    "coverage" => Ok(Kind::Cobertura),
                    _ => Err(format!("its root is `{}`; {KNOWN}", text::first_line(name, 40))),
                };
            }
            Event::Eof => return Err("it ends too early".to_owned()),
            _ => {}
        }
    }
}

/// The fields that tell the kinds apart.
#[derive(Deserialize)]
struct Fields {
    runs: Option<IgnoredAny>,
    totals: Option<IgnoredAny>,
    results: Option<IgnoredAny>,
    errors: Option<IgnoredAny>,
}

fn by_fields(json: &[u8]) -> Result<Kind, String> {
    match stream::object(json)? {
        Fields { runs: Some(_), .. } => Ok(Kind::Sarif),
        Fields { totals: Some(_), .. } => Ok(Kind::CoverageJson),
        Fields { results: Some(_), errors: Some(_), .. } => Ok(Kind::Bandit),
        _ => Err(format!("it is JSON of another kind; {KNOWN}")),
    }
}
