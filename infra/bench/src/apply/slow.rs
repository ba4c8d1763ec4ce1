//! A network in between: every byte arrives half a round trip later.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// A relay to the API server, and the kubeconfig that leads through it.
pub(super) struct Slow {
    pub(super) kubeconfig: PathBuf,
    relay: JoinHandle<()>,
}

impl Slow {
    /// Opens the relay.
    ///
    /// # Errors
    /// When the kubeconfig names no server on this machine.
    pub(super) async fn before(
        kubeconfig: &Path,
        folder: &Path,
        round_trip: Duration,
    ) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(kubeconfig)?;
        let (_, server) = text.split_once("://").context("the kubeconfig names no server")?;
        let address: String = server
            .chars()
            .take_while(|character| character.is_ascii_digit() || ".:".contains(*character))
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let own = folder.join("slow-kubeconfig.yaml");
        std::fs::write(&own, text.replace(&address, &listener.local_addr()?.to_string()))?;
        let relay = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, address.clone(), round_trip / 2));
            }
        });
        Ok(Self { kubeconfig: own, relay })
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

/// Carries a connection until one side ends it; the other learns that by the end of its own bytes.
async fn carry(client: TcpStream, server: String, delay: Duration) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    if client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).is_err() {
        return;
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::join!(late(from_client, to_server, delay), late(from_server, to_client, delay));
}

async fn late(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, delay: Duration) {
    let (sender, mut under_way) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            if sender.send((Instant::now() + delay, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, bytes)) = under_way.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // The other side has gone already where this fails.
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}
