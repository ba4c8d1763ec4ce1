//! EKS in front of a small cluster: `DescribeCluster`, and the authenticator that makes a user of a token signed for
//! STS.
//!
//! Every signature is computed anew with the keys that are known, as AWS does it. A token is judged as
//! <https://github.com/kubernetes-sigs/aws-iam-authenticator> judges it: form, host, parameters, age, and STS's own
//! word, for which the name of the cluster is among what is signed.

mod signature;
mod token;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api::failure::Failure;
use crate::tls::{self, Certificate};

/// The account that everything lies in.
const ACCOUNT: &str = "000000000000";

/// The largest answer of a webhook, in bytes.
const LARGEST_REVIEW: usize = 64 * 1024;

/// Somebody with a key of AWS.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The id of the key.
    pub access_key: String,
    /// The key.
    pub secret_key: String,
    /// What comes with a temporary key.
    pub session_token: Option<String>,
    /// Whether `DescribeCluster` is allowed.
    pub may_describe: bool,
    /// The token of the small cluster that his access entry gives him; none without an entry.
    pub entry: Option<String>,
}

/// Who judges tokens in place of the keys that are known: a webhook that answers `TokenReviews`, as the API server asks
/// it (<https://kubernetes.io/docs/reference/access-authn-authz/authentication/#webhook-token-authentication>).
#[derive(Debug, Clone)]
pub struct Reviewer {
    /// Where it answers.
    pub url: String,
    /// Members of this group …
    pub group: String,
    /// … are let in with this token of the small cluster.
    pub entry: String,
}

/// What `DescribeCluster` tells beside the endpoint.
#[derive(Debug, Clone)]
pub struct Condition {
    /// `ACTIVE`, `CREATING`, …
    pub status: &'static str,
    /// Whether the endpoint is reached from outside its VPC.
    pub public: bool,
}

/// One cluster in EKS.
#[derive(Clone)]
pub struct Eks(Arc<Shared>);

struct Shared {
    name: String,
    region: String,
    principals: Vec<Principal>,
    certificate: Certificate,
    /// Where the small cluster serves plain HTTP.
    behind: SocketAddr,
    client: Client<HttpConnector, Body>,
    changing: Mutex<Changing>,
}

struct Changing {
    condition: Condition,
    reviewer: Option<Reviewer>,
    /// How far the authenticator's clock is ahead.
    ahead: Duration,
    endpoint: String,
    described: usize,
    tokens: Vec<String>,
}

impl Eks {
    /// The cluster `name` of a region, in front of the small cluster that serves plain HTTP at `behind`.
    ///
    /// # Errors
    /// When no certificate can be made.
    pub fn new(
        name: &str,
        region: &str,
        principals: Vec<Principal>,
        behind: SocketAddr,
    ) -> anyhow::Result<Self> {
        let changing = Changing {
            condition: Condition { status: "ACTIVE", public: true },
            reviewer: None,
            ahead: Duration::ZERO,
            endpoint: String::new(),
            described: 0,
            tokens: Vec::new(),
        };
        Ok(Self(Arc::new(Shared {
            name: name.to_owned(),
            region: region.to_owned(),
            principals,
            certificate: Certificate::generate()?,
            behind,
            client: Client::builder(TokioExecutor::new()).build_http(),
            changing: Mutex::new(changing),
        })))
    }

    /// From now on tokens are judged by a webhook.
    pub fn set_reviewer(&self, reviewer: Reviewer) {
        self.changing(|changing| changing.reviewer = Some(reviewer));
    }

    /// Its certificate authority as `DescribeCluster` tells it.
    pub fn authority(&self) -> String {
        STANDARD.encode(self.0.certificate.authority())
    }

    /// From now on it is described like this.
    pub fn set_condition(&self, condition: Condition) {
        self.changing(|changing| changing.condition = condition);
    }

    /// From now on its endpoint is another one, where nobody need answer.
    pub fn set_endpoint(&self, endpoint: &str) {
        self.changing(|changing| endpoint.clone_into(&mut changing.endpoint));
    }

    /// From now on its clock is so far ahead.
    pub fn set_ahead(&self, ahead: Duration) {
        self.changing(|changing| changing.ahead = ahead);
    }

    /// How often it was described.
    pub fn described(&self) -> usize {
        self.changing(|changing| changing.described)
    }

    /// The different tokens that were taken, in their order.
    pub fn tokens(&self) -> Vec<String> {
        self.changing(|changing| changing.tokens.clone())
    }

    /// Where it is said to be.
    pub fn endpoint(&self) -> String {
        self.changing(|changing| changing.endpoint.clone())
    }

