//! Signatures computed anew: AWS Signature Version 4
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use axum::http::{HeaderMap, Uri};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::Principal;

/// What is signed, beside who signs.
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    /// Encoded, in order, without the signature.
    pub(super) query: &'a str,
    /// Names in lower case with their values, in order.
    pub(super) headers: &'a [(String, String)],
    /// `20261128T070000Z`
    pub(super) time: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl Signed<'_> {
    /// The signature of a request without a body.
    pub(super) fn signature(&self, secret_key: &str) -> String {
        let lines: String =
            self.headers.iter().map(|(name, value)| name.clone() + ":" + value + "\n").collect();
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let Self { method, path, query, time, region, service, .. } = self;
        let content = hex::encode(Sha256::digest(b""));
        let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{}\n{content}", names.join(";"));
        let date = time.get(..8).unwrap_or_default();
        let digest = hex::encode(Sha256::digest(canonical));
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{date}/{region}/{service}/aws4_request\n{digest}");
        let first = format!("AWS4{secret_key}").into_bytes();
        let key =
            [date, region, service, "aws4_request"].iter().fold(first, |key, part| keyed_hash(&key, part));
        hex::encode(keyed_hash(&key, &to_sign))
    }
}

fn keyed_hash(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The principal of a key id with its scope, `<id>/<date>/<region>/<service>/aws4_request`.
///
/// # Errors
/// The sentence why it is nobody.
pub(super) fn principal<'a>(
    credential: &str,
    time: &str,
    region: &str,
    service: &str,
    principals: &'a [Principal],
) -> Result<&'a Principal, String> {
    let (id, scope) = credential.split_once('/').ok_or("the credential has no scope")?;
    let date = time.get(..8).unwrap_or_default();
    if scope != format!("{date}/{region}/{service}/aws4_request") {
        return Err(format!("the scope `{scope}` is not of {date}, {region}, {service}"));
    }
    let found = principals.iter().find(|principal| principal.access_key == id);
    found.ok_or_else(|| "the security token included in the request is invalid".to_owned())
}

/// Who signed a request without a body by its `Authorization` header.
///
/// # Errors
/// The sentence why it is nobody.
pub(super) fn of_headers<'a>(
    method: &str,
    uri: &Uri,
    headers: &HeaderMap,
    region: &str,
    service: &str,
    principals: &'a [Principal],
) -> Result<&'a Principal, String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let authorization =
        header("authorization").strip_prefix("AWS4-HMAC-SHA256 ").ok_or("it is not signed")?;
    let part = |name: &str| {
        authorization
            .split(", ")
            .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
            .unwrap_or_default()
    };
    let time = header("x-amz-date");
    let principal = principal(part("Credential"), time, region, service, principals)?;
    if principal.session_token.as_deref().unwrap_or_default() != header("x-amz-security-token") {
        return Err("the session token is another one".to_owned());
    }
    let names = part("SignedHeaders").split(';');
    let headers: Vec<_> = names.map(|name| (name.to_owned(), header(name).trim().to_owned())).collect();
    let signed = Signed {
        method,
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        headers: &headers,
        time,
        region,
        service,
    };
    if signed.signature(&principal.secret_key) == part("Signature") {
        Ok(principal)
    } else {
        Err("the request signature we calculated does not match the signature you provided".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::Signed;

    /// `get-vanilla` of AWS's own test suite for Signature Version 4.
    #[test]
    fn a_request_is_signed_as_aws_documents_it() {
        let headers = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let signed = Signed {
            method: "GET",
            path: "/",
            query: "",
            headers: &headers,
            time: "20150830T123600Z",
            region: "us-east-1",
            service: "service",
        };
        assert_eq!(
            signed.signature("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
    }
}
