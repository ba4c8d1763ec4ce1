//! The account that the function runs in: its credentials, its endpoints, its clock.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_types::service_config::ServiceConfigKey;
use domain::ports::{Answer, Fault};
use http::Request;

/// What tells the time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The account.
pub(crate) struct Account {
    config: SdkConfig,
    clock: Clock,
}

/// A GET that is to be signed.
pub(crate) struct Signing<'a> {
    /// The service as signatures name it.
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) url: &'a str,
    /// What is signed beside the host.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    /// With it the signature goes into the URL, and is good for so long.
    pub(crate) in_url: Option<Duration>,
}

impl Account {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self { config: config.clone(), clock: Arc::new(SystemTime::now) }
    }

    pub(crate) fn with_clock(&self, clock: Clock) -> Self {
        Self { config: self.config.clone(), clock }
    }

    pub(crate) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// The region of the function.
    ///
    /// # Errors
    /// When none is configured.
    pub(crate) fn region(&self) -> Answer<String> {
        let region = self.config.region().map(ToString::to_string);
        region.ok_or_else(|| Fault::reject("no region is known; `cluster: {eks: …, region: …}` names one"))
    }

    /// Where a service answers: as the environment says (`AWS_ENDPOINT_URL_EKS`, `AWS_ENDPOINT_URL`), else on AWS.
    pub(crate) fn endpoint(&self, service_id: &str, service: &str, region: &str) -> String {
        let key = ServiceConfigKey::builder()
            .service_id(service_id)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()
            .ok();
        let own = key.zip(self.config.service_config()).and_then(|(key, config)| config.load_config(key));
        let set = own.or_else(|| self.config.endpoint_url().map(str::to_owned));
        let set = set.map(|url| url.trim_end_matches('/').to_owned());
        set.unwrap_or_else(|| format!("https://{}", self.host(service, region)))
    }

    /// The host of a regional endpoint on AWS
    /// (<https://docs.aws.amazon.com/general/latest/gr/rande.html>).
    #[expect(clippy::unused_self, reason = "the account's partition decides")]
    pub(crate) fn host(&self, service: &str, region: &str) -> String {
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("{service}.{region}.{domain}")
    }

    /// The request with its signature.
    ///
    /// # Errors
    /// When there are no credentials, or nothing can be signed with them.
    pub(crate) async fn sign(&self, signing: &Signing<'_>) -> Answer<Request<()>> {
        let what = || format!("a request to `{}` cannot be signed", signing.service);
        let provider = self.config.credentials_provider();
        let provider =
            provider.ok_or_else(|| Fault::reject(format!("{}: there are no credentials", what())))?;
        let credentials =
            provider.provide_credentials().await.map_err(|error| Fault::retry(what(), error))?;
        let mut settings = SigningSettings::default();
        if let Some(lasting) = signing.in_url {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(lasting);
        }
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(signing.region)
            .name(signing.service)
            .time(self.now())
            .settings(settings)
            .build()
            .map_err(|error| Fault::retry(what(), error))?;
        let parameters = parameters.into();
        let signable =
            SignableRequest::new("GET", signing.url, signing.headers.iter().copied(), SignableBody::empty());
        let signable = signable.map_err(|error| Fault::retry(what(), error))?;
        let signed = sign(signable, &parameters).map_err(|error| Fault::retry(what(), error))?;
        let request = Request::get(signing.url).body(());
        let mut request = request.map_err(|error| Fault::retry(what(), error))?;
        signed.into_parts().0.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}
