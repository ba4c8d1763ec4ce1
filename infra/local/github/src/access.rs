//! Who asks, and what he may see and do: 401, 403 and 404 as GitHub gives them.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;

use crate::answer::Problem;
use crate::installation_tokens::InstallationToken;
use crate::state::{App, Repository, account};

/// The login of a person who gives the push token without a name.
const NAMELESS_PERSON: &str = "developer";

/// Who sent a request.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    Anonymous,
    /// The App itself, by its own signed token.
    App,
    Installation(InstallationToken),
    /// Somebody with the push token, under this login.
    Person(String),
}

impl Caller {
    /// Reads the `Authorization` header.
    pub(crate) fn of(app: &App, headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Ok(Self::Anonymous);
        };
        let bad = || Problem::unauthorized("Bad credentials");
        let (scheme, secret) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(bad)?;
        let secret = secret.trim();
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded = STANDARD.decode(secret).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let (login, token) = decoded.as_deref().and_then(|pair| pair.split_once(':')).ok_or_else(bad)?;
            return Self::of_token(app, token, login).ok_or_else(bad);
        }
        if secret.bytes().filter(|byte| *byte == b'.').count() == 2 {
            let verdict = app.public_key.verify(secret, app.options.app_id, Timestamp::now().as_second());
            return verdict.map(|()| Self::App).map_err(Problem::unauthorized);
        }
        let caller = Self::of_token(app, secret, NAMELESS_PERSON).ok_or_else(bad)?;
        if caller.is_suspended(app) { Err(Problem::suspended()) } else { Ok(caller) }
    }

    fn of_token(app: &App, token: &str, login: &str) -> Option<Self> {
        let expected = &app.options.push_token;
        if !expected.is_empty() && same(token, expected) {
            return Some(Self::Person(as_login(login)));
        }
        let data = app.data();
        let known = data.tokens.get(token).filter(|known| known.expires_at > Timestamp::now());
        known.cloned().map(Self::Installation)
    }

    fn is_suspended(&self, app: &App) -> bool {
        let Self::Installation(token) = self else { return false };
        let data = app.data();
        let known = data.installations.iter().find(|known| known.what.id == token.installation);
        known.is_some_and(|known| known.suspended_at.is_some())
    }

    /// The account that a comment or pull request of this caller comes from.
    pub(crate) fn account(&self, app: &App) -> Value {
        match self {
            Self::Person(login) => account(app.base_url(), login, "User"),
            _ => app_account(app),
        }
    }

    pub(crate) fn sees(&self, app: &App, repository: &Repository) -> bool {
        match self {
            Self::Person(_) => true,
            Self::Installation(token) => !repository.private || token.covers(app, repository),
            Self::Anonymous | Self::App => !repository.private,
        }
    }
}

/// The account of the App's bot.
pub(crate) fn app_account(app: &App) -> Value {
    account(app.base_url(), &format!("{}[bot]", app.options.app_slug), "Bot")
}

/// Any user name will do for the push token; what is no login on GitHub is made one.
fn as_login(name: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let letters = name.chars().take(39).map(|letter| if allowed(letter) { letter } else { '-' });
    let login = letters.collect::<String>();
    if login.is_empty() { NAMELESS_PERSON.to_owned() } else { login }
}

/// Compares secrets without telling by the time where they differ.
fn same(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |sum, (left, right)| sum | (left ^ right));
    one.len() == other.len() && differences == 0
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        Self::of(app, &parts.headers)
    }
}

/// A request about a repository that its caller may see.
pub(crate) struct Place {
    pub(crate) app: Arc<App>,
    pub(crate) repository: Repository,
    pub(crate) caller: Caller,
}

impl Place {
    /// Refuses an installation that may not read this kind of thing.
    pub(crate) fn reads(&self, permission: &str) -> Result<(), Problem> {
        match &self.caller {
            Caller::Installation(token) if token.covers(&self.app, &self.repository) => {
                token.permissions.contains_key(permission).then_some(()).ok_or_else(Problem::forbidden)
            }
            Caller::App => Err(Problem::forbidden()),
            _ => Ok(()),
        }
    }

    /// Refuses everybody who may not write this kind of thing.
    pub(crate) fn writes(&self, permission: &str) -> Result<(), Problem> {
        match &self.caller {
            Caller::Anonymous => Err(Problem::unauthorized("Requires authentication")),
            Caller::Person(_) => Ok(()),
            Caller::Installation(token)
                if token.covers(&self.app, &self.repository)
                    && token.permissions.get(permission).is_some_and(|level| level != "read") =>
            {
                Ok(())
            }
            Caller::Installation(_) | Caller::App => Err(Problem::forbidden()),
        }
    }

    /// As [`Place::writes`], for what only an App may write.
    pub(crate) fn writes_as_app(&self, permission: &str) -> Result<(), Problem> {
        match self.caller {
            Caller::Person(_) => {
                Err(Problem::new(StatusCode::FORBIDDEN, "You must authenticate via a GitHub App."))
            }
            _ => self.writes(permission),
        }
    }

    pub(crate) fn api_url(&self) -> String {
        self.app.api_url(&self.repository)
    }

    pub(crate) fn html_url(&self) -> String {
        self.app.html_url(&self.repository)
    }

    /// The commit a ref names, or GitHub's 422 about it.
    pub(crate) async fn commit(&self, reference: &str) -> Result<String, Problem> {
        let found = self.repository.git.commit(reference).await?;
        found.ok_or_else(|| Problem::unprocessable(format!("No commit found for SHA: {reference}")))
    }
}

impl FromRequestParts<Arc<App>> for Place {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let caller = Caller::of(app, &parts.headers)?;
        let path = RawPathParams::from_request_parts(parts, app).await.map_err(|_| Problem::not_found())?;
        let find =
            |wanted: &str| path.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned());
        let (owner, name) = find("owner").zip(find("repo")).ok_or_else(Problem::not_found)?;
        let repository = app.data().repository(&owner, &name).cloned();
        let repository = repository.filter(|found| caller.sees(app, found) || matches!(caller, Caller::App));
        Ok(Self { app: Arc::clone(app), repository: repository.ok_or_else(Problem::not_found)?, caller })
    }
}
