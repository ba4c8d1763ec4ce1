//! The connection to one server: every byte sent at once, and nobody trusted but whom its kubeconfig names.

use std::sync::Arc;
use std::time::Duration;

use domain::ports::Fault;
use http::header::AUTHORIZATION;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::Client;
use kube::client::middleware::BaseUriLayer;
use kube::client::{Body, ClientBuilder};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tower::util::BoxCloneService;
use tower::{BoxError, Layer as _, ServiceExt as _};

use crate::kubeconfig::{Server, unusable};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that lay idle longer may have been cut while the function was frozen.
const KEEP_IDLE: Duration = Duration::from_secs(20);

/// Sends requests with a path alone to one server, as who its kubeconfig says. Clones share connections.
pub(crate) type Http = BoxCloneService<Request<Body>, Response<Incoming>, BoxError>;

/// The connection to a server. Nothing is sent yet.
pub(crate) fn http(server: Server) -> Result<Http, Fault> {
    let (url, authorization) = (server.url.clone(), server.authorization.clone());
    let certified_name = server.certified_name.clone();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    // Without it every new connection waits 40 ms for a delayed acknowledgement.
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let mut tls = HttpsConnectorBuilder::new().with_tls_config(tls(server)?).https_or_http();
    if let Some(name) = certified_name {
        tls = tls.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(KEEP_IDLE)
        .build::<_, Body>(tls.enable_http1().wrap_connector(tcp))
        .map_err(BoxError::from);
    let client = BaseUriLayer::new(url).layer(client);
    Ok(BoxCloneService::new(client.map_request(move |mut request: Request<Body>| {
        if let Some(authorization) = &authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        request
    })))
}

/// A client that goes this way.
pub(crate) fn client(http: Http) -> Client {
    ClientBuilder::new(http, "default").build()
}

fn tls(server: Server) -> Result<ClientConfig, Fault> {
    let mut trusted = RootCertStore::empty();
    match server.authorities {
        Some(authorities) => {
            for authority in authorities {
                trusted.add(authority).map_err(|error| unusable(&error.to_string()))?;
            }
        }
        None if server.url.scheme_str() == Some("http") => {}
        None => {
            trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error.to_string()))?
        .with_root_certificates(trusted);
    match server.identity {
        Some((chain, key)) => {
            builder.with_client_auth_cert(chain, key).map_err(|error| unusable(&error.to_string()))
        }
        None => Ok(builder.with_no_client_auth()),
    }
}
