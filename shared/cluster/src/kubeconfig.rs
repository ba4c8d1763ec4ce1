//! From a kubeconfig's text to a server and who asks it: the current context, with inline credentials only.
//!
//! kube's own reader also knows programs, token providers and files, none of which a function has; their code would come
//! along.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::ports::Fault;
use http::{HeaderValue, Uri};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A server, whom to trust for it, and who asks.
pub(crate) struct Server {
    pub(crate) url: Uri,
    /// Who may vouch for it; none means whom the machine trusts.
    pub(crate) authorities: Option<Vec<CertificateDer<'static>>>,
    /// The name in its certificate, where that is another one than the URL's.
    pub(crate) certified_name: Option<ServerName<'static>>,
    /// A client certificate with its key.
    pub(crate) identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    /// The header `Authorization`.
    pub(crate) authorization: Option<HeaderValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Kubeconfig {
    #[serde(default)]
    current_context: String,
    #[serde(default)]
    contexts: Vec<Named<ContextEntry>>,
    #[serde(default)]
    clusters: Vec<Named<ClusterEntry>>,
    #[serde(default)]
    users: Vec<Named<UserEntry>>,
}

#[derive(Deserialize)]
struct Named<T> {
    name: String,
    #[serde(flatten)]
    entry: T,
}

#[derive(Deserialize)]
struct ContextEntry {
    context: Context,
}

#[derive(Deserialize)]
struct Context {
    cluster: String,
    #[serde(default)]
    user: String,
}

#[derive(Deserialize)]
struct ClusterEntry {
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: Option<String>,
    certificate_authority: Option<String>,
    certificate_authority_data: Option<String>,
    tls_server_name: Option<String>,
    #[serde(default)]
    insecure_skip_tls_verify: bool,
}

#[derive(Deserialize)]
struct UserEntry {
    #[serde(default)]
    user: Option<User>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<String>,
    username: Option<String>,
    password: Option<String>,
    client_certificate: Option<String>,
    client_certificate_data: Option<String>,
    client_key: Option<String>,
    client_key_data: Option<String>,
    exec: Option<IgnoredAny>,
    auth_provider: Option<IgnoredAny>,
}

impl Server {
    /// A server that the machine's authorities vouch for, asked without credentials.
    pub(crate) fn at(url: Uri) -> Self {
        Self { url, authorities: None, certified_name: None, identity: None, authorization: None }
    }

    /// What the kubeconfig's current context names.
    ///
    /// # Errors
    /// The field that cannot be used and what to write instead. No value is repeated.
    pub(crate) fn read(kubeconfig: &str) -> Result<Self, Fault> {
        let kubeconfig: Kubeconfig =
            serde_saphyr::from_str(kubeconfig).map_err(|_| unusable("it is no kubeconfig in YAML"))?;
        let Kubeconfig { current_context, contexts, clusters, users } = kubeconfig;
        let context = named(contexts, &current_context)
            .ok_or_else(|| unusable("`current-context` names none of `contexts`"))?
            .context;
        let cluster = named(clusters, &context.cluster)
            .ok_or_else(|| unusable("the current context's `cluster` is none of `clusters`"))?
            .cluster;
        let user = named(users, &context.user).and_then(|entry| entry.user).unwrap_or_default();
        refuse_files(&cluster, &user)?;
        refuse_programs(&user)?;
        Self::of(cluster, user)
    }

    fn of(cluster: Cluster, user: User) -> Result<Self, Fault> {
        if cluster.insecure_skip_tls_verify {
            return Err(unusable(
                "`insecure-skip-tls-verify` would give the credentials to whoever answers; write the authority as \
                 `certificate-authority-data`",
            ));
        }
        let url = cluster.server.and_then(|url| url.parse::<Uri>().ok()).filter(|url| url.host().is_some());
        let certified_name = cluster.tls_server_name.map(ServerName::try_from).transpose();
        Ok(Self {
            url: url.ok_or_else(|| unusable("the cluster's `server` is no URL"))?,
            authorities: cluster
                .certificate_authority_data
                .map(|data| certificates("certificate-authority-data", &data))
                .transpose()?,
            certified_name: certified_name.map_err(|_| unusable("`tls-server-name` is no name of a host"))?,
            authorization: authorization(&user)?,
            identity: identity(user)?,
        })
    }
}

fn named<T>(entries: Vec<Named<T>>, name: &str) -> Option<T> {
    entries.into_iter().find(|entry| entry.name == name).map(|entry| entry.entry)
}

fn authorization(user: &User) -> Result<Option<HeaderValue>, Fault> {
    let text = match (&user.token, &user.username, &user.password) {
        (Some(token), ..) => format!("Bearer {}", token.trim()),
        (None, Some(name), Some(password)) => {
            format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
        }
        _ => return Ok(None),
    };
    let mut header = HeaderValue::try_from(text).map_err(|_| unusable("`token` is no token"))?;
    header.set_sensitive(true);
    Ok(Some(header))
}

fn identity(user: User) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, Fault> {
    let (certificate, key) = match (user.client_certificate_data, user.client_key_data) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        _ => return Err(unusable("`client-certificate-data` and `client-key-data` go together")),
    };
    let chain = certificates("client-certificate-data", &certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&decoded("client-key-data", &key)?)
        .map_err(|_| unusable("`client-key-data` is no private key in PEM"))?;
    Ok(Some((chain, key)))
}

