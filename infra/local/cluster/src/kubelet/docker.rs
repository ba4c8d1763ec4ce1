//! The engine as the cluster uses it: one network, labelled containers, and their ends as they happen.

use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use local_engine::Engine;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::objects::json::text;

/// How often the removal of everything is tried.
const REMOVAL_TRIES: u32 = 10;

/// The engine and what belongs to this cluster in it.
pub struct Docker {
    /// The engine.
    pub engine: Engine,
    /// Name of the cloud: value of the label on everything.
    pub cloud: String,
    /// Name of the network of all pods and services.
    pub network: String,
    /// First address of services; those before are for pods.
    pub first_service: Ipv4Addr,
}

/// The end of a container.
#[derive(Debug, Clone)]
pub struct Exit {
    /// Uid of its pod.
    pub pod: String,
    /// Its id.
    pub container: String,
}

impl Docker {
    /// Removes what an earlier cluster of this name left and makes the network.
    ///
    /// # Errors
    /// When the engine does not answer or has no subnet left.
    pub async fn prepare(engine: Engine, cloud: &str) -> anyhow::Result<Self> {
        let network = format!("slipway-{cloud}-pods");
        let mut docker =
            Self { engine, cloud: cloud.to_owned(), network, first_service: Ipv4Addr::UNSPECIFIED };
        docker.remove_all().await.context("removing what an earlier cluster left")?;
        docker.make_network().await.context("making the network of the cluster")?;
        Ok(docker)
    }

    /// The engine picks a free subnet; the network is then made anew with that subnet spelled out, because only so
    /// can a service get the address that its object carries. Pods get the lower half.
    async fn make_network(&mut self) -> anyhow::Result<()> {
        let labels = self.labels();
        let mut create = vec!["network", "create"];
        create.extend(labels.iter().flat_map(|label| ["--label", label]));
        let mut last = String::new();
        for _ in 0..5 {
            self.engine.output(&[&create[..], &[self.network.as_str()]].concat()).await?;
            let format = "{{range .IPAM.Config}}{{.Subnet}} {{end}}";
            let subnets =
                self.engine.output(&["network", "inspect", "--format", format, &self.network]).await?;
            let subnet = subnets.split_whitespace().find(|subnet| subnet.contains('.')).unwrap_or_default();
            self.engine.output(&["network", "rm", &self.network]).await?;
            let (pods, first_service) = halves(subnet).with_context(|| format!("the subnet `{subnet}`"))?;
            let again = [&create[..], &["--subnet", subnet, "--ip-range", &pods, &self.network]].concat();
            match self.engine.output(&again).await {
                Ok(_) => {
                    self.first_service = first_service;
                    return Ok(());
                }
                // Somebody else took the subnet in between.
                Err(error) => last = format!("{error:#}"),
            }
        }
        bail!("no subnet could be kept: {last}")
    }

    /// The labels of everything that this cluster makes.
    pub fn labels(&self) -> [String; 2] {
        [format!("slipway.cloud={}", self.cloud), "slipway.part=cluster".to_owned()]
    }

