//! What template.yaml says of its functions: their names and the memory that their time is billed by.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};

/// The functions of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    /// Memory in megabytes by the function's name without the stack's.
    pub(crate) functions: BTreeMap<String, u32>,
}

impl Template {
    /// Reads the template.
    ///
    /// # Errors
    /// When it cannot be read, or a function says nothing of its memory.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    /// Lines are read, not YAML: its tags (`!Ref`) are CloudFormation's own, and two lines of each function matter.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut functions = BTreeMap::new();
        let mut open: Option<&str> = None;
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("CodeUri: functions/") {
                ensure!(open.is_none(), "the function `{}` has no MemorySize", open.unwrap_or_default());
                open = Some(name);
            } else if let Some(size) = line.strip_prefix("MemorySize: ") {
                let name = open.take().context("a MemorySize stands before its function's CodeUri")?;
                let size = size.parse().with_context(|| format!("the MemorySize of `{name}`"))?;
                functions.insert(name.to_owned(), size);
            }
        }
        ensure!(open.is_none(), "the function `{}` has no MemorySize", open.unwrap_or_default());
        ensure!(!functions.is_empty(), "there is no function");
        Ok(Self { functions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_by_function() {
        let text = "a:\n  CodeUri: functions/plan\n  Role: x\n  MemorySize: 512\nb:\n  CodeUri: functions/test\n  MemorySize: 128\n";

        let template = Template::parse(text).expect("a template");

        let expected = [("plan", 512), ("test", 128)].map(|(name, size)| (name.to_owned(), size));
        assert_eq!(template.functions, expected.into());
    }

    #[test]
    fn a_function_without_memory_is_noticed() {
        for text in [
            "",
            "CodeUri: functions/plan\n",
            "CodeUri: functions/plan\nCodeUri: functions/test\nMemorySize: 1\n",
            "MemorySize: 1\n",
        ] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_real_template_has_nine_functions() {
        let template = Template::read(&local::workspace().join("template.yaml")).expect("the template");

        let names: Vec<_> = template.functions.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["build", "deploy", "notify", "plan", "publish", "sweep", "test", "verify", "webhook"]
        );
    }
}
