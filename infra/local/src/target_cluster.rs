//! The cluster that is deployed to: the one that a kubeconfig names, or a small one of the cloud's own.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use cluster::Cluster;
use domain::files::operator::OperatorFile;
use domain::policy::Conflicts;
use domain::ports::{Application, Cluster as _};
use local_cluster::{Access, Certificate, Token};
use local_engine::Engine;
use local_ministack::{ACCOUNT, REGION};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::kubeconfig;
use crate::options::Options;
use crate::record::Record;
use crate::standins::Services;

const ADMINISTRATOR: &str = "local-administrator";
const DEPLOYER: &str = "local-deployer";
/// A tenth of a real cluster's: nobody wants to wait for it.
const BACK_OFF: Duration = Duration::from_secs(1);

/// How people and functions reach the cluster.
pub(crate) struct ClusterAccess {
    /// The kubeconfig of people.
    pub(crate) path: PathBuf,
    /// The text of an administrator's kubeconfig.
    administrator: String,
    /// The text of the functions' kubeconfig.
    pub(crate) deployer: String,
}

impl ClusterAccess {
    /// The cluster that this kubeconfig names.
    pub(crate) fn of_people(path: &Path) -> anyhow::Result<Self> {
        let text = kubeconfig::stand_alone(path)?;
        Ok(Self { path: path.to_owned(), administrator: text.clone(), deployer: text })
    }

    /// Makes the namespaces of the operator's file: as everywhere, functions deploy into them, and no more.
    pub(crate) async fn make_namespaces(&self, operator: &OperatorFile) -> anyhow::Result<()> {
        let namespaces: Vec<Value> = namespaces(operator)
            .into_iter()
            .map(|name| json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }))
            .collect();
        let cluster = Cluster::from_kubeconfig(&self.administrator).await?;
        match cluster
            .apply(&namespaces, Conflicts::Refuse, &())
            .await
            .context("making the namespaces of the operator's file")?
        {
            Application::Done(_) => Ok(()),
            Application::Refused(reason) => bail!("the cluster refuses a namespace: {reason}"),
            Application::Overtaken | Application::Partly { .. } => {
                bail!("somebody else makes the namespaces")
            }
        }
    }
}

impl Services {
    /// Serves a small cluster in which people may do everything, and functions what concerns the namespaces of
    /// the operator's file.
    pub(crate) fn cluster(
        &self,
        listener: TcpListener,
        options: &Options,
        engine: &Engine,
        helper_image: &str,
        operator: &OperatorFile,
        record: &Record,
    ) -> anyhow::Result<ClusterAccess> {
        let deployer = Token {
            value: DEPLOYER.to_owned(),
            user: "slipway:deployer".to_owned(),
            access: Access::Namespaces(namespaces(operator).into_iter().collect()),
        };
        let certificate = Certificate::generate()?;
        let server = format!("https://127.0.0.1:{}", listener.local_addr()?.port());
        let kubeconfig = |token| local_cluster::kubeconfig(&server, token, Some(&certificate));
        let (administrator, for_functions) = (kubeconfig(ADMINISTRATOR), kubeconfig(DEPLOYER));
        let cluster = local_cluster::Options {
            cloud: options.name.clone(),
            engine: engine.clone(),
            certificate: Some(certificate),
            tokens: vec![Token::administrator(ADMINISTRATOR), deployer],
            image_rewrites: vec![(
                format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/"),
                format!("{}/", record.registry()),
            )],
            helper_image: helper_image.to_owned(),
            folder: options.state_dir.join("cluster"),
            back_off: BACK_OFF,
            pretence: options.light.as_ref().map(|light| light.pods.clone()),
        };
        let shutdown = self.shutdown.clone();
        self.spawn("the cluster", async move { local_cluster::serve(listener, cluster, shutdown).await });
        let path = options.state_dir.join("kubeconfig");
        write_private(&path, &administrator)?;
        Ok(ClusterAccess { path, administrator, deployer: for_functions })
    }
}

fn namespaces(operator: &OperatorFile) -> BTreeSet<String> {
    operator.environments.values().map(|environment| environment.namespace.to_string()).collect()
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(true).mode(0o600);
    let mut file = options.open(path).with_context(|| format!("writing {}", path.display()))?;
    Ok(file.write_all(text.as_bytes())?)
}
