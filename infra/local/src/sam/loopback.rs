//! The machine's loopback inside a container.
//!
//! SAM runs functions in containers with a network of their own, and the cloud listens on 127.0.0.1 only. So the
//! cloud also listens on a socket for each of its ports in a folder that containers get to see; in the container,
//! [`inside`] listens on 127.0.0.1 at the same ports and hands every connection on. All addresses stay as they are:
//! in variables, in secrets, in redirects.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use anyhow::Context;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

/// On the machine: serves these ports of 127.0.0.1 on sockets in `folder` until the shutdown.
///
/// # Errors
/// When a socket cannot be made.
pub(crate) async fn outside(
    folder: PathBuf,
    ports: Vec<u16>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    // What a cloud that was killed has left.
    let _ = fs::remove_dir_all(&folder);
    for port in ports {
        let socket = bind(&folder, port)?;
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = socket.accept().await {
                tokio::spawn(async move {
                    let connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
                    if let Err(error) = join(connection, Ok(stream)).await {
                        tracing::debug!(port, %error, "a connection from a container ended");
                    }
                });
            }
        }));
    }
    shutdown.cancelled().await;
    let _ = fs::remove_dir_all(&folder);
    Ok(())
}

/// In a container: runs a command that finds every port with a socket in `folder` on its own 127.0.0.1.
///
/// # Errors
/// When a port is taken, or the command does not start.
pub async fn inside(folder: &Path, command: &[OsString]) -> anyhow::Result<ExitStatus> {
    for port in ports_in(folder)? {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.with_context(|| format!("listening on port {port}"))?;
        let socket = folder.join(port.to_string());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let socket = socket.clone();
                tokio::spawn(async move {
                    if let Err(error) = join(Ok(stream), UnixStream::connect(socket).await).await {
                        tracing::debug!(port, %error, "a connection to the machine ended");
                    }
                });
            }
        });
    }
    let (program, arguments) = command.split_first().context("a command is needed")?;
    let mut child = Command::new(program);
    child.args(arguments).status().await.with_context(|| format!("starting {}", program.display()))
}

fn ports_in(folder: &Path) -> anyhow::Result<Vec<u16>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

async fn join(tcp: io::Result<TcpStream>, unix: io::Result<UnixStream>) -> io::Result<()> {
    let (mut tcp, mut unix) = (tcp?, unix?);
    // Small answers must not wait for more to be sent.
    tcp.set_nodelay(true)?;
    copy_bidirectional(&mut tcp, &mut unix).await?;
    Ok(())
}

/// A socket's path must be short, and a checkout's may be long: it is named through the folder's descriptor.
fn bind(folder: &Path, port: u16) -> anyhow::Result<UnixListener> {
    let making = || format!("making a socket in {}", folder.display());
    fs::create_dir_all(folder).with_context(making)?;
    let descriptor = File::open(folder).with_context(making)?;
    let path = format!("/proc/self/fd/{}/{port}", descriptor.as_raw_fd());
    UnixListener::bind(path).with_context(making)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A deep checkout, and both halves: what a container's program sends reaches the machine's port.
    #[tokio::test]
    async fn a_port_is_reached_through_its_socket() -> anyhow::Result<()> {
        let folder = std::env::temp_dir().join(format!("{}-{}", "deep".repeat(30), std::process::id()));
        let service = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = service.local_addr()?.port();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(outside(folder.clone(), vec![port], shutdown.clone()));
        while ports_in(&folder).unwrap_or_default().is_empty() {
            tokio::task::yield_now().await;
        }

        assert_eq!(ports_in(&folder)?, [port]);
        let descriptor = File::open(&folder)?;
        let socket = format!("/proc/self/fd/{}/{port}", descriptor.as_raw_fd());
        let mut container = UnixStream::connect(socket).await?;
        container.write_all(b"hello").await?;
        let (mut machine, _) = service.accept().await?;
        let mut heard = [0; 5];
        machine.read_exact(&mut heard).await?;
        assert_eq!(&heard, b"hello");

        shutdown.cancel();
        serving.await??;
        assert!(!folder.exists());
        Ok(())
    }
}
