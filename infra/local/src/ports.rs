//! The cloud's ports, all on loopback and bound before anything starts, so that each part can be told of the others.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::leftovers::engine_dir;
use crate::record::Record;

/// Which port serves what. With a base port they follow each other in this order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// AWS, without CodeBuild.
    pub aws: u16,
    /// CodeBuild.
    pub builds: u16,
    /// GitHub: git and API.
    pub github: u16,
    /// The cluster's API server.
    pub cluster: u16,
    /// Slack.
    pub slack: u16,
}

impl Ports {
    fn hold(self, port: u16) -> bool {
        [self.aws, self.builds, self.github, self.cluster, self.slack].contains(&port)
    }
}

/// The listeners of the stand-ins. MiniStack binds its own port.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) builds: TcpListener,
    pub(crate) github: TcpListener,
    pub(crate) cluster: TcpListener,
    pub(crate) slack: TcpListener,
}

/// The highest port that four others can follow.
const HIGHEST_BASE: u16 = u16::MAX - 4;

/// Binds them all, or says which port is taken, by which cloud, and what to do.
pub(crate) async fn bind(base_port: u16, state_dir: &Path) -> anyhow::Result<(Listeners, Ports)> {
    ensure!(base_port <= HIGHEST_BASE, "`--port {base_port}`: the highest port that fits is {HIGHEST_BASE}");
    let port = |offset: u16| if base_port == 0 { 0 } else { base_port + offset };
    let listen = async |port| listen(port, state_dir).await;
    // MiniStack binds its own port; by then it would say so in a traceback.
    drop(listen(port(0)).await?);
    let listeners = Listeners {
        builds: listen(port(1)).await?,
        github: listen(port(2)).await?,
        cluster: listen(port(3)).await?,
        slack: listen(port(4)).await?,
    };
    let ports = Ports {
        aws: port(0),
        builds: listeners.builds.local_addr()?.port(),
        github: listeners.github.local_addr()?.port(),
        cluster: listeners.cluster.local_addr()?.port(),
        slack: listeners.slack.local_addr()?.port(),
    };
    Ok((listeners, ports))
}

async fn listen(port: u16, state_dir: &Path) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.with_context(|| {
        let by = Record::all(engine_dir(state_dir)).into_iter().find(|record| record.ports.hold(port));
        let by = by.map(|record| taken_by(&record)).unwrap_or_default();
        format!("port {port} is taken{by}; `--port` names the first of five free ones, 0 takes any")
    })
}

fn taken_by(record: &Record) -> String {
    let name = &record.name;
    let who = if record.is_running() { "the cloud" } else { "what is left of the killed cloud" };
    format!(" by {who} `{name}` (`slipway local down --name {name}` ends it)")
}

/// The URL of a port, without a slash at its end.
pub(crate) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
