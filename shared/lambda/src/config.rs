//! Configuration from the environment: read once, complete, all problems reported together.

use std::collections::BTreeMap;

use domain::message::QueueName;

/// Reads variables and remembers what is missing.
#[derive(Debug, Default)]
pub struct Variables {
    missing: Vec<&'static str>,
}

/// Variables that template.yaml should have set.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("these environment variables are missing or empty: {}; template.yaml sets them", .0.join(", "))]
pub struct Missing(Vec<&'static str>);

impl Variables {
    /// The variable's text; empty, and remembered as missing, where it is not set.
    pub fn text(&mut self, name: &'static str) -> String {
        let value = std::env::var(name).unwrap_or_default();
        if value.is_empty() {
            self.missing.push(name);
        }
        value
    }

    /// The URLs of these queues.
    pub fn queues(&mut self, names: &[QueueName]) -> BTreeMap<QueueName, String> {
        names.iter().map(|name| (*name, self.text(name.variable()))).collect()
    }

    /// The variable's text, where it is set and not empty.
    pub fn optional(name: &'static str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Names every variable that was missing.
    pub fn complete(self) -> Result<(), Missing> {
        if self.missing.is_empty() { Ok(()) } else { Err(Missing(self.missing)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_variable_is_named_at_once() {
        let mut variables = Variables::default();
        assert_eq!(variables.text("SLIPWAY_NOT_SET_ONE"), "");
        assert_eq!(variables.text("SLIPWAY_NOT_SET_TWO"), "");
        let problem = variables.complete().expect_err("two are missing").to_string();
        assert!(problem.contains("SLIPWAY_NOT_SET_ONE, SLIPWAY_NOT_SET_TWO"), "{problem}");
    }
}
