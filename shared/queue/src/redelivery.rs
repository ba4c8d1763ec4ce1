//! Gives a received message back, or sets it aside.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;
use domain::ports::{Answer, printable_reason};
use domain::time::Timestamp;

/// The longest that SQS hides a message, in seconds: 12 hours.
const LONGEST: u64 = 12 * 60 * 60;

/// The queue that a function receives from, and that of its dead letters.
#[derive(Debug, Clone)]
pub struct Redelivery {
    client: Client,
    url: String,
    dead_letters_url: String,
}

impl Redelivery {
    /// The queues of these URLs.
    pub fn new(config: &SdkConfig, url: impl Into<String>, dead_letters_url: impl Into<String>) -> Self {
        Self { client: Client::new(config), url: url.into(), dead_letters_url: dead_letters_url.into() }
    }

    /// The function's name, which is its queue's too.
    fn function(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
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

    async fn set_aside(&self, body: &str, reason: &str) -> Answer<()> {
        let url = &self.dead_letters_url;
        let what = || format!("a message cannot be set aside in `{url}`");
        let attributes = [
            ("reason", printable_reason(reason)),
            ("function", self.function().to_owned()),
            ("at", Timestamp::now().rfc3339()),
        ];
        let mut request = self.client.send_message().queue_url(url).message_body(body);
        for (name, value) in attributes {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            request = request.message_attributes(name, value.map_err(|error| aws::lasting(what(), error))?);
        }
        request.send().await.map(|_| ()).map_err(|error| aws::fault(what(), error))
    }
}
