//! Slack's credentials as the secret holds them.

use domain::ports::{Fault, Secret};
use serde::Deserialize;

#[derive(Deserialize)]
struct Text {
    token: String,
}

/// Reads `{"token": "xoxb-…"}`.
///
/// # Errors
/// When the secret has another form; nothing of it is repeated in the error.
pub fn slack_token(secret: &Secret) -> Result<Secret, Fault> {
    let text: Text = serde_json::from_str(secret.reveal())
        .map_err(|_| Fault::reject("the Slack secret is not of the form `{\"token\": \"xoxb-…\"}`"))?;
    Ok(Secret::new(text.token))
}
