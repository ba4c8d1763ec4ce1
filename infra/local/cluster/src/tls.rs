//! TLS on loopback: an authority made for one cluster, and a listener that speaks with its certificate.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

/// A client that does not finish its handshake in this time is dropped.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A certificate for `127.0.0.1` and `localhost`, and the authority that signed it.
#[derive(Clone)]
pub struct Certificate {
    authority: String,
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
}

impl Certificate {
    /// A new authority and certificate; the authority's key is forgotten at once.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn generate() -> anyhow::Result<Self> {
        let mut parameters = CertificateParams::new(Vec::new())?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, "slipway local cluster");
        let authority_key = KeyPair::generate()?;
        let authority = parameters.self_signed(&authority_key)?;
        let issuer = Issuer::new(parameters, authority_key);
        let names = vec!["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string()];
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
        let key = Arc::new(PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?);
        Ok(Self { authority: authority.pem(), chain: vec![certificate.der().clone()], key })
    }

    /// The authority in PEM, for clients to trust.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

/// Accepts TLS connections; handshakes run beside each other.
pub struct Listener {
    connections: Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl Listener {
    /// Wraps a listener.
    ///
    /// # Errors
    /// When the certificate does not fit its key.
    pub fn new(listener: TcpListener, certificate: &Certificate) -> anyhow::Result<Self> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificate.chain.clone(), certificate.key.clone_key())?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let address = listener.local_addr()?;
        let (sender, connections) = channel(16);
        tokio::spawn(async move {
            while !sender.is_closed() {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = sender.closed() => break,
                };
                let Ok((stream, peer)) = accepted else { continue };
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                tokio::spawn(async move {
                    // Answers are small and many: they must not wait to be filled up.
                    let _unset = stream.set_nodelay(true);
                    if let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await {
                        // The server may have ended in between.
                        let _ended = sender.send((stream, peer)).await;
                    }
                });
            }
        });
        Ok(Self { connections, address })
    }
}

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.connections.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.address)
    }
}
