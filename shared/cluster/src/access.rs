//! The way to one API server, kept as long as the execution environment lives. Its credentials are renewed in time, and
//! everything is asked for again where they are refused or nobody answers: a secret may have been rotated, a cluster
//! made anew.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use domain::ports::{Answer, Fault, Secret, Secrets};
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use kube::Client;
use kube::client::{Body, ClientBuilder};
use tokio::sync::Mutex;
use tower::{BoxError, Service, ServiceExt as _};

use crate::client::{self, Http};
use crate::eks::{Bearer, Gate};
use crate::kubeconfig::Server;

/// How long nobody asks again for what was asked for because of a refusal.
const NOT_AGAIN_FOR: Duration = Duration::from_secs(10);

/// Where the way to an API server is written.
pub(crate) enum Source<S> {
    /// In a secret's kubeconfig.
    Secret {
        /// The secrets.
        secrets: Arc<S>,
        /// Which of them.
        id: String,
    },
    /// In EKS.
    Eks(Gate),
}

/// The way to one API server.
pub(crate) struct Access<S> {
    source: Source<S>,
    known: Mutex<Known>,
}

struct Known {
    way: Way,
    /// When it was last asked for because of a refusal.
    asked: Option<Instant>,
}

/// The way as it is known.
#[derive(Clone)]
struct Way {
    http: Http,
    /// Server and credentials, as `http` was made of them.
    kubeconfig: Secret,
    /// What replaces the credentials, where these are short-lived.
    bearer: Option<Bearer>,
    /// What people may do where nobody answers.
    advice: Option<String>,
    /// Grows with every change.
    version: u64,
    /// Grows where another server may be meant.
    generation: u64,
}

/// What the source says.
struct Said {
    kubeconfig: Secret,
    bearer: Option<Bearer>,
    advice: Option<String>,
}

impl<S: Secrets + 'static> Access<S> {
    /// Asks for the way.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub(crate) async fn open(source: Source<S>) -> Answer<Arc<Self>> {
        let Said { kubeconfig, bearer, advice } = source.say(false).await?;
        let http = client::http(Server::read(kubeconfig.reveal())?)?;
        let way = Way { http, kubeconfig, bearer, advice, version: 0, generation: 0 };
        Ok(Arc::new(Self { source, known: Mutex::new(Known { way, asked: None }) }))
    }

    /// A client that always goes the way known by then.
    pub(crate) fn client(self: &Arc<Self>) -> Client {
        ClientBuilder::new(Through(Arc::clone(self)), "default").build()
    }

    /// Another number where another server may be meant than before.
    pub(crate) async fn generation(&self) -> u64 {
        self.known.lock().await.way.generation
    }

    async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, BoxError> {
        let way = self.way().await?;
        // Who goes to EKS has no credentials in his kubeconfig that would replace this.
        if let Some(bearer) = &way.bearer {
            request.headers_mut().insert(AUTHORIZATION, bearer.header.clone());
        }
        match way.http.clone().oneshot(request).await {
            // Whoever asked looks first whether his change is still wanted, and then asks again.
            Ok(answer) if answer.status() == StatusCode::UNAUTHORIZED && self.renewed(way.version).await => {
                Err(Box::new(Renewed))
            }
            Ok(answer) => Ok(answer),
            Err(error) => {
                self.renewed(way.version).await;
                Err(match way.advice {
                    Some(advice) => Box::new(Unreached { advice, source: error }),
                    None => error,
                })
            }
        }
    }

    /// The way, with a bearer token that is still good.
    async fn way(&self) -> Answer<Way> {
        let mut known = self.known.lock().await;
        if let (Source::Eks(gate), Some(bearer)) = (&self.source, &known.way.bearer)
            && gate.is_stale(bearer)
        {
            known.way.bearer = Some(gate.bearer().await?);
            known.way.version += 1;
        }
        Ok(known.way.clone())
    }

    /// Whether there is another way by now than that of this version, which led nowhere.
    async fn renewed(&self, version: u64) -> bool {
        let mut known = self.known.lock().await;
        if known.way.version != version {
            return true;
        }
        if known.asked.is_some_and(|at| at.elapsed() < NOT_AGAIN_FOR) {
            return false;
        }
        let renewed = match self.source.say(true).await {
            Ok(said) => known.way.replace(said),
            Err(fault) => Err(fault),
        };
        known.asked = Some(Instant::now());
        renewed.unwrap_or_else(|fault| {
            tracing::warn!(why = fault.chain(), "the cluster's credentials cannot be renewed");
            false
        })
    }
}

impl<S: Secrets> Source<S> {
    async fn say(&self, fresh: bool) -> Answer<Said> {
        match self {
            Self::Secret { secrets, id } => {
                let kubeconfig = if fresh { secrets.fresh(id).await? } else { secrets.secret(id).await? };
                Ok(Said { kubeconfig, bearer: None, advice: None })
            }
            Self::Eks(gate) => {
                let described = gate.describe_cluster().await?;
                let bearer = Some(gate.bearer().await?);
                let kubeconfig = Secret::new(described.kubeconfig);
                Ok(Said { kubeconfig, bearer, advice: described.advice })
            }
        }
    }
}

impl Way {
    /// Whether what the source says now is something else.
    fn replace(&mut self, said: Said) -> Result<bool, Fault> {
        if said.kubeconfig == self.kubeconfig && said.bearer.is_none() {
            return Ok(false);
        }
        if said.kubeconfig != self.kubeconfig {
            self.http = client::http(Server::read(said.kubeconfig.reveal())?)?;
            self.kubeconfig = said.kubeconfig;
            self.generation += 1;
        }
        self.bearer = said.bearer;
        self.advice = said.advice;
        self.version += 1;
        Ok(true)
    }
}

/// Sends requests the way known by then.
struct Through<S>(Arc<Access<S>>);

impl<S: Secrets + 'static> Service<Request<Body>> for Through<S> {
    type Response = Response<Incoming>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Incoming>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let access = Arc::clone(&self.0);
        Box::pin(async move { access.send(request).await })
    }
}

/// The credentials were refused; there are others now.
#[derive(Debug, thiserror::Error)]
#[error("the credentials were refused and have been renewed")]
struct Renewed;

/// Nobody answered, and what may be done about it.
#[derive(Debug, thiserror::Error)]
#[error("nobody answers ({advice})")]
struct Unreached {
    advice: String,
    source: BoxError,
}
