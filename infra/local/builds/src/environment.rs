//! The variables of a build, and the secrets among them.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::Service;
use crate::aws::LocalAws;
use crate::build::{Build, Variable};
use crate::buildspec::Env;
use crate::executor::{Failure, failure};
use crate::session::{AUTHORITIES, SOURCE};

/// All variables of a build, later ones winning, and the values that must never be shown.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    pub(crate) all: Vec<(String, String)>,
    pub(crate) secrets: Vec<String>,
}

/// What CodeBuild says where a secret or a parameter cannot be read.
const NO_SECRET: &str = "Secrets Manager Error";
const NO_PARAMETER: &str = "Decrypted Variables Error";

/// How programs are told where the certificate authorities are.
const AUTHORITIES_VARIABLES: [&str; 7] = [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "AWS_CA_BUNDLE",
];

/// The variables of a build in CodeBuild's order: the start's over the project's over the build specification's.
pub(crate) async fn variables(
    service: &Service,
    aws: &LocalAws,
    build: &Build,
    env: &Env,
    version: Option<&str>,
) -> Result<Variables, Failure> {
    let mut variables = Variables { all: service.options.environment.clone(), secrets: Vec::new() };
    if service.options.ca_bundle.is_some() {
        variables.all.extend(AUTHORITIES_VARIABLES.map(|name| (name.to_owned(), AUTHORITIES.to_owned())));
    }
    variables.all.extend(role(service, aws, build));
    variables.all.extend(env.plain().map(|(name, value)| (name.to_owned(), value)));
    let secret = |kind: &str, (name, value): (&String, &String)| Variable {
        name: name.clone(),
        value: value.clone(),
        kind: kind.to_owned(),
    };
    let of_specification = env.secrets_manager.iter().map(|pair| secret("SECRETS_MANAGER", pair));
    let of_specification =
        of_specification.chain(env.parameter_store.iter().map(|pair| secret("PARAMETER_STORE", pair)));
    for variable in of_specification.chain(build.environment.environment_variables.iter().cloned()) {
        let value = match variable.kind.as_str() {
            "SECRETS_MANAGER" => secret_value(aws, &variable.value).await.map_err(failure(NO_SECRET))?,
            "PARAMETER_STORE" => {
                parameter_value(aws, &variable.value).await.map_err(failure(NO_PARAMETER))?
            }
            _ => variable.value.clone(),
        };
        if variable.kind != "PLAINTEXT" {
            variables.secrets.push(value.clone());
        }
        variables.all.push((variable.name, value));
    }
    variables.all.extend(codebuild(service, build, version));
    Ok(variables)
}

/// The credentials of the build's role.
fn role(service: &Service, aws: &LocalAws, build: &Build) -> Vec<(String, String)> {
    let credentials = aws.credentials().clone();
    let mut variables = vec![
        ("AWS_ACCESS_KEY_ID", credentials.access_key),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret),
        ("AWS_SESSION_TOKEN", credentials.session_token.unwrap_or_default()),
        ("AWS_ENDPOINT_URL", service.options.aws_endpoint.clone()),
        ("AWS_REGION", service.options.region.clone()),
        ("AWS_DEFAULT_REGION", service.options.region.clone()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    if build.environment.privileged_mode
        && let Some(host) = service.options.engine.host().filter(|host| !host.starts_with("unix:"))
    {
        variables.push(("DOCKER_HOST", host.to_owned()));
    }
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What CodeBuild itself says to a build.
fn codebuild(service: &Service, build: &Build, version: Option<&str>) -> Vec<(String, String)> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds fit")]
    let start = (build.start_time * 1000.0) as i64;
    let location = build.source.location.clone().unwrap_or_default();
    let variables = [
        ("BUILD_ARN", build.arn.clone()),
        ("BUILD_ID", build.id.clone()),
        ("BUILD_IMAGE", build.environment.image.clone()),
        ("BUILD_NUMBER", build.build_number.to_string()),
        ("BUILD_SUCCEEDING", "1".to_owned()),
        ("INITIATOR", build.initiator.clone()),
        ("KMS_KEY_ID", service.options.arn("kms", "alias/aws/s3")),
        ("LOG_PATH", build.logs.stream_name.clone()),
        ("RESOLVED_SOURCE_VERSION", version.unwrap_or_default().to_owned()),
        ("SOURCE_REPO_URL", location),
        ("SOURCE_VERSION", build.source_version.clone().unwrap_or_default()),
        ("SRC_DIR", SOURCE.to_owned()),
        ("START_TIME", start.to_string()),
    ];
    variables.into_iter().map(|(name, value)| (format!("CODEBUILD_{name}"), value)).collect()
}

/// The value behind `<secret id or ARN>[:<JSON key>[:<version stage>[:<version id>]]]`.
async fn secret_value(aws: &LocalAws, reference: &str) -> anyhow::Result<String> {
    let (id, key, stage, version) = secret_reference(reference);
    let mut request = json!({ "SecretId": id });
    if !stage.is_empty() {
        request["VersionStage"] = json!(stage);
    }
    if !version.is_empty() {
        request["VersionId"] = json!(version);
    }
    let answer = aws.call("secretsmanager", "secretsmanager.GetSecretValue", &request).await?;
    let Some(text) = answer.get("SecretString").and_then(Value::as_str) else {
        bail!("the secret {id} is not a string");
    };
    if key.is_empty() {
        return Ok(text.to_owned());
    }
    let fields: Value = serde_json::from_str(text).with_context(|| format!("the secret {id} is not JSON"))?;
    match fields.get(&key) {
        Some(Value::String(value)) => Ok(value.clone()),
        Some(value) => Ok(value.to_string()),
        None => bail!("the secret {id} has no key {key}"),
    }
}

fn secret_reference(reference: &str) -> (String, String, String, String) {
    let parts: Vec<&str> = reference.split(':').collect();
    // An ARN has six colons of its own.
    let id_parts = if reference.starts_with("arn:") { 7.min(parts.len()) } else { 1 };
    let id = parts[..id_parts].join(":");
    let part = |index: usize| parts.get(id_parts + index).copied().unwrap_or_default().to_owned();
    (id, part(0), part(1), part(2))
}

async fn parameter_value(aws: &LocalAws, name: &str) -> anyhow::Result<String> {
    let request = json!({ "Name": name, "WithDecryption": true });
    let answer = aws.call("ssm", "AmazonSSM.GetParameter", &request).await?;
    let value = answer.pointer("/Parameter/Value").and_then(Value::as_str);
    value.map(str::to_owned).with_context(|| format!("the parameter {name} has no value"))
}

#[cfg(test)]
mod tests {
    use super::secret_reference;

    #[test]
    fn a_reference_names_the_secret_the_key_and_the_version() {
        let check = |reference: &str, expect: [&str; 4]| {
            let (id, key, stage, version) = secret_reference(reference);
            assert_eq!([id, key, stage, version], expect, "{reference}");
        };
        check("slack", ["slack", "", "", ""]);
        check("slack:token", ["slack", "token", "", ""]);
        check("slack:token:AWSCURRENT:42", ["slack", "token", "AWSCURRENT", "42"]);
        let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:slack-AbCdEf";
        check(arn, [arn, "", "", ""]);
        check(&format!("{arn}:token"), [arn, "token", "", ""]);
    }
}