    /// Ids of this cluster's containers, all or those of one pod.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn containers(&self, pod: Option<&str>) -> anyhow::Result<Vec<String>> {
        let pod = pod.map(|pod| format!("slipway.pod={pod}"));
        let filters: Vec<String> =
            self.labels().iter().chain(&pod).map(|label| format!("label={label}")).collect();
        let mut arguments = vec!["ps", "--all", "--quiet", "--no-trunc"];
        arguments.extend(filters.iter().flat_map(|filter| ["--filter", filter]));
        Ok(self.engine.output(&arguments).await?.lines().map(str::to_owned).collect())
    }

    /// Removes all containers, volumes and the network of this cluster.
    ///
    /// # Errors
    /// When the engine does not answer, or something cannot be removed.
    pub async fn remove_all(&self) -> anyhow::Result<()> {
        // A start that was cut off may still put a container into the network after the list was read.
        for _ in 1..REMOVAL_TRIES {
            if self.remove_present().await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(200)).await;
        }
        self.remove_present().await
    }

    async fn remove_present(&self) -> anyhow::Result<()> {
        self.remove(&self.containers(None).await?).await?;
        let filters: Vec<String> = self.labels().iter().map(|label| format!("label={label}")).collect();
        for kind in ["volume", "network"] {
            let mut arguments = vec![kind, "ls", "--quiet"];
            arguments.extend(filters.iter().flat_map(|filter| ["--filter", filter]));
            let found = self.engine.output(&arguments).await?;
            let found: Vec<&str> = found.lines().collect();
            if !found.is_empty() {
                self.engine.output(&[&[kind, "rm"], &found[..]].concat()).await?;
            }
        }
        Ok(())
    }

    /// Removes containers, however they are.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn remove(&self, containers: &[String]) -> anyhow::Result<()> {
        if containers.is_empty() {
            return Ok(());
        }
        let ids = containers.iter().map(String::as_str);
        let arguments: Vec<&str> = ["rm", "--force", "--volumes"].into_iter().chain(ids).collect();
        match self.engine.output(&arguments).await {
            // Somebody else was faster, which is as good.
            Err(error) if !format!("{error:#}").contains("No such container") => Err(error),
            _ => Ok(()),
        }
    }

    /// What the engine knows about a container.
    ///
    /// # Errors
    /// When there is none.
    pub async fn inspect(&self, container: &str) -> anyhow::Result<Value> {
        let arguments = ["inspect", "--type", "container", "--format", "{{json .}}", container];
        Ok(serde_json::from_str(&self.engine.output(&arguments).await?)?)
    }

    /// Address of a container in the cluster's network, empty when it has none any more.
    pub fn address(&self, inspected: &Value) -> String {
        text(&inspected["NetworkSettings"]["Networks"][&self.network], "/IPAddress").to_owned()
    }

    /// Tells of every container that ends, until the end of the cluster. `None` says that some may have been missed.
    pub async fn watch_exits(&self, exits: UnboundedSender<Option<Exit>>, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            tokio::select! {
                () = shutdown.cancelled() => return,
                result = self.read_exits(&exits) => {
                    let error = result.err().map(|error| format!("{error:#}"));
                    tracing::warn!(error, "the engine's events broke off");
                }
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    async fn read_exits(&self, exits: &UnboundedSender<Option<Exit>>) -> anyhow::Result<()> {
        let mut command = self.engine.command();
        command.args([
            "events",
            "--filter",
            "type=container",
            "--filter",
            "event=die",
            "--format",
            "{{json .}}",
        ]);
        for label in self.labels() {
            command.args(["--filter", &format!("label={label}")]);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = child.stdout.take().context("the events have no output")?;
        let mut lines = BufReader::new(output).lines();
        exits.send(None)?;
        while let Some(line) = lines.next_line().await? {
            let event: Value = serde_json::from_str(&line)?;
            let pod = event["Actor"]["Attributes"]["slipway.pod"].as_str().unwrap_or_default().to_owned();
            let container = text(&event, "/Actor/ID").to_owned();
            exits.send(Some(Exit { pod, container }))?;
        }
        Ok(())
    }
}

/// The lower half of a subnet for pods and the first address of the upper half for services.
fn halves(subnet: &str) -> anyhow::Result<(String, Ipv4Addr)> {
    let (base, prefix) = subnet.split_once('/').context("it has no prefix")?;
    let (base, prefix): (Ipv4Addr, u32) = (base.parse()?, prefix.parse()?);
    anyhow::ensure!(prefix < 29, "it is too small");
    let half = 1_u32 << (31 - prefix);
    Ok((format!("{base}/{}", prefix + 1), Ipv4Addr::from_bits(base.to_bits() + half + 1)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn pods_get_the_lower_half_of_a_subnet() {
        let (pods, first) = super::halves("172.18.0.0/16").expect("a subnet");
        assert_eq!((pods.as_str(), first.to_string().as_str()), ("172.18.0.0/17", "172.18.128.1"));
        assert!(super::halves("nonsense").is_err());
    }
}
