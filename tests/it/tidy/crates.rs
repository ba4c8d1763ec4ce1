//! The workspace's crates and what they depend on, as cargo reads it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

/// One crate of ours.
pub(super) struct Crate {
    /// Its folder, relative to the root.
    pub(super) folder: String,
    pub(super) version: String,
    pub(super) published: bool,
    pub(super) dependencies: Vec<Dependency>,
}

pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) dev: bool,
    /// The folder, where it is one of ours.
    pub(super) folder: Option<String>,
}

/// All of them, by folder.
pub(super) struct Crates(pub(super) BTreeMap<String, Crate>);

impl Crates {
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
            .current_dir(root)
            .output()
            .context("cargo metadata")?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let root = root.canonicalize()?;
        let folder_of = |path: &str| {
            Path::new(path).strip_prefix(&root).map(|folder| folder.to_string_lossy().into_owned()).ok()
        };
        let mut crates = BTreeMap::new();
        for package in metadata["packages"].as_array().context("packages")? {
            let text = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
            let manifest = text("manifest_path");
            let folder =
                manifest.strip_suffix("/Cargo.toml").and_then(folder_of).context("a member outside")?;
            let dependencies = package["dependencies"].as_array().context("dependencies")?;
            let one = Crate {
                folder: folder.clone(),
                version: text("version"),
                published: package["publish"] != Value::Array(Vec::new()),
                dependencies: dependencies
                    .iter()
                    .map(|dependency| Dependency {
                        name: dependency["name"].as_str().unwrap_or_default().to_owned(),
                        dev: dependency["kind"] == "dev",
                        folder: dependency["path"].as_str().and_then(folder_of),
                    })
                    .collect(),
            };
            crates.insert(folder, one);
        }
        ensure!(crates.contains_key("shared/domain"), "cargo does not know `shared/domain`");
        Ok(Self(crates))
    }

    /// Whether the function's crate depends on an adapter.
    pub(super) fn uses(&self, function: &str, adapter: &str) -> bool {
        self.0.get(&format!("functions/{function}")).is_some_and(|found| {
            found.dependencies.iter().any(|dependency| !dependency.dev && dependency.name == adapter)
        })
    }
}
