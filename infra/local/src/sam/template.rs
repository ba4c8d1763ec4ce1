//! The template as `sam local` needs it.
//!
//! SAM knows neither what a `!Ref` is in the running cloud nor where cargo puts a binary. So these are written into a
//! copy: each function's variables with the values it is deployed with, its folder, and this machine's architecture.
//! Everything else is the same text.

use std::collections::BTreeMap;

/// The variables of a function by name.
pub(crate) type Variables = BTreeMap<String, String>;

/// What replaces the parts of the template that only a deploy knows.
#[derive(Debug, Default)]
pub(crate) struct Fitting {
    /// This machine's, as Lambda calls it.
    pub(crate) architecture: &'static str,
    /// What every function gets beside its own variables.
    pub(crate) shared: Variables,
    /// Each function's own, by the name of its folder.
    pub(crate) functions: BTreeMap<String, Variables>,
}

/// The names of the template's functions and their logical ids.
pub(crate) fn functions(template: &str) -> Vec<(String, String)> {
    let mut functions = Vec::new();
    let mut resource = "";
    for line in template.lines() {
        if let Some(id) = line.strip_prefix("  ").and_then(|line| line.strip_suffix(':'))
            && !id.starts_with([' ', '#'])
        {
            resource = id;
        }
        if let Some(name) = code_uri(line) {
            functions.push((name.to_owned(), resource.to_owned()));
        }
    }
    functions
}

/// The fitted copy.
pub(crate) fn fitted(template: &str, fitting: &Fitting) -> String {
    let mut text = String::with_capacity(template.len() * 2);
    let mut own = None;
    for line in template.lines() {
        if let Some(name) = code_uri(line) {
            own = fitting.functions.get(name);
            text.push_str(&line.replace("functions/", ""));
        } else if line.trim() == "Architectures: [!Ref Architecture]" {
            let indent = indent(line);
            text.push_str(&format!("{indent}Architectures: [{}]\n", fitting.architecture));
            text.push_str(&format!("{indent}Environment:\n{indent}  Variables:"));
            for (name, value) in &fitting.shared {
                text.push_str(&format!("\n{indent}    {name}: {value:?}"));
            }
        } else if let Some((name, value)) = own.and_then(|own| variable(line, own)) {
            text.push_str(&format!("{}{name}: {value:?}", indent(line)));
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
";

    #[test]
    fn variables_folders_and_the_architecture_are_fitted() {
        let variables = |name: &str, value: &str| Variables::from([(name.to_owned(), value.to_owned())]);
        let fitting = Fitting {
            architecture: "x86_64",
            shared: variables("AWS_ENDPOINT_URL", "http://127.0.0.1:4570"),
            functions: BTreeMap::from([("plan".to_owned(), variables("TABLE_NAME", "slipway-Table"))]),
        };

        assert_eq!(functions(TEMPLATE), [("plan".to_owned(), "PlanFunction".to_owned())]);
        let expected = TEMPLATE
            .replace(
                "Architectures: [!Ref Architecture]\n",
                "Architectures: [x86_64]\n    Environment:\n      Variables:\n        \
                 AWS_ENDPOINT_URL: \"http://127.0.0.1:4570\"\n",
            )
            .replace("functions/plan", "plan")
            .replace("!Ref Table", "\"slipway-Table\"");
        assert_eq!(fitted(TEMPLATE, &fitting), expected);
    }
}
