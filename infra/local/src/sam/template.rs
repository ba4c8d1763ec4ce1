//! The template as `sam local` needs it.
//!
//! SAM knows neither what a `!Ref` is in the running cloud nor where cargo puts a binary. So these are written into a
//! copy: each function's variables with the values it is deployed with, the folder of the binaries, this machine's
//! architecture, and the function behind the API's route. Everything else is the same text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use local_ministack::{ACCOUNT, REGION};

/// The variables of a function by name.
pub(crate) type Variables = BTreeMap<String, String>;

/// What replaces the parts of the template that only a deploy knows.
#[derive(Debug, Default)]
pub(crate) struct Fitting {
    /// The folder of all functions; the handler's name tells which one is meant.
    pub(crate) folder: String,
    /// This machine's, as Lambda calls it.
    pub(crate) architecture: &'static str,
    /// What every function gets beside its own variables.
    pub(crate) shared: Variables,
    /// Each function's own, by the name of its folder.
    pub(crate) functions: BTreeMap<String, Variables>,
}

/// The names of the template's functions.
pub(crate) fn functions(template: &str) -> impl Iterator<Item = &str> {
    template.lines().filter_map(code_uri)
}

/// The fitted copy.
pub(crate) fn fitted(template: &str, fitting: &Fitting) -> String {
    let mut text = String::with_capacity(template.len() * 2);
    let mut own = None;
    for line in template.lines() {
        if let Some(name) = code_uri(line) {
            own = fitting.functions.get(name);
            let _ = write!(text, "{0}CodeUri: {1:?}\n{0}Handler: {name}", indent(line), fitting.folder);
        } else if line.trim() == "Architectures: [!Ref Architecture]" {
            let indent = indent(line);
            let _ = writeln!(text, "{indent}Architectures: [{}]", fitting.architecture);
            let _ = write!(text, "{indent}Environment:\n{indent}  Variables:");
            for (name, value) in &fitting.shared {
                let _ = write!(text, "\n{indent}    {name}: {value:?}");
            }
        } else if let Some(id) = integrated(line) {
            // SAM reads the logical id out of it, and nobody else reads it.
            let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{id}");
            let _ = write!(text, "{}IntegrationUri: {arn}", indent(line));
        } else if let Some((name, value)) = own.and_then(|own| variable(line, own)) {
            let _ = write!(text, "{}{name}: {value:?}", indent(line));
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}

fn code_uri(line: &str) -> Option<&str> {
    line.trim().strip_prefix("CodeUri: functions/")
}

/// The logical id of the function that an API hands requests to.
fn integrated(line: &str) -> Option<&str> {
    line.trim().strip_prefix("IntegrationUri: !GetAtt ")?.strip_suffix(".Arn")
}

/// The variable that is set in this line, if it is one of the function's.
fn variable<'a>(line: &str, own: &'a Variables) -> Option<(&'a String, &'a String)> {
    own.get_key_value(line.trim().split_once(": ")?.0)
}

fn indent(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "Globals:
  Function:
    Architectures: [!Ref Architecture]
Resources:
  Table:
    Type: AWS::DynamoDB::Table
  PlanFunction:
    Properties:
      CodeUri: functions/plan
      Environment:
        Variables:
          TABLE_NAME: !Ref Table
  ApiIntegration:
    Properties:
      IntegrationUri: !GetAtt PlanFunction.Arn
";

    #[test]
    fn variables_folders_and_the_architecture_are_fitted() {
        let variables = |name: &str, value: &str| Variables::from([(name.to_owned(), value.to_owned())]);
        let fitting = Fitting {
            folder: "/srv/debug".to_owned(),
            architecture: "x86_64",
            shared: variables("AWS_ENDPOINT_URL", "http://127.0.0.1:4570"),
            functions: BTreeMap::from([("plan".to_owned(), variables("TABLE_NAME", "slipway-Table"))]),
        };

        assert_eq!(functions(TEMPLATE).collect::<Vec<_>>(), ["plan"]);
        let expected = TEMPLATE
            .replace(
                "Architectures: [!Ref Architecture]\n",
                "Architectures: [x86_64]\n    Environment:\n      Variables:\n        \
                 AWS_ENDPOINT_URL: \"http://127.0.0.1:4570\"\n",
            )
            .replace("CodeUri: functions/plan", "CodeUri: \"/srv/debug\"\n      Handler: plan")
            .replace(
                "!GetAtt PlanFunction.Arn",
                "arn:aws:lambda:us-east-1:000000000000:function:PlanFunction",
            )
            .replace("!Ref Table", "\"slipway-Table\"");
        assert_eq!(fitted(TEMPLATE, &fitting), expected);
    }
}
