//! Installation tokens, each narrowed to one repository and kept until shortly before it expires.

use std::collections::HashMap;
use std::time::Duration;

use domain::ids::RepositoryName;
use domain::ports::{Answer, Secret};
use domain::time::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use crate::GitHub;
use crate::exchange::{Refusal, Request, parse};

/// A token is renewed so long before its end.
const RESERVE: Duration = Duration::from_mins(5);

/// The tokens at hand.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<HashMap<(u64, RepositoryName), Token>>);

#[derive(Clone)]
struct Token {
    secret: Secret,
    renew_at: Timestamp,
}

#[derive(Deserialize)]
struct Created {
    token: String,
    expires_at: jiff::Timestamp,
}

impl GitHub {
    /// The token for a repository, from the cache or asked for. Asked once even when many want it at a time.
    pub(crate) async fn token(&self, repository: &RepositoryName, installation: u64) -> Answer<Secret> {
        let now = Timestamp::now();
        let mut tokens = self.tokens.0.lock().await;
        let place = (installation, repository.clone());
        if let Some(token) = tokens.get(&place).filter(|token| now < token.renew_at) {
            return Ok(token.secret.clone());
        }
        let token = self.create_token(repository, installation, now).await?;
        tokens.insert(place, token.clone());
        Ok(token.secret)
    }

    /// Forgets a token that GitHub no longer takes, unless another has taken its place.
    pub(crate) async fn forget_token(
        &self,
        repository: &RepositoryName,
        installation: u64,
        refused: &Secret,
    ) {
        let mut tokens = self.tokens.0.lock().await;
        let place = (installation, repository.clone());
        if tokens.get(&place).is_some_and(|token| token.secret == *refused) {
            tokens.remove(&place);
        }
    }

    async fn create_token(
        &self,
        repository: &RepositoryName,
        installation: u64,
        now: Timestamp,
    ) -> Answer<Token> {
        let what = format!("could not get a GitHub token for `{repository}`");
        let request = Request::new(Method::POST, format!("/app/installations/{installation}/access_tokens"))
            .with_body(json!({"repositories": [repository.name()]}));
        let app_token = Secret::new(self.app.token(now)?);
        let response =
            self.send(&request, &app_token).await.map_err(|refusal: Refusal| refusal.fault(&what))?;
        let created: Created = parse(response, &what).await?;
        let expires = Timestamp(u64::try_from(created.expires_at.as_millisecond()).unwrap_or(0));
        let renew_at = now.after(expires.since(now).saturating_sub(RESERVE));
        Ok(Token { secret: Secret::new(created.token), renew_at })
    }
}
