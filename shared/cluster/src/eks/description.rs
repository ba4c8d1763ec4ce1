//! What EKS answers to `DescribeCluster`
//! (<https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeCluster.html>).

use domain::ports::{Answer, Fault};
use serde::Deserialize;
use serde_json::json;

/// Any address on the internet.
const EVERYWHERE: &str = "0.0.0.0/0";

/// Where a cluster is.
#[derive(Debug)]
pub(crate) struct Described {
    /// Its server and certificate authority, without credentials.
    pub(crate) kubeconfig: String,
    /// What people may do where nobody answers there.
    pub(crate) advice: Option<String>,
}

#[derive(Deserialize)]
struct Answered {
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cluster {
    status: String,
    endpoint: Option<String>,
    certificate_authority: Option<Authority>,
    resources_vpc_config: Option<Network>,
}

#[derive(Deserialize)]
struct Authority {
    data: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Network {
    endpoint_public_access: Option<bool>,
    public_access_cidrs: Vec<String>,
}

/// Reads a good answer.
pub(crate) fn read(what: &str, body: &[u8]) -> Answer<Described> {
    let answered: Result<Answered, _> = serde_json::from_slice(body);
    let Cluster { status, endpoint, certificate_authority, resources_vpc_config } =
        answered.map_err(|error| Fault::retry(what, format!("the answer cannot be read ({error})")))?.cluster;
    match status.as_str() {
        "CREATING" | "PENDING" => return Err(Fault::retry(what, "it is still being made")),
        "DELETING" | "FAILED" => return Err(Fault::reject(format!("{what}: its status is {status}"))),
        _ => {}
    }
    let authority =
        certificate_authority.and_then(|authority| authority.data).filter(|data| !data.is_empty());
    let endpoint = endpoint.filter(|endpoint| endpoint.starts_with("https://"));
    let (Some(endpoint), Some(authority)) = (endpoint, authority) else {
        return Err(Fault::retry(what, format!("it has no endpoint; its status is {status}")));
    };
    // JSON is YAML.
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "eks",
        "clusters": [{ "name": "eks", "cluster": { "server": endpoint, "certificate-authority-data": authority } }],
        "users": [{ "name": "eks", "user": {} }],
        "contexts": [{ "name": "eks", "context": { "cluster": "eks", "user": "eks" } }],
    });
    Ok(Described { kubeconfig: kubeconfig.to_string(), advice: resources_vpc_config.and_then(advice) })
}

fn advice(Network { endpoint_public_access, public_access_cidrs }: Network) -> Option<String> {
    if endpoint_public_access == Some(false) {
        return Some(
            "its endpoint is private: set the stack's parameters `VpcSubnetIds` and `VpcSecurityGroupIds`"
                .to_owned(),
        );
    }
    let is_open =
        public_access_cidrs.is_empty() || public_access_cidrs.iter().any(|range| range == EVERYWHERE);
    (!is_open).then(|| {
        "its public endpoint takes some addresses only: let the functions into its VPC with the stack's parameters \
         `VpcSubnetIds` and `VpcSecurityGroupIds`, or open it"
            .to_owned()
    })
}

/// What a refusal means.
pub(crate) fn refusal(what: &str, status: u16, kind: Option<&str>, body: &[u8]) -> Fault {
    let kind = kind.map_or_else(|| text(body, &["__type", "code"]), str::to_owned);
    let kind = kind.split(':').next().unwrap_or_default();
    let kind = kind.rsplit('#').next().unwrap_or_default();
    let message = message(body);
    match kind {
        "ResourceNotFoundException" => Fault::reject(format!(
            "{what}: there is no such cluster; the operator's file names it (`cluster: {{eks: …, region: …}}`)"
        )),
        "AccessDeniedException" => Fault::reject(format!(
            "{what}: {message}; add the cluster's ARN to the stack's parameter `EksClusterArns`"
        )),
        "ExpiredTokenException" | "ThrottlingException" => Fault::retry(what, message),
        _ => Fault::reject(format!("{what}: {kind} ({status}): {message}")),
    }
}

/// AWS's own words, at most a few lines of them.
pub(crate) fn message(body: &[u8]) -> String {
    let message = text(body, &["message", "Message"]);
    if message.is_empty() { "no message".to_owned() } else { domain::text::cut(&message, 600) }
}

fn text(body: &[u8], keys: &[&str]) -> String {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let found = keys.iter().find_map(|key| answer[*key].as_str());
    found.unwrap_or_default().to_owned()
}
