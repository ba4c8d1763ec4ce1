//! How manifests come about that are no plain files: a build renders them, once for each run.

use serde::{Deserialize, Serialize};

use crate::ids::{EnvironmentName, RepositoryPath, ServiceName};

/// What stands in paths of manifests for the name of the environment.
pub const ENVIRONMENT_PLACEHOLDER: &str = "{environment}";

/// How a service's manifests are rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rendering {
    /// By Kustomize.
    Kustomize {
        /// The folder with the kustomization.
        folder: RepositoryPath,
    },
    /// By Helm.
    Helm {
        /// The chart's folder.
        chart: RepositoryPath,
        /// The release's name, which the chart's templates see.
        release: String,
        /// Files of values, later ones over earlier ones.
        values: Vec<RepositoryPath>,
    },
}

impl Rendering {
    /// The tool, as people call it.
    pub fn tool(&self) -> &'static str {
        match self {
            Self::Kustomize { .. } => "Kustomize",
            Self::Helm { .. } => "Helm",
        }
    }

    /// The files and folders that it begins with; a kustomization may name more folders.
    pub fn roots(&self) -> Vec<&RepositoryPath> {
        match self {
            Self::Kustomize { folder } => vec![folder],
            Self::Helm { chart, values, .. } => std::iter::once(chart).chain(values).collect(),
        }
    }
}

/// A value that a placeholder stands for; where a text is nothing but the placeholder, it takes the value's type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// Text.
    Text(String),
}

/// The manifests of a run that a build renders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestsSpec {
    /// The environment that they are rendered for.
    pub environment: EnvironmentName,
    /// Whose they are.
    pub services: Vec<RenderedService>,
}

/// A service whose manifests a build renders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderedService {
    /// Its name.
    pub name: ServiceName,
    /// How.
    pub rendering: Rendering,
}
