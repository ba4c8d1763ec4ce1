//! How the service is set up.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use local_engine::Engine;
use serde_json::Value;
use tokio::process::Command;

use crate::control::Control;
use crate::pretended::Pretence;

/// Where events about builds go.
#[derive(Clone)]
pub enum EventSink {
    /// To the default event bus of the local AWS, by `PutEvents`; it must let `aws.codebuild` through.
    LocalAws,
    /// To a function: the whole event, as a rule's target would receive it.
    Function(Arc<dyn Fn(Value) + Send + Sync>),
}

impl fmt::Debug for EventSink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::LocalAws => "LocalAws",
            Self::Function(_) => "Function",
        })
    }
}

/// How the service is set up; [`Options::new`] suits a cloud on this machine.
#[derive(Debug, Clone)]
pub struct Options {
    /// The cloud's name: containers and volumes carry the label `slipway.cloud=<name>`.
    pub cloud: String,
    /// Where builds run.
    pub engine: Engine,
    /// The URL of the local AWS, as this process and builds reach it.
    pub aws_endpoint: String,
    /// The region of all ARNs.
    pub region: String,
    /// The account of all ARNs.
    pub account: String,
    /// Pairs of the start of a project's image name and the image that is run in its place. The first that
    /// fits is taken; an image that none fits is run by its own name.
    pub image_map: Vec<(String, String)>,
    /// This machine's certificate authorities, copied into every build.
    pub ca_bundle: Option<PathBuf>,
    /// Variables for every build beside its own: how this machine reaches package indexes.
    pub environment: Vec<(String, String)>,
    /// How many builds run at a time; five times as many may wait, as on AWS.
    pub concurrent_builds: usize,
    /// Where events about builds go.
    pub events: EventSink,
    /// With it nothing runs, and builds come to what it says.
    pub pretence: Option<Pretence>,
    /// What the caller keeps of the service.
    pub control: Control,
    /// How long a minute of a build's timeout lasts: tests shorten it.
    pub minute: Duration,
}

impl Options {
    /// The options of a cloud called `cloud` whose local AWS answers at `aws_endpoint`: CodeBuild's own images
    /// are replaced by the local build image, and this machine's package settings are handed in.
    pub async fn new(cloud: &str, engine: Engine, aws_endpoint: &str) -> Self {
        Self {
            cloud: cloud.to_owned(),
            engine,
            aws_endpoint: aws_endpoint.to_owned(),
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            image_map: vec![("aws/codebuild/".to_owned(), local_engine::images::LOCAL_BUILD.to_owned())],
            ca_bundle: machine_authorities(),
            environment: package_settings().await,
            concurrent_builds: 2,
            events: EventSink::LocalAws,
            pretence: None,
            control: Control::default(),
            minute: Duration::from_mins(1),
        }
    }

    /// The image that is run for `image`.
    pub(crate) fn image_for<'a>(&'a self, image: &'a str) -> &'a str {
        let mapped = self.image_map.iter().find(|(start, _)| image.starts_with(start.as_str()));
        mapped.map_or(image, |(_, replacement)| replacement)
    }

    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account)
    }
}

/// The file with the certificate authorities that this machine trusts.
fn machine_authorities() -> Option<PathBuf> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let usual =
        ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
    named.into_iter().chain(usual.map(PathBuf::from)).find(|file| file.is_file())
}

/// How this machine reaches package indexes: proxies, and what is configured for pip.
async fn package_settings() -> Vec<(String, String)> {
    let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];
    let proxies = proxies.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    let mut settings: Vec<(String, String)> = proxies.collect();
    for program in ["pip", "pip3"] {
        let listed = Command::new(program).args(["config", "list"]).stdin(Stdio::null()).output().await;
        if let Ok(output) = listed
            && output.status.success()
        {
            settings.extend(pip_settings(&String::from_utf8_lossy(&output.stdout)));
            return settings;
        }
    }
    let own = std::env::vars().filter(|(name, _)| name.starts_with("PIP_"));
    let listed = own.map(|(name, value)| {
        let option = name.trim_start_matches("PIP_").to_lowercase().replace('_', "-");
        format!(":env:.{option}='{value}'")
    });
    settings.extend(pip_settings(&listed.collect::<Vec<_>>().join("\n")));
    settings
}

/// The lines of `pip config list` as environment variables. Only what says how an index is reached: paths of
/// this machine mean nothing in a build.
fn pip_settings(listed: &str) -> Vec<(String, String)> {
    let wanted = [
        "index-url",
        "extra-index-url",
        "find-links",
        "trusted-host",
        "timeout",
        "default-timeout",
        "proxy",
        "retries",
        "no-index",
    ];
    let mut settings = std::collections::BTreeMap::new();
    for line in listed.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        let (scope, option) = name.split_once('.').unwrap_or(("", name));
        let option = option.trim_start_matches('.');
        let value = value.trim().trim_matches('\'').trim_matches('"').replace("\\n", " ");
        let is_path = option == "find-links" && !value.contains("://") || Path::new(&value).is_absolute();
        if !wanted.contains(&option) || is_path {
            continue;
        }
        let variable = format!("PIP_{}", option.to_uppercase().replace('-', "_"));
        // The environment wins over every file, as it does for pip.
        if scope == ":env:" || !settings.contains_key(&variable) {
            settings.insert(variable, value);
        }
    }
    settings.into_iter().collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_what_says_how_an_index_is_reached_goes_into_a_build() {
        let listed = ":env:.cert='/etc/ssl/certs/ca-certificates.crt'\n:env:.find-links='/opt/wheels'\n\
                      global.index-url='https://mirror.example/simple'\n:env:.default-timeout='180'\n\
                      global.default-timeout='15'\ninstall.find-links='https://wheels.example/'";
        let expect = [
            ("PIP_DEFAULT_TIMEOUT", "180"),
            ("PIP_FIND_LINKS", "https://wheels.example/"),
            ("PIP_INDEX_URL", "https://mirror.example/simple"),
        ];
        let expect = expect.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(super::pip_settings(listed), expect);
    }
}
