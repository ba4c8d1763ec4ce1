//! What a failed request means for the caller, decided in one place, and the few repetitions made at once.

use std::future::Future;
use std::time::Duration;

use domain::ports::{Advice, Fault, Standing};
use kube::Error;

use crate::guard::Guard;

/// One request, from sending to the last byte.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(8);

/// Short waits only: what lasts longer is repeated by the queue.
const WAITS: [Duration; 2] = [Duration::from_millis(150), Duration::from_millis(600)];

/// A request that got no usable answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The client's error.
    Client(Error),
    /// Nothing came in time.
    Silence,
    /// It was not sent: the change is no longer wanted.
    Overtaken,
    /// It was not sent: nobody could tell whether the change is still wanted.
    Unknown(Fault),
}

/// Makes a repeatable request, again after failures that pass by themselves.
pub(crate) async fn ask<T, Call, Reply>(call: Call) -> Result<T, Failure>
where
    Call: Fn() -> Reply,
    Reply: Future<Output = kube::Result<T>>,
{
    ask_as_long_as(&Guard::new(&()), call).await
}

/// Makes a repeatable change, each time only as long as it is wanted.
pub(crate) async fn ask_as_long_as<T, Call, Reply>(
    guard: &Guard<'_, impl Standing>,
    call: Call,
) -> Result<T, Failure>
where
    Call: Fn() -> Reply,
    Reply: Future<Output = kube::Result<T>>,
{
    let mut waits = WAITS.into_iter();
    loop {
        match guard.holds().await {
            Ok(true) => {}
            Ok(false) => return Err(Failure::Overtaken),
            Err(fault) => return Err(Failure::Unknown(fault)),
        }
        let failure = match tokio::time::timeout(REQUEST_TIMEOUT, call()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Failure::Client(error),
            Err(_) => Failure::Silence,
        };
        match waits.next().filter(|_| failure.is_brief()) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Err(failure),
        }
    }
}

impl Failure {
    /// Whether an immediate repetition may help. Silence has cost its time already.
    fn is_brief(&self) -> bool {
        match self {
            Self::Client(Error::Api(status)) => {
                matches!(status.code, 429 | 502 | 503 | 504)
                    && self.retry_after().is_none_or(|wait| wait.as_secs() <= 1)
            }
            Self::Client(Error::Service(_) | Error::HyperError(_)) => true,
            Self::Client(_) | Self::Silence | Self::Overtaken | Self::Unknown(_) => false,
        }
    }

    /// Whether the API server says that there is no such thing.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Client(Error::Api(status)) if status.code == 404)
    }

    fn retry_after(&self) -> Option<Duration> {
        let Self::Client(Error::Api(status)) = self else { return None };
        let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }

    /// The one decision: retry or reject. `what` says what was tried.
    pub(crate) fn fault(self, what: &str) -> Fault {
        let retry_after = self.retry_after();
        match self {
            Self::Silence => Fault::retry(what, "the API server did not answer in time"),
            Self::Overtaken => Fault::retry(what, "it is no longer wanted"),
            Self::Unknown(fault) => fault,
            Self::Client(Error::Service(source)) => Fault::retry(what, source),
            Self::Client(Error::HyperError(source)) => Fault::retry(what, source),
            Self::Client(Error::ReadEvents(source)) => Fault::retry(what, source),
            Self::Client(Error::Api(status)) => match status.code {
                401 => Fault::reject(format!(
                    "{what}: the API server does not accept the credentials; renew the kubeconfig's secret, or give the \
                     function's role an access entry in EKS"
                )),
                // Another writer was faster; nothing is wrong with the request itself.
                408 | 409 | 429 | 500..=599 => {
                    let fault = Fault::retry(what, status.message);
                    Fault { advice: Advice::Retry(retry_after), ..fault }
                }
                _ => Fault::reject(format!("{what}: {}", status.message)),
            },
            Self::Client(error @ (Error::SerdeError(_) | Error::FromUtf8(_))) => {
                Fault::retry(what, format!("the answer cannot be read ({error})"))
            }
            Self::Client(error) => Fault::reject(format!("{what}: {error}")),
        }
    }
}