    /// Serves EKS's API in plain HTTP until `shutdown`.
    ///
    /// # Errors
    /// When it cannot be served.
    pub async fn serve_api(self, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        let router = Router::new().route("/clusters/{name}", get(describe)).with_state(self);
        let served = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned());
        Ok(served.await?)
    }

    /// Serves the API server with TLS until `shutdown`; from now on this is its endpoint.
    ///
    /// # Errors
    /// When it cannot be served.
    pub fn serve_cluster(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + Send> {
        self.set_endpoint(&format!("https://127.0.0.1:{}", listener.local_addr()?.port()));
        let listener = tls::Listener::new(listener, &self.0.certificate)?;
        let router = Router::new().fallback(forward).with_state(self);
        Ok(async move {
            tokio::select! {
                served = async { axum::serve(listener, router).await } => served?,
                () = shutdown.cancelled() => {}
            }
            Ok(())
        })
    }

    fn changing<T>(&self, look: impl FnOnce(&mut Changing) -> T) -> T {
        look(&mut self.0.changing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the token of the small cluster is for who signed this one; the reason where it is not taken.
    async fn admit(&self, token: &str) -> Result<String, String> {
        if let Some(reviewer) = self.changing(|changing| changing.reviewer.clone()) {
            let groups = self.reviewed(&reviewer, token).await.map_err(|error| format!("{error:#}"))?;
            self.took(token);
            let is_member = groups.contains(&reviewer.group);
            return if is_member { Ok(reviewer.entry) } else { Err(format!("the groups are {groups:?}")) };
        }
        let now = SystemTime::now() + self.changing(|changing| changing.ahead);
        let principal = token::judge(token, &self.0.name, &self.0.region, &self.0.principals, now)?;
        self.took(token);
        principal.entry.clone().ok_or_else(|| "there is no access entry".to_owned())
    }

    fn took(&self, token: &str) {
        self.changing(|changing| {
            if !changing.tokens.iter().any(|known| known == token) {
                changing.tokens.push(token.to_owned());
            }
        });
    }

    /// The groups of whom the webhook takes the token for.
    async fn reviewed(&self, reviewer: &Reviewer, token: &str) -> anyhow::Result<Vec<String>> {
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": { "token": token },
        });
        let request = axum::http::Request::post(&reviewer.url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(review.to_string()))?;
        let answer = self.0.client.request(request).await?;
        let answer = axum::body::to_bytes(Body::new(answer.into_body()), LARGEST_REVIEW).await?;
        let answer: serde_json::Value = serde_json::from_slice(&answer)?;
        anyhow::ensure!(answer["status"]["authenticated"] == true, "the webhook does not know the token");
        Ok(serde_json::from_value(answer["status"]["user"]["groups"].clone())?)
    }
}

async fn describe(
    State(eks): State<Eks>,
    Path(name): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let Shared { region, principals, .. } = &*eks.0;
    let refused = |status: StatusCode, kind: &'static str, message: String| {
        (status, [("x-amzn-errortype", kind)], axum::Json(json!({ "message": message }))).into_response()
    };
    let principal = match signature::of_headers("GET", &uri, &headers, region, "eks", principals) {
        Ok(principal) => principal,
        Err(why) => return refused(StatusCode::FORBIDDEN, "UnrecognizedClientException", why),
    };
    let arn = format!("arn:aws:eks:{region}:{ACCOUNT}:cluster/{name}");
    if !principal.may_describe {
        let message = format!(
            "User: {} is not authorized to perform: eks:DescribeCluster on resource: {arn}",
            principal.access_key
        );
        return refused(StatusCode::FORBIDDEN, "AccessDeniedException", message);
    }
    if name != eks.0.name {
        let message = format!("No cluster found for name: {name}.");
        return refused(StatusCode::NOT_FOUND, "ResourceNotFoundException", message);
    }
    let (Condition { status, public }, endpoint) = eks.changing(|changing| {
        changing.described += 1;
        (changing.condition.clone(), changing.endpoint.clone())
    });
    let mut cluster = json!({
        "name": name, "arn": arn, "status": status, "version": "1.33",
        "resourcesVpcConfig": {
            "endpointPublicAccess": public, "endpointPrivateAccess": !public, "publicAccessCidrs": ["0.0.0.0/0"],
        },
    });
    // What is being made has no endpoint yet.
    if status != "CREATING" {
        cluster["endpoint"] = endpoint.into();
        cluster["certificateAuthority"] = json!({ "data": eks.authority() });
    }
    axum::Json(json!({ "cluster": cluster })).into_response()
}

/// Sends a request on to the small cluster as whom its token shows.
async fn forward(State(eks): State<Eks>, mut request: Request) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default().to_owned();
    let entry = match eks.admit(&given).await {
        Ok(entry) => entry,
        Err(why) => {
            tracing::debug!(why, "a token is refused");
            return Failure::unauthorized().into_response();
        }
    };
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let (uri, bearer) = (format!("http://{}{path}", eks.0.behind).parse(), format!("Bearer {entry}").parse());
    let (Ok(uri), Ok(bearer)) = (uri, bearer) else {
        return Failure::bad_request("this cannot be sent on").into_response();
    };
    *request.uri_mut() = uri;
    request.headers_mut().insert(header::AUTHORIZATION, bearer);
    match eks.0.client.request(request).await {
        Ok(answer) => answer.into_response(),
        Err(error) => Failure::unavailable(format!("the cluster does not answer: {error}")).into_response(),
    }
}
