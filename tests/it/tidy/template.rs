//! template.yaml, read for its functions, queues and roles.
//!
//! Tags are ignored, so that `!Ref Table` reads as `Table` and `!GetAtt Table.Arn` as `Table.Arn`.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde_json::Value;

pub(super) const FILE: &str = "template.yaml";

pub(super) struct Template {
    resources: BTreeMap<String, Value>,
    pub(super) functions: Vec<Function>,
}

/// One Lambda function.
pub(super) struct Function {
    /// Its logical id.
    pub(super) id: String,
    /// As in its folder's name.
    pub(super) name: String,
    pub(super) timeout: u64,
    /// The logical id of its role.
    pub(super) role: String,
    pub(super) variables: BTreeMap<String, String>,
    /// Its SQS sources: the queue's logical id, and whether single messages of a batch may fail.
    pub(super) sources: Vec<(String, bool)>,
}

impl Template {
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let document: Value = serde_saphyr::from_str(text).context("template.yaml is not YAML")?;
        let resources: BTreeMap<String, Value> = serde_json::from_value(document["Resources"].clone())?;
        let mut template = Self { resources, functions: Vec::new() };
        let functions: anyhow::Result<Vec<_>> = template
            .of_type("AWS::Serverless::Function")
            .map(|(id, properties)| function(id, properties))
            .collect();
        template.functions = functions?;
        ensure!(template.functions.len() == 9, "the template has {} functions", template.functions.len());
        Ok(template)
    }

    /// Logical ids and properties of all resources of a type.
    pub(super) fn of_type(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.resources
            .iter()
            .filter(move |(_, resource)| resource["Type"] == kind)
            .map(|(id, resource)| (id.as_str(), &resource["Properties"]))
    }

    pub(super) fn properties(&self, id: &str) -> Option<&Value> {
        self.resources.get(id).map(|resource| &resource["Properties"])
    }

    /// The statements of a role's own policies.
    pub(super) fn statements(&self, role: &str) -> Vec<Statement> {
        let policies = self.properties(role).map_or(&[][..], |role| list(&role["Policies"]));
        policies.iter().flat_map(|policy| statements(&policy["PolicyDocument"])).collect()
    }
}

/// A statement of a policy, its actions and resources as lists.
pub(super) struct Statement {
    pub(super) actions: Vec<String>,
    pub(super) resources: Vec<String>,
    pub(super) principal: String,
    /// The one ARN that `aws:SourceArn` must equal.
    pub(super) source: String,
}

pub(super) fn statements(document: &Value) -> Vec<Statement> {
    let one = |statement: &Value| Statement {
        actions: texts(&statement["Action"]),
        resources: texts(&statement["Resource"]),
        principal: statement["Principal"]["Service"].as_str().unwrap_or_default().to_owned(),
        source: statement["Condition"]["ArnEquals"]["aws:SourceArn"].as_str().unwrap_or_default().to_owned(),
    };
    let granted = |statement: &&Value| statement["Effect"] != "Deny";
    list(&document["Statement"]).iter().filter_map(chosen).filter(granted).map(one).collect()
}

/// What stands there where the condition of an `!If` holds; the value itself where there is none.
pub(super) fn chosen(value: &Value) -> Option<&Value> {
    match value {
        Value::Array(choice) if choice.len() == 3 && choice[0].is_string() => choice.get(1),
        value => Some(value),
    }
}

fn function(id: &str, properties: &Value) -> anyhow::Result<Function> {
    let code = properties["CodeUri"].as_str().unwrap_or_default();
    let name = code
        .strip_prefix("functions/")
        .with_context(|| format!("CodeUri `{code}` is no function's folder"))?;
    let variables = properties["Environment"]["Variables"].as_object().cloned().unwrap_or_default();
    let events = properties["Events"].as_object().cloned().unwrap_or_default();
    Ok(Function {
        id: id.to_owned(),
        name: name.to_owned(),
        timeout: properties["Timeout"].as_u64().with_context(|| format!("`{name}` has no timeout"))?,
        role: properties["Role"].as_str().and_then(arn_of).unwrap_or_default().to_owned(),
        variables: variables
            .into_iter()
            .map(|(name, value)| (name, value.as_str().unwrap_or_default().to_owned()))
            .collect(),
        sources: events
            .values()
            .filter(|event| event["Type"] == "SQS")
            .map(|event| {
                let queue = event["Properties"]["Queue"].as_str().and_then(arn_of).unwrap_or_default();
                let types = texts(&event["Properties"]["FunctionResponseTypes"]);
                (queue.to_owned(), types.iter().any(|kind| kind == "ReportBatchItemFailures"))
            })
            .collect(),
    })
}

/// The logical id in `<id>.Arn`.
pub(super) fn arn_of(reference: &str) -> Option<&str> {
    reference.strip_suffix(".Arn")
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// One text or several.
pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        value => list(value).iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}
