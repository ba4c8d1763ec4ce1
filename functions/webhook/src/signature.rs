//! GitHub's signature: HMAC-SHA256 over the raw body
//! (<https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Whether `header` (`sha256=<hex>`) signs `body`; compared in constant time.
pub fn matches(secret: &str, header: Option<&str>, body: &[u8]) -> bool {
    let Some(claimed) =
        header.and_then(|header| header.strip_prefix("sha256=")).and_then(|text| hex::decode(text).ok())
    else {
        return false;
    };
    // An empty secret would let anybody sign.
    let (false, Ok(mut mac)) = (secret.is_empty(), Hmac::<Sha256>::new_from_slice(secret.as_bytes())) else {
        return false;
    };
    mac.update(body);
    mac.verify_slice(&claimed).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GitHub's own documentation.
    const SECRET: &str = "It's a Secret to Everybody";
    const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn the_documented_example_matches_and_nothing_else_does() {
        assert!(matches(SECRET, Some(SIGNATURE), b"Hello, World!"));
        for (secret, header, body) in [
            (SECRET, Some(SIGNATURE), "Hello, World"),
            ("another", Some(SIGNATURE), "Hello, World!"),
            (SECRET, None, "Hello, World!"),
            (SECRET, Some(""), "Hello, World!"),
            (SECRET, Some("sha256=zz"), "Hello, World!"),
            (SECRET, Some(&SIGNATURE["sha256=".len()..]), "Hello, World!"),
            ("", Some(SIGNATURE), "Hello, World!"),
        ] {
            assert!(!matches(secret, header, body.as_bytes()), "{secret} {header:?} {body}");
        }
    }
}
