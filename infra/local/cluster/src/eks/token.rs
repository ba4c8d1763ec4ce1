//! The authenticator's judgement of a token.

use std::time::{Duration, SystemTime};

use axum::http::Uri;
use axum::http::uri::Authority;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Principal;
use super::signature::{Signed, principal};

/// How long a token is good from its date on, and how long its request may say to be.
const GOOD_FOR: Duration = Duration::from_mins(15);

/// What the request may say; anything else is refused.
const PARAMETERS: [&str; 9] = [
    "action",
    "version",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

/// Who signed the token for the cluster.
///
/// # Errors
/// The sentence why it is not taken.
pub(super) fn judge<'a>(
    token: &str,
    cluster: &str,
    region: &str,
    principals: &'a [Principal],
    now: SystemTime,
) -> Result<&'a Principal, String> {
    let encoded = token.strip_prefix("k8s-aws-v1.").ok_or("it does not begin with `k8s-aws-v1.`")?;
    let url = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| "it is not base64url without padding")?;
    let url = String::from_utf8(url).map_err(|_| "it is no text")?;
    let uri: Uri = url.parse().map_err(|_| "it is no URL")?;
    let host = format!("sts.{region}.amazonaws.com");
    let place = (uri.scheme_str(), uri.authority().map(Authority::as_str), uri.path());
    if place != (Some("https"), Some(host.as_str()), "/") {
        return Err(format!("`{url}` is not asked of https://{host}/"));
    }
    let mut pairs: Vec<(&str, &str)> =
        uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('=')).collect();
    if let Some((other, _)) =
        pairs.iter().find(|(name, _)| !PARAMETERS.contains(&&*name.to_ascii_lowercase()))
    {
        return Err(format!("the parameter `{other}` is not known"));
    }
    let value = |wanted: &str| {
        let found = pairs.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map_or_else(String::new, |(_, value)| decoded(value))
    };
    if value("action") != "GetCallerIdentity" || value("version") != "2011-06-15" {
        return Err("it asks for something else than GetCallerIdentity".to_owned());
    }
    let lasts: u64 = value("x-amz-expires").parse().map_err(|_| "`X-Amz-Expires` is no number")?;
    if lasts > GOOD_FOR.as_secs() {
        return Err("it says to be good for too long".to_owned());
    }
    let time = value("x-amz-date");
    let age = age(&time, now)?;
    if age >= GOOD_FOR {
        return Err(format!("it is {} s old", age.as_secs()));
    }
    let signed_headers = value("x-amz-signedheaders");
    let headers: Option<Vec<_>> = signed_headers
        .split(';')
        .map(|name| match name {
            "host" => Some((name.to_owned(), host.clone())),
            "x-k8s-aws-id" => Some((name.to_owned(), cluster.to_owned())),
            _ => None,
        })
        .collect();
    let headers = headers.filter(|headers| headers.len() == 2);
    let headers = headers.ok_or_else(|| format!("the signed headers are `{signed_headers}`"))?;
    let principal = principal(&value("x-amz-credential"), &time, region, "sts", principals)?;
    if principal.session_token.as_deref().unwrap_or_default() != value("x-amz-security-token") {
        return Err("the session token is another one".to_owned());
    }
    let signature = value("x-amz-signature");
    pairs.retain(|(name, _)| !name.eq_ignore_ascii_case("x-amz-signature"));
    pairs.sort_unstable();
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let query = query.join("&");
    let signed = Signed {
        method: "GET",
        path: "/",
        query: &query,
        headers: &headers,
        time: &time,
        region,
        service: "sts",
    };
    if signed.signature(&principal.secret_key) == signature {
        Ok(principal)
    } else {
        Err("STS does not take its signature".to_owned())
    }
}

/// How old a time like `20261128T070000Z` is.
fn age(time: &str, now: SystemTime) -> Result<Duration, String> {
    let wrong = || format!("`X-Amz-Date` is no time: `{time}`");
    let part = |from: usize, to: usize| time.get(from..to).unwrap_or_default();
    let rfc = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(9, 11),
        part(11, 13),
        part(13, 15)
    );
    let signed: jiff::Timestamp = rfc.parse().map_err(|_| wrong())?;
    let now = jiff::Timestamp::try_from(now).map_err(|_| wrong())?;
    // A time to come is as new as can be: clocks differ.
    Ok(Duration::try_from(now.duration_since(signed)).unwrap_or_default())
}

/// Without percent encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = byte.map_or(after, |_| &after[2..]);
        bytes.push(byte.unwrap_or(*first));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
