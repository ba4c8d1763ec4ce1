//! Credentials, and requests signed with them (AWS Signature Version 4): the local AWS checks the signature of
//! whoever is not its owner.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) access_key: String,
    pub(crate) secret: String,
    pub(crate) session_token: Option<String>,
}

impl Credentials {
    /// The local AWS's owner, who may do everything.
    pub(crate) fn owner() -> Self {
        Self { access_key: "test".to_owned(), secret: "test".to_owned(), session_token: None }
    }
}

/// A request as its signature sees it.
pub(crate) struct Unsigned<'a> {
    pub(crate) method: &'a str,
    /// With the port.
    pub(crate) host: &'a str,
    /// Encoded, as it is sent.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) target: Option<&'a str>,
    pub(crate) body: &'a [u8],
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
}

/// The headers of the signed request, with its signature.
pub(crate) fn headers(
    request: &Unsigned<'_>,
    credentials: &Credentials,
    now: jiff::Timestamp,
) -> Vec<(&'static str, String)> {
    let (date, time) = (now.strftime("%Y%m%d").to_string(), now.strftime("%Y%m%dT%H%M%SZ").to_string());
    let content = hex::encode(Sha256::digest(request.body));
    // In the order of their names, as the canonical form wants them.
    let mut headers = vec![
        ("host", request.host.to_owned()),
        ("x-amz-content-sha256", content.clone()),
        ("x-amz-date", time.clone()),
    ];
    headers.extend(credentials.session_token.clone().map(|token| ("x-amz-security-token", token)));
    headers.extend(request.target.map(|target| ("x-amz-target", target.to_owned())));
    let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let lines = lines.concat();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let Unsigned { method, path, query, region, service, .. } = request;
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{content}");
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let digest = hex::encode(Sha256::digest(canonical));
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
    let first = format!("AWS4{}", credentials.secret).into_bytes();
    let parts = [date.as_str(), region, service, "aws4_request"];
    let key = parts.iter().fold(first, |key, part| keyed_hash(&key, part));
    let signature = hex::encode(keyed_hash(&key, &to_sign));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        credentials.access_key
    );
    headers.push(("authorization", authorization));
    headers
}

fn keyed_hash(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::{Credentials, Unsigned, headers};

    /// "GET Object" of <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>, without the
    /// header `range`; the signature is what the AWS SDK for Python makes of it.
    #[test]
    fn a_request_is_signed_as_aws_documents_it() {
        let credentials = Credentials {
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
        };
        let request = Unsigned {
            method: "GET",
            host: "examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            query: "",
            target: None,
            body: b"",
            region: "us-east-1",
            service: "s3",
        };
        let now = "2013-05-24T00:00:00Z".parse().expect("a time");
        let signed = headers(&request, &credentials, now);
        let authorization = &signed.last().expect("the last header").1;
        assert!(
            authorization
                .ends_with("Signature=df548e2ce037944d03f3e68682813b093763996d597cf890ca3d9037fd231eb4"),
            "{authorization}"
        );
    }
}
