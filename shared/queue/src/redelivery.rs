//! Gives a received message back.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use domain::ports::Answer;

/// The longest that SQS hides a message, in seconds: 12 hours.
const LONGEST: u64 = 12 * 60 * 60;

/// The queue that a function receives from.
#[derive(Debug, Clone)]
pub struct Redelivery {
    client: Client,
    url: String,
}

impl Redelivery {
    /// The queue of that URL.
    pub fn new(config: &SdkConfig, url: impl Into<String>) -> Self {
        Self { client: Client::new(config), url: url.into() }
    }
}

impl domain::ports::Redelivery for Redelivery {
    async fn delay(&self, receipt: &str, delay: Duration) -> Answer<()> {
        let seconds = delay.as_millis().div_ceil(1000).min(u128::from(LONGEST));
        self.client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt)
            .visibility_timeout(i32::try_from(seconds).unwrap_or_default())
            .send()
            .await
            .map(|_| ())
            .map_err(|error| aws::fault(format!("a message cannot be given back to `{}`", self.url), error))
    }
}