fn certificates(field: &str, data: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let pem = decoded(field, data)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.ok().filter(|found| !found.is_empty());
    found.ok_or_else(|| unusable(&format!("`{field}` holds no certificate in PEM")))
}

fn decoded(field: &str, data: &str) -> Result<Vec<u8>, Fault> {
    let data: String = data.split_whitespace().collect();
    STANDARD.decode(data).map_err(|_| unusable(&format!("`{field}` is not base64")))
}

/// A secret has no files beside it; a path in it would read the function's own disk.
fn refuse_files(cluster: &Cluster, user: &User) -> Result<(), Fault> {
    let files = [
        (&cluster.certificate_authority, "certificate-authority", "certificate-authority-data"),
        (&user.token_file, "tokenFile", "token"),
        (&user.client_certificate, "client-certificate", "client-certificate-data"),
        (&user.client_key, "client-key", "client-key-data"),
    ];
    match files.iter().find(|(file, ..)| file.is_some()) {
        Some((_, path, data)) => {
            Err(unusable(&format!("`{path}` names a file; write the content as `{data}`")))
        }
        None => Ok(()),
    }
}

fn refuse_programs(user: &User) -> Result<(), Fault> {
    let instead = "use a service account's `token` or a client certificate, or for EKS the cluster's name in the \
                   operator's file";
    if user.exec.is_some() {
        return Err(unusable(&format!("`exec` would run a program; {instead}")));
    }
    if user.auth_provider.is_some() {
        return Err(unusable(&format!("`auth-provider` is not supported; {instead}")));
    }
    Ok(())
}

pub(crate) fn unusable(why: &str) -> Fault {
    Fault::reject(format!("the kubeconfig cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::Server;

    fn kubeconfig(cluster: &str, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
             clusters: [{{name: k, cluster: {{server: 'https://127.0.0.1:1'{cluster}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
        )
    }

    fn refusal(text: &str) -> String {
        Server::read(text).err().map(|fault| fault.chain()).unwrap_or_default()
    }

    fn authorization(user: &str) -> String {
        let server = Server::read(&kubeconfig("", user)).expect("a server");
        let header = server.authorization.expect("a header");
        assert!(header.is_sensitive());
        header.to_str().expect("text").to_owned()
    }

    #[test]
    fn inline_credentials_are_enough() {
        assert_eq!(authorization("token: secret"), "Bearer secret");
        assert_eq!(authorization("username: ada, password: lace"), "Basic YWRhOmxhY2U=");
        assert_eq!(refusal(&kubeconfig("", "")), "");
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        let exec =
            "exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, interactiveMode: Never}";
        for (cluster, user, expected) in [
            ("", exec, "`exec` would run a program"),
            ("", "auth-provider: {name: gcp, config: {}}", "`auth-provider`"),
            ("", "client-certificate: /etc/passwd", "`client-certificate-data`"),
            ("", "tokenFile: /etc/passwd", "write the content as `token`"),
            (", certificate-authority: /etc/passwd", "token: secret", "`certificate-authority-data`"),
            (", insecure-skip-tls-verify: true", "token: secret", "whoever answers"),
            (", tls-server-name: 'a b'", "token: secret", "`tls-server-name`"),
            ("", "client-key-data: aaaa", "go together"),
        ] {
            let told = refusal(&kubeconfig(cluster, user));
            assert!(told.contains(expected), "{told}");
        }
        let text = kubeconfig("", "token: secret");
        for (there, instead, expected) in [
            ("current-context: c", "current-context: d", "`current-context` names none"),
            ("cluster: k", "cluster: l", "none of `clusters`"),
            ("https://127.0.0.1:1", "/here", "`server` is no URL"),
        ] {
            let told = refusal(&text.replacen(there, instead, 1));
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn a_broken_secret_never_shows_itself() {
        for text in [
            "token: [s3cr3t",
            "s3cr3t",
            &kubeconfig("", "client-certificate-data: '%s3cr3t', client-key-data: '%s3cr3t'"),
            &kubeconfig(", certificate-authority-data: s3cr3tss", "token: s3cr3t"),
            &kubeconfig("", r#"token: "s3cr3t\n2""#),
        ] {
            let refusal = refusal(text);
            assert!(!refusal.is_empty() && !refusal.contains("s3cr3t"), "{refusal}");
        }
    }
}
