//! From a kubeconfig's text to a client: inline credentials only, every byte sent at once.

use std::time::Duration;

use domain::ports::Fault;
use futures::FutureExt as _;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ClientBuilder, ConfigExt as _};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::{BoxError, ServiceExt as _};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that lay idle longer may have been cut while the function was frozen.
const KEEP_IDLE: Duration = Duration::from_secs(20);

/// Builds the client for the kubeconfig's current context.
pub(crate) fn from_kubeconfig(text: &str) -> Result<Client, Fault> {
    let kubeconfig = Kubeconfig::from_yaml(text).map_err(|_| unusable("it is no kubeconfig in YAML"))?;
    refuse_files(&kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .now_or_never()
        .ok_or_else(|| unusable("it needs more than its text"))?
        .map_err(|error| unusable(&error.to_string()))?;
    refuse_programs(&config.auth_info)?;
    connect(&config).map_err(|error| unusable(&error.to_string()))
}

fn connect(config: &Config) -> kube::Result<Client> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    // Without it every new connection waits 40 ms for a delayed acknowledgement.
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let tls = config.rustls_https_connector_with_connector(tcp)?;
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(KEEP_IDLE)
        .build::<_, Body>(tls)
        .map_err(BoxError::from);
    let builder =
        ClientBuilder::new(http, config.default_namespace.clone()).with_layer(&config.base_uri_layer());
    Ok(match config.auth_layer()? {
        Some(authentication) => builder.with_layer(&authentication).build(),
        None => builder.build(),
    })
}

/// A secret has no files beside it; a path in it would read the function's own disk.
fn refuse_files(kubeconfig: &Kubeconfig) -> Result<(), Fault> {
    let of_clusters = kubeconfig
        .clusters
        .iter()
        .filter_map(|named| named.cluster.as_ref()?.certificate_authority.as_ref())
        .map(|_| ("certificate-authority", "certificate-authority-data"));
    let of_users =
        kubeconfig.auth_infos.iter().filter_map(|named| named.auth_info.as_ref()).flat_map(|user| {
            [
                user.token_file.as_ref().map(|_| ("tokenFile", "token")),
                user.client_certificate.as_ref().map(|_| ("client-certificate", "client-certificate-data")),
                user.client_key.as_ref().map(|_| ("client-key", "client-key-data")),
            ]
        });
    match of_clusters.chain(of_users.flatten()).next() {
        Some((path, data)) => Err(unusable(&format!("`{path}` names a file; write the content as `{data}`"))),
        None => Ok(()),
    }
}

fn refuse_programs(user: &AuthInfo) -> Result<(), Fault> {
    if user.exec.is_some() {
        return Err(unusable(
            "`exec` would run a program; use a service account's `token` or a client certificate",
        ));
    }
    if user.auth_provider.is_some() {
        return Err(unusable(
            "`auth-provider` is not supported; use a service account's `token` or a client certificate",
        ));
    }
    Ok(())
}

fn unusable(why: &str) -> Fault {
    Fault::reject(format!("the kubeconfig cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::from_kubeconfig;

    fn kubeconfig(cluster: &str, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
             clusters: [{{name: k, cluster: {{server: 'https://127.0.0.1:1'{cluster}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
        )
    }

    fn refusal(text: &str) -> String {
        from_kubeconfig(text).err().map(|fault| fault.chain()).unwrap_or_default()
    }

    #[tokio::test]
    async fn inline_credentials_are_enough() {
        assert_eq!(refusal(&kubeconfig("", "token: secret")), "");
    }

    #[tokio::test]
    async fn programs_and_files_are_refused_by_name() {
        let exec = kubeconfig(
            "",
            "exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, interactiveMode: Never}",
        );
        assert!(refusal(&exec).contains("`exec` would run a program"), "{}", refusal(&exec));
        let provider = kubeconfig("", "auth-provider: {name: gcp, config: {}}");
        assert!(refusal(&provider).contains("`auth-provider`"), "{}", refusal(&provider));
        let file = kubeconfig("", "client-certificate: /etc/passwd");
        assert!(refusal(&file).contains("`client-certificate-data`"), "{}", refusal(&file));
        let authority = kubeconfig(", certificate-authority: /etc/passwd", "token: secret");
        assert!(refusal(&authority).contains("`certificate-authority-data`"), "{}", refusal(&authority));
    }

    #[tokio::test]
    async fn a_broken_secret_never_shows_itself() {
        for text in [
            "token: [s3cr3t",
            "s3cr3t",
            &kubeconfig("", "client-certificate-data: '%s3cr3t', client-key-data: '%s3cr3t'"),
        ] {
            let refusal = refusal(text);
            assert!(!refusal.is_empty() && !refusal.contains("s3cr3t"), "{refusal}");
        }
    }
}
