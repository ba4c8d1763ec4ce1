//! The App's credentials as the secret holds them.

use domain::ports::{Fault, Secret};
use serde::Deserialize;

/// Who Slipway is at GitHub.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The App's id.
    pub app_id: u64,
    /// Its private key in PEM.
    pub private_key: Secret,
}

#[derive(Deserialize)]
struct Text {
    app_id: u64,
    private_key: String,
}

impl Credentials {
    /// Reads `{"app_id": …, "private_key": "…"}`.
    ///
    /// # Errors
    /// When the secret has another form; nothing of it is repeated in the error.
    pub fn parse(secret: &Secret) -> Result<Self, Fault> {
        let text: Text = serde_json::from_str(secret.reveal()).map_err(|_| {
            Fault::reject(
                "the GitHub secret is not of the form `{\"app_id\": <number>, \"private_key\": \"<PEM>\"}`",
            )
        })?;
        Ok(Self { app_id: text.app_id, private_key: Secret::new(text.private_key) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_secret_is_refused_without_being_shown() {
        let fault =
            Credentials::parse(&Secret::new("{\"app_id\": \"hunter2\"}")).expect_err("no number").chain();
        assert!(fault.contains("app_id") && !fault.contains("hunter2"), "{fault}");
        let credentials = Credentials::parse(&Secret::new("{\"app_id\": 7, \"private_key\": \"key\"}"))
            .expect("well-formed");
        assert_eq!((credentials.app_id, credentials.private_key.reveal()), (7, "key"));
    }
}
