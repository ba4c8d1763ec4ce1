//! A build specification, version 0.2: what is run, in which order, and what is kept.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::Value;

/// The parts of a build specification that this executor follows.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct Buildspec {
    version: Value,
    pub(crate) env: Env,
    pub(crate) phases: BTreeMap<String, PhaseCommands>,
    pub(crate) artifacts: Option<ArtifactFiles>,
    pub(crate) cache: CacheFiles,
}

/// Variables and the shell.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct Env {
    pub(crate) shell: Option<String>,
    pub(crate) variables: BTreeMap<String, Value>,
    pub(crate) secrets_manager: BTreeMap<String, String>,
    pub(crate) parameter_store: BTreeMap<String, String>,
    pub(crate) exported_variables: Vec<String>,
}

/// The commands of one phase.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct PhaseCommands {
    pub(crate) commands: Vec<String>,
    /// Run after the commands, whether they passed or not.
    pub(crate) finally: Vec<String>,
    /// `CONTINUE` lets the build go on after a failure of this phase.
    pub(crate) on_failure: Option<String>,
}

/// Which files later builds are to find again.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct CacheFiles {
    /// A text in which the shell fills in what the copy depends on; without one there is a single copy.
    pub(crate) key: Option<String>,
    pub(crate) paths: Vec<String>,
}

/// Which files are kept.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct ArtifactFiles {
    pub(crate) files: Vec<String>,
    pub(crate) exclude_paths: Vec<String>,
    pub(crate) base_directory: Option<String>,
    pub(crate) discard_paths: Value,
    pub(crate) name: Option<String>,
}

impl ArtifactFiles {
    /// Whether all files are put side by side; written as `yes` by CodeBuild's own examples.
    pub(crate) fn discards_paths(&self) -> bool {
        matches!(&self.discard_paths, Value::Bool(true)) || self.discard_paths.as_str() == Some("yes")
    }
}

impl Buildspec {
    /// Reads a build specification.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let buildspec: Self =
            serde_saphyr::from_str(text).context("the build specification is not valid YAML")?;
        let version = match &buildspec.version {
            Value::String(version) => version.clone(),
            other => other.to_string(),
        };
        ensure!(version == "0.2", "version `{version}` of the build specification is not supported: use 0.2");
        ensure!(!buildspec.phases.is_empty(), "the build specification names no phases");
        for phase in buildspec.phases.keys() {
            let known = ["install", "pre_build", "build", "post_build"];
            ensure!(
                known.contains(&phase.as_str()),
                "the build specification names an unknown phase `{phase}`"
            );
        }
        Ok(buildspec)
    }

    /// Whether `text` is a build specification itself, and not the path of one.
    pub(crate) fn is_inline(text: &str) -> bool {
        text.contains('\n') || text.trim_start().starts_with('{') || text.trim_start().starts_with("version:")
    }
}

impl Env {
    /// The plain variables as text: YAML may have made numbers of them.
    pub(crate) fn plain(&self) -> impl Iterator<Item = (&str, String)> {
        self.variables.iter().map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.as_str(), value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Buildspec;

    #[test]
    fn a_specification_is_read_with_all_that_is_followed() {
        let text = "version: 0.2\nenv:\n  shell: bash\n  variables: {COUNT: 3}\n  secrets-manager: {KEY: 'a:b'}\n  \
                    exported-variables: [TAG]\nphases:\n  build:\n    on-failure: CONTINUE\n    commands: [make]\n    \
                    finally: ['echo done']\nartifacts:\n  files: ['**/*']\n  base-directory: out\n  discard-paths: yes\ncache:\n  key: pip-$(codebuild-hash-files a.txt)\n  paths: ['/root/.cache/pip/**/*']\n";
        let buildspec = Buildspec::parse(text).expect("it is valid");
        assert_eq!(buildspec.env.plain().collect::<Vec<_>>(), [("COUNT", "3".to_owned())]);
        assert_eq!(buildspec.env.secrets_manager["KEY"], "a:b");
        assert_eq!(buildspec.phases["build"].finally, ["echo done"]);
        assert!(buildspec.artifacts.expect("some").discards_paths());
        assert_eq!(buildspec.cache.key.as_deref(), Some("pip-$(codebuild-hash-files a.txt)"));
        assert_eq!(buildspec.cache.paths, ["/root/.cache/pip/**/*"]);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let check = |text: &str, expect: &str| {
            let error = Buildspec::parse(text).expect_err("it is wrong");
            assert!(error.to_string().contains(expect), "{error:#}");
        };
        check("version: 0.1\nphases: {build: {commands: [make]}}", "`0.1`");
        check("version: 0.2\nphases: {bulid: {commands: [make]}}", "`bulid`");
        check("version: 0.2", "no phases");
        check("version: [", "not valid YAML");
    }
}
