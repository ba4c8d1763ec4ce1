//! What a cloud is started with.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use local_engine::Engine;

use crate::light::Light;

/// Everything [`crate::Cloud::up`] needs to know; [`Options::new`] gives what suits a checkout.
#[derive(Debug, Clone)]
pub struct Options {
    /// The cloud's name: also the stack's, and part of every container's label.
    pub name: String,
    /// The first of the ports on 127.0.0.1 (see [`crate::Ports`]); 0 takes free ones.
    pub base_port: u16,
    /// The folder of everything the cloud keeps, `.slipway/<name>`.
    pub state_dir: PathBuf,
    /// The folder of the compiled functions, `target/debug`.
    pub functions_dir: PathBuf,
    /// The SAM template.
    pub template: PathBuf,
    /// The operator's file.
    pub operator_file: PathBuf,
    /// A kubeconfig whose current context is deployed to; without one the cloud has a small cluster of its own.
    pub kubeconfig: Option<PathBuf>,
    /// The Docker engine; without one it is found, or a private one started below `.slipway`.
    pub engine: Option<Engine>,
    /// With it builds and pods are pretended, and no engine is looked for.
    pub light: Option<Light>,
    /// Parameters of the template beside those that the cloud sets itself, such as `EksClusterArns`.
    pub parameters: Vec<(String, String)>,
    /// Variables for the functions beside those of the template, such as `RUST_LOG`.
    pub variables: Vec<(OsString, OsString)>,
}

impl Options {
    /// Options for a cloud of this name in the checkout at `workspace`, on free ports.
    pub fn new(workspace: &Path, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            base_port: 0,
            state_dir: workspace.join(".slipway").join(name),
            functions_dir: workspace.join("target/debug"),
            template: workspace.join("template.yaml"),
            operator_file: workspace.join("infra/params/local.yaml"),
            kubeconfig: None,
            engine: None,
            light: None,
            parameters: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// The label that every container and network of the cloud carries.
    pub fn label(&self) -> String {
        label(&self.name)
    }
}

/// The label of the cloud with this name.
pub(crate) fn label(name: &str) -> String {
    format!("slipway.cloud={name}")
}

/// The root of the checkout this program was compiled from.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}
