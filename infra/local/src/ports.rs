//! The cloud's ports, all on loopback and bound before anything starts, so that each part can be told of the others.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

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

/// The listeners of the stand-ins. MiniStack binds its own port.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) builds: TcpListener,
    pub(crate) github: TcpListener,
    pub(crate) cluster: TcpListener,
    pub(crate) slack: TcpListener,
}

/// Binds them all, or says which port is taken.
pub(crate) async fn bind(base_port: u16) -> anyhow::Result<(Listeners, Ports)> {
    let port = |offset: u16| if base_port == 0 { 0 } else { base_port.saturating_add(offset) };
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

async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.with_context(|| {
        format!("port {port} is taken; `--port` names the first of five free ones, 0 takes any")
    })
}

/// The URL of a port, without a slash at its end.
pub(crate) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
