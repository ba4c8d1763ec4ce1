//! EKS: a cluster by its name. `DescribeCluster` tells its endpoint and its certificate authority; who asks is told by
//! a short-lived token, which is a request to STS signed in advance
//! (<https://docs.aws.amazon.com/eks/latest/userguide/cluster-auth.html>).
//!
//! The one request to EKS is signed and sent here: the SDK's client would make the functions larger by far more than
//! this.

mod account;
mod description;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::EksCluster;
use domain::ports::{Answer, Fault};
use http::{HeaderValue, Uri};
use hyper::body::Bytes;
use kube::Client;
use kube::client::Body;
use kube::core::Status;

pub(crate) use account::Account;
pub use account::Clock;
use account::Signing;
pub(crate) use description::Described;

use crate::client;
use crate::fault::ask;
use crate::kubeconfig::Server;

/// How long STS would take the signed request itself: what the authenticator's own client asks for
/// (<https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster>).
const SIGNED_FOR: Duration = Duration::from_mins(1);

/// How long a token is used. The authenticator takes it for 15 minutes from its date; what begins with it has to end
/// with it, and clocks differ.
const USED_FOR: Duration = Duration::from_mins(10);

/// What a token begins with.
const PREFIX: &str = "k8s-aws-v1.";

/// The header that binds a token to one cluster.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";

/// A cluster in EKS.
pub(crate) struct Gate {
    account: Arc<Account>,
    name: String,
    region: String,
}

/// A token that shows who asks.
#[derive(Clone)]
pub(crate) struct Bearer {
    /// The header's value.
    pub(crate) header: HeaderValue,
    made: SystemTime,
}

/// What EKS answered.
struct Answered {
    status: u16,
    kind: Option<String>,
    body: Bytes,
}

impl Gate {
    /// The cluster of this name.
    ///
    /// # Errors
    /// When no region is known.
    pub(crate) fn new(account: &Arc<Account>, cluster: &EksCluster) -> Answer<Self> {
        let region = match &cluster.region {
            Some(region) => region.to_string(),
            None => account.region()?,
        };
        Ok(Self { account: Arc::clone(account), name: cluster.name.to_string(), region })
    }

    /// Where it is, as EKS says now.
    ///
    /// # Errors
    /// One sentence with the next step where there is no such cluster, it is not ready, or it may not be described.
    pub(crate) async fn describe_cluster(&self) -> Answer<Described> {
        let what = format!("EKS cluster `{}` in `{}` cannot be described", self.name, self.region);
        let endpoint = self.account.endpoint("EKS", "eks", &self.region);
        let path = format!("/clusters/{}", self.name);
        let url = endpoint.parse().map_err(|_| Fault::reject(format!("{what}: `{endpoint}` is no URL")))?;
        let client = client::client(client::http(Server::at(url))?);
        let signing = Signing {
            service: "eks",
            region: &self.region,
            url: &format!("{endpoint}{path}"),
            headers: &[],
            in_url: None,
        };
        let answer =
            ask(|| self.get(&client, &path, &signing)).await.map_err(|failure| failure.fault(&what))?;
        match answer.status {
            200..=299 => description::read(&what, &answer.body),
            _ => Err(description::refusal(&what, answer.status, answer.kind.as_deref(), &answer.body)),
        }
    }

    /// One try; what passes by itself is the client's error.
    async fn get(&self, client: &Client, path: &str, signing: &Signing<'_>) -> kube::Result<Answered> {
        let signed = self.account.sign(signing).await;
        let mut request = signed.map_err(|fault| kube::Error::Service(Box::new(fault)))?;
        *request.uri_mut() = Uri::try_from(path).map_err(|error| kube::Error::HttpError(error.into()))?;
        let answer = client.send(request.map(|()| Body::empty())).await?;
        let status = answer.status().as_u16();
        let kind = answer.headers().get("x-amzn-errortype").and_then(|kind| kind.to_str().ok());
        let kind = kind.map(str::to_owned);
        let body = answer.into_body().collect_bytes().await?;
        if matches!(status, 429 | 500..=599) {
            let busy = Status::failure(&description::message(&body), "EKS").with_code(status);
            return Err(kube::Error::Api(busy.boxed()));
        }
        Ok(Answered { status, kind, body })
    }

    /// A new token.
    ///
    /// # Errors
    /// When the function has no credentials.
    pub(crate) async fn bearer(&self) -> Answer<Bearer> {
        let made = self.account.now();
        let host = self.account.host("sts", &self.region);
        let signing = Signing {
            service: "sts",
            region: &self.region,
            url: &format!("https://{host}/?Action=GetCallerIdentity&Version=2011-06-15"),
            headers: &[(CLUSTER_HEADER, &self.name)],
            in_url: Some(SIGNED_FOR),
        };
        let signed = self.account.sign(&signing).await?;
        let token = format!("Bearer {PREFIX}{}", URL_SAFE_NO_PAD.encode(signed.uri().to_string()));
        let mut header = HeaderValue::try_from(token)
            .map_err(|error| Fault::retry("the token for EKS cannot be written", error))?;
        header.set_sensitive(true);
        Ok(Bearer { header, made })
    }

    /// Whether the token is too old to begin anything with, or of a time to come.
    pub(crate) fn is_stale(&self, bearer: &Bearer) -> bool {
        self.account.now().duration_since(bearer.made).map_or(true, |age| age >= USED_FOR)
    }
}
