//! Start-up shared by all functions: telemetry, the AWS configuration, the runtime.

use std::future::Future;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use futures::FutureExt;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::Variables;

/// Logs as one JSON object a line, which CloudWatch Logs Insights reads by field. `RUST_LOG` filters by target and level;
/// what filters by spans and fields too would bring a regex engine along.
pub fn telemetry() {
    let filter = Variables::optional("RUST_LOG").and_then(|filter| filter.parse().ok());
    let filter: Targets = filter.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    // CloudWatch adds the time of each line itself.
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_target(false).without_time();
    if let Err(error) = tracing_subscriber::registry().with(filter).with(lines).try_init() {
        tracing::debug!(%error, "telemetry was already set up");
    }
}

/// How long a connection to AWS may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// How long an answer may take to begin. DynamoDB, SQS and Secrets Manager answer within milliseconds: what takes
/// longer is lost, and the SDK's next try succeeds while the webhook's eight seconds still run.
const READ_LIMIT: Duration = Duration::from_millis(2500);
/// How long a call may take with its three tries.
const CALL_LIMIT: Duration = Duration::from_secs(7);

/// The SDK's configuration from the environment: ring for TLS, and timeouts that let no hung call eat a function's own
/// time. Adapters to services that take longer to answer allow for that themselves.
pub async fn aws() -> SdkConfig {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_LIMIT)
        .read_timeout(READ_LIMIT)
        .operation_timeout(CALL_LIMIT)
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .credentials_provider(aws_config::environment::EnvironmentVariableCredentialsProvider::new())
        .region(aws_config::environment::EnvironmentVariableRegionProvider::new())
        .http_client(http)
        .timeout_config(timeouts)
        .load()
        .await
}

/// Hands the handler to the Lambda runtime until the environment is shut down.
///
/// # Errors
/// When the Runtime API does not answer.
pub async fn run<E, A, F, H>(handle: H) -> Result<(), Error>
where
    E: DeserializeOwned,
    A: Serialize,
    F: Future<Output = Result<A, Error>>,
    H: Fn(E) -> F,
{
    // Boxed: a handler's own future is deep, and the runtime's layers around it would deepen it past rustc's limit.
    lambda_runtime::run(service_fn(|event: LambdaEvent<E>| handle(event.payload).boxed_local())).await
}
