//! A GET through the API server's service proxy: no route into the cluster is needed.

use domain::ports::{Answer, Fault, ProbeAnswer};
use futures::TryStreamExt as _;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use kube::core::Status;

use crate::fault::ask;
use crate::refusal::tidy;

const MOST_BYTES: usize = 1024;

/// Asks the Service; every HTTP answer of its pods is an answer, a redirect too.
pub(crate) async fn get(
    client: &Client,
    namespace: &str,
    service: &str,
    port: u16,
    path: &str,
) -> Answer<ProbeAnswer> {
    let what = format!("could not probe Service `{namespace}/{service}`");
    if !path.starts_with('/')
        || path.split(['/', '?']).any(climbs)
        || ![namespace, service].iter().all(|name| is_label(name))
    {
        return Err(Fault::reject(format!("{what}: `{path}` is not a plain path beginning with `/`")));
    }
    let address = format!("/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy{path}");
    // Built once beforehand, so that a path that is no URI is told apart from a failed request.
    Request::get(&address)
        .body(())
        .map_err(|_| Fault::reject(format!("{what}: `{path}` is not a plain path")))?;
    let (status, body) = ask(|| fetch(client, &address)).await.map_err(|failure| failure.fault(&what))?;
    if let Some(refusal) = refused_by_api_server(status, &body) {
        return Err(Fault::reject(format!("{what}: {refusal}")));
    }
    Ok(ProbeAnswer { status: status.as_u16(), body: String::from_utf8_lossy(&body).into_owned() })
}

async fn fetch(client: &Client, address: &str) -> kube::Result<(StatusCode, Vec<u8>)> {
    let request = Request::get(address).body(Body::empty()).map_err(kube::Error::HttpError)?;
    let response = client.send(request).await?;
    let status = response.status();
    let mut frames = response.into_body().into_data_stream();
    let mut body = Vec::with_capacity(MOST_BYTES);
    while let Some(bytes) = frames.try_next().await? {
        body.extend_from_slice(&bytes[..bytes.len().min(MOST_BYTES - body.len())]);
        if body.len() == MOST_BYTES {
            break;
        }
    }
    Ok((status, body))
}

/// A 401 or 403 in Kubernetes' own form means that the kubeconfig lacks the right, not that the service said so.
fn refused_by_api_server(status: StatusCode, body: &[u8]) -> Option<String> {
    if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return None;
    }
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let ours = answer["kind"] == "Status" && answer["apiVersion"] == "v1";
    let status: Status = serde_json::from_value(answer).ok().filter(|_| ours)?;
    Some(tidy(&status.message))
}

/// A segment that would leave the service's proxy.
fn climbs(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".." || plain.contains('\\') || plain.contains("%2f") || plain.contains("%5c")
}

fn is_label(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
