//! What an error of the AWS SDK means to the caller of a port.
//!
//! Each adapter first takes out the answers that are results to it (a missing key, a lost condition) and hands
//! everything else to [`fault`].

use std::error::Error;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use domain::ports::{Advice, Fault};

/// Codes that come with a 4xx status and may yet pass: throttling, races of AWS's own, credentials being renewed.
/// The first lines are the list of AWS's SDKs (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>).
const PASSING: [&str; 23] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "Throttling",
    "ThrottledException",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
    "ConditionalRequestConflict",
    "ExpiredToken",
    "ExpiredTokenException",
    "OperationAborted",
    "ReplicatedWriteConflictException",
    "RequestExpired",
    "TransactionConflictException",
];

/// The fault behind an SDK call that was neither a success nor a result.
///
/// `what` says what was tried: lower case, no full stop, no secret.
pub fn fault<E>(what: impl Into<String>, error: SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    Fault { advice: advice(&error), what: what.into(), source: Some(cause(error)) }
}

/// A fault that will not pass, with its cause: a stored text that cannot be read, a request that cannot be built.
pub fn lasting(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Fault {
    Fault { advice: Advice::Reject, what: what.into(), source: Some(source.into()) }
}

fn advice<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Advice {
    match error {
        // The request could not even be built: the same input will fail again.
        SdkError::ConstructionFailure(_) => Advice::Reject,
        SdkError::ServiceError(refusal) => {
            let response = refusal.raw();
            let status = response.status();
            let passing = refusal.err().code().is_some_and(|code| PASSING.contains(&code));
            if passing || status.is_server_error() || matches!(status.as_u16(), 408 | 429) {
                Advice::Retry(retry_after(response))
            } else {
                Advice::Reject
            }
        }
        // Timeouts, connections, credentials that did not come, answers cut off.
        _ => Advice::Retry(error.raw_response().and_then(retry_after)),
    }
}

/// `Retry-After` in seconds; its rarer form as a date is left out.
fn retry_after(response: &HttpResponse) -> Option<Duration> {
    response.headers().get("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// AWS's own words where it gave any; else the transport's error.
fn cause<E>(error: SdkError<E, HttpResponse>) -> Box<dyn Error + Send + Sync>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match error {
        SdkError::ServiceError(refusal) => Box::new(Refusal {
            status: refusal.raw().status().as_u16(),
            code: refusal.err().code().unwrap_or("no error code").to_owned(),
            message: refusal.err().message().unwrap_or("no message").to_owned(),
        }),
        other => other.into_source().unwrap_or_else(Box::from),
    }
}

/// An error answer of AWS.
#[derive(Debug, thiserror::Error)]
#[error("{code} ({status}): {message}")]
struct Refusal {
    status: u16,
    code: String,
    message: String,
}

#[cfg(test)]
mod tests {
    use std::io;

    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("modelled")]
    struct Modelled(ErrorMetadata);

    impl ProvideErrorMetadata for Modelled {
        fn meta(&self) -> &ErrorMetadata {
            &self.0
        }
    }

    fn answer(status: u16, code: &str, retry_after: Option<&'static str>) -> Result<Fault, Box<dyn Error>> {
        let mut response = HttpResponse::new(StatusCode::try_from(status)?, SdkBody::empty());
        if let Some(value) = retry_after {
            response.headers_mut().insert("retry-after", value);
        }
        let metadata = ErrorMetadata::builder().code(code).message("why").build();
        Ok(fault("the run cannot be read", SdkError::service_error(Modelled(metadata), response)))
    }

    #[test]
    fn what_may_pass_is_retried_and_the_rest_rejected() -> Result<(), Box<dyn Error>> {
        for (status, code, retry_after, expect) in [
            (400, "ThrottlingException", None, Advice::Retry(None)),
            (429, "Anything", Some("7"), Advice::Retry(Some(Duration::from_secs(7)))),
            (503, "SlowDown", Some("soon"), Advice::Retry(None)),
            (500, "InternalServerError", None, Advice::Retry(None)),
            (400, "TransactionConflictException", None, Advice::Retry(None)),
            (400, "ValidationException", Some("7"), Advice::Reject),
            (403, "AccessDeniedException", None, Advice::Reject),
            (400, "ResourceNotFoundException", None, Advice::Reject),
        ] {
            assert_eq!(answer(status, code, retry_after)?.advice, expect, "{status} {code}");
        }
        Ok(())
    }

    #[test]
    fn a_broken_connection_is_retried() {
        let lost = ConnectorError::io(io::Error::other("connection reset").into());
        let fault = fault("the run cannot be read", SdkError::<Modelled, _>::dispatch_failure(lost));
        assert_eq!(fault.advice, Advice::Retry(None));
        assert!(fault.chain().ends_with("connection reset"), "{}", fault.chain());
    }

    #[test]
    fn the_chain_tells_each_layer_once() -> Result<(), Box<dyn Error>> {
        let fault = answer(403, "AccessDeniedException", None)?;
        assert_eq!(fault.chain(), "the run cannot be read: AccessDeniedException (403): why");
        Ok(())
    }
}
