//! E-mail through SES.

use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::BuildError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use domain::ports::{Answer, Fault, Mail, Post};

/// Sends from one verified address.
pub struct Mailer {
    client: Client,
    sender: String,
}

impl Mailer {
    /// A mailer whose sender SES must have verified. Nothing is sent yet.
    pub fn new(config: &SdkConfig, sender: impl Into<String>) -> Self {
        Self { client: Client::new(config), sender: sender.into() }
    }
}

impl Post for Mailer {
    async fn send(&self, mail: &Mail) -> Answer<()> {
        let what = format!("could not send the mail `{}`", mail.subject);
        let content = content(mail).map_err(|error| Fault::reject(format!("{what}: {error}")))?;
        self.client
            .send_email()
            .from_email_address(&self.sender)
            .destination(Destination::builder().set_to_addresses(Some(mail.to.clone())).build())
            .content(content)
            .send()
            .await
            .map_err(|error| aws::fault(what, error))?;
        Ok(())
    }
}

fn content(mail: &Mail) -> Result<EmailContent, BuildError> {
    let text = |data: &str| Content::builder().data(data).charset("UTF-8").build();
    let body = Body::builder().text(text(&mail.body)?).build();
    let message = Message::builder().subject(text(&mail.subject)?).body(body).build();
    Ok(EmailContent::builder().simple(message).build())
}
