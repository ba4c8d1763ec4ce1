//! The parts of the form that are read; the rest is skipped.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::stream::{AnyList, AtMost, First};
use crate::text;

/// How many parts of a result's id may follow its rule's.
const DEEPEST_ID: usize = 5;

/// The whole file.
#[derive(Deserialize)]
pub(super) struct Log {
    pub version: String,
    pub runs: AtMost<Run, 50>,
}

/// One run of one tool, without its results.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    pub tool: Tool,
    #[serde(default)]
    pub results: Presence,
    #[serde(default)]
    pub artifacts: AtMost<Artifact, 50_000>,
    #[serde(default)]
    pub invocations: AtMost<Invocation, 100>,
    pub original_uri_base_ids: Option<BTreeMap<String, ArtifactLocation>>,
}

/// Whether a list is there; null says that it is not.
#[derive(Default)]
pub(super) struct Presence(Option<AnyList>);

impl Presence {
    pub(super) fn is_there(&self) -> bool {
        self.0.is_some()
    }
}

impl<'de> Deserialize<'de> for Presence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self)
    }
}

#[derive(Deserialize)]
pub(super) struct Tool {
    pub driver: Component,
    #[serde(default)]
    pub extensions: AtMost<Component, 200>,
}

#[derive(Deserialize)]
pub(super) struct Component {
    pub name: Option<String>,
    #[serde(default)]
    pub rules: AtMost<Rule, 20_000>,
    /// Where each rule stands, by its id; made by [`Run::index`].
    #[serde(skip)]
    pub by_id: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule {
    pub id: Option<String>,
    pub short_description: Option<Message>,
    pub default_configuration: Option<Configuration>,
    #[serde(default)]
    pub properties: Properties,
}

#[derive(Deserialize)]
pub(super) struct Configuration {
    pub level: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invocation {
    pub execution_successful: Option<bool>,
    #[serde(default)]
    pub rule_configuration_overrides: First<IgnoredAny>,
}

/// A result.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finding {
    pub rule_id: Option<String>,
    pub rule_index: Option<i64>,
    pub rule: Option<RuleReference>,
    pub kind: Option<String>,
    pub level: Option<String>,
    pub message: Option<Message>,
    #[serde(default)]
    pub locations: First<Location>,
    #[serde(default)]
    pub suppressions: AtMost<Suppression, 100>,
    pub baseline_state: Option<String>,
    #[serde(default)]
    pub properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuleReference {
    pub id: Option<String>,
    pub index: Option<i64>,
    pub tool_component: Option<ComponentReference>,
}

#[derive(Deserialize)]
pub(super) struct ComponentReference {
    pub index: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct Message {
    pub text: Option<String>,
    pub markdown: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Suppression {
    pub status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Location {
    pub physical_location: Option<PhysicalLocation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhysicalLocation {
    pub artifact_location: Option<ArtifactLocation>,
    pub region: Option<Region>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ArtifactLocation {
    pub uri: Option<String>,
    pub uri_base_id: Option<String>,
    pub index: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Region {
    pub start_line: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct Artifact {
    pub location: Option<ArtifactLocation>,
}

/// The one property that GitHub gave a meaning.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Properties {
    #[serde(rename = "security-severity")]
    pub security_severity: Score,
}

/// A number, or the text of one; anything else is none.
#[derive(Default)]
pub(super) struct Score(pub Option<f64>);

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScoreVisitor).map(Self)
    }
}

struct ScoreVisitor;

#[expect(clippy::cast_precision_loss, reason = "scores lie between 0 and 10")]
impl<'de> Visitor<'de> for ScoreVisitor {
    type Value = Option<f64>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number or its text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.trim().parse().ok())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(number as f64))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(number as f64))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl Run {
    /// The tool's name, fit to be shown.
    pub(super) fn name(&self) -> String {
        let name = text::first_line(self.tool.driver.name.as_deref().unwrap_or_default(), 60);
        if name.is_empty() { "the tool".to_owned() } else { name }
    }

    /// Whether the tool says itself that it did not do its work (§3.20.14).
    pub(super) fn failed(&self) -> bool {
        self.invocations.0.iter().any(|invocation| invocation.execution_successful == Some(false))
    }

    /// The rule that a result violates, by its place in the tool, else by its id (§3.52.3).
    pub(super) fn rule(&self, finding: &Finding) -> Option<&Rule> {
        let reference = finding.rule.as_ref();
        let component = match reference.and_then(|rule| rule.tool_component.as_ref()?.index) {
            Some(index) => at(&self.tool.extensions.0, index)?,
            None => &self.tool.driver,
        };
        let index = reference.and_then(|rule| rule.index).or(finding.rule_index);
        if let Some(rule) = index.and_then(|index| at(&component.rules.0, index)) {
            return Some(rule);
        }
        // A result may name a part of its rule: `CA1000/1` belongs to `CA1000` (§3.27.5).
        let mut id = id(finding)?;
        for _ in 0..DEEPEST_ID {
            if let Some(index) = component.by_id.get(id) {
                return component.rules.0.get(*index);
            }
            (id, _) = id.rsplit_once('/')?;
        }
        None
    }

    /// Makes the rules known by their ids: a report may have thousands of rules, and of results that name them.
    pub(super) fn index(&mut self) {
        let driver = std::iter::once(&mut self.tool.driver);
        for component in driver.chain(&mut self.tool.extensions.0) {
            for (index, rule) in component.rules.0.iter().enumerate() {
                if let Some(id) = &rule.id {
                    component.by_id.entry(id.clone()).or_insert(index);
                }
            }
        }
    }

    /// What the rule is called, fit to be shown.
    pub(super) fn rule_name<'a>(&'a self, finding: &'a Finding) -> Cow<'a, str> {
        let named = id(finding).or_else(|| self.rule(finding)?.id.as_deref());
        Cow::Owned(text::first_line(named.unwrap_or("finding"), 100))
    }

    /// What the result says; else what its rule is about.
    pub(super) fn message(&self, finding: &Finding) -> String {
        let said = |message: Option<&Message>| {
            let message = message?;
            message.text.as_deref().or(message.markdown.as_deref()).map(|text| text::first_line(text, 500))
        };
        said(finding.message.as_ref())
            .or_else(|| said(self.rule(finding)?.short_description.as_ref()))
            .filter(|message| !message.is_empty())
            .unwrap_or_else(|| "found without a message".to_owned())
    }
}

/// An element by an index from outside; -1 stands for none.
pub(super) fn at<T>(list: &[T], index: i64) -> Option<&T> {
    list.get(usize::try_from(index).ok()?)
}

fn id(finding: &Finding) -> Option<&str> {
    finding.rule_id.as_deref().or_else(|| finding.rule.as_ref()?.id.as_deref())
}
