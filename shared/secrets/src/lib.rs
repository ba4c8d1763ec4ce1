//! Secrets Manager, cached and safe against rotation.
//!
//! A secret is asked for once in five minutes. Whoever sees a credential refused takes [`Secrets::fresh`] once,
//! because it may have been rotated since. Nothing here logs.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use domain::ports::{Advice, Answer, Fault, Secret};
use tokio::sync::Mutex;

/// How long a secret is believed.
const KEPT: Duration = Duration::from_mins(5);

/// The account's secrets.
#[derive(Debug)]
pub struct Secrets {
    client: Client,
    kept: Duration,
    /// Held while asking, so that several tasks of one process ask once.
    cache: Mutex<HashMap<String, Cached>>,
}

#[derive(Debug)]
struct Cached {
    secret: Secret,
    asked: Instant,
}

impl Secrets {
    /// The secrets of the configured account and region.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config), kept: KEPT, cache: Mutex::default() }
    }

    /// The same, each secret believed for `kept`.
    #[must_use]
    pub fn kept_for(mut self, kept: Duration) -> Self {
        self.kept = kept;
        self
    }

    async fn ask(&self, id: &str) -> Answer<Secret> {
        let what = || format!("secret `{id}` cannot be read");
        let answer = self
            .client
            .get_secret_value()
            .secret_id(id)
            .send()
            .await
            .map_err(|error| aws::fault(what(), error))?;
        let text =
            answer.secret_string.ok_or_else(|| Fault::reject(format!("{}: it holds no text", what())))?;
        Ok(Secret::new(text))
    }
}

impl domain::ports::Secrets for Secrets {
    async fn secret(&self, id: &str) -> Answer<Secret> {
        let mut cache = self.cache.lock().await;
        let known = cache.get(id).map(|cached| (cached.secret.clone(), cached.asked.elapsed()));
        if let Some((secret, age)) = &known
            && *age < self.kept
        {
            return Ok(secret.clone());
        }
        match (self.ask(id).await, known) {
            (Ok(secret), _) => {
                cache.insert(id.to_owned(), Cached { secret: secret.clone(), asked: Instant::now() });
                Ok(secret)
            }
            // What was true a while ago is better than nothing while Secrets Manager is away.
            (Err(Fault { advice: Advice::Retry(_), .. }), Some((secret, _))) => Ok(secret),
            (Err(fault), _) => Err(fault),
        }
    }

    async fn fresh(&self, id: &str) -> Answer<Secret> {
        let mut cache = self.cache.lock().await;
        let secret = self.ask(id).await?;
        cache.insert(id.to_owned(), Cached { secret: secret.clone(), asked: Instant::now() });
        Ok(secret)
    }
}
