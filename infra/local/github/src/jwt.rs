//! The App's own tokens: RS256, issued by the App, for at most ten minutes.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

/// Clocks of two machines may differ by this much.
const LEEWAY_SECONDS: i64 = 60;
const LONGEST_LIFE_SECONDS: i64 = 600;

/// The App's RSA public key.
pub(crate) struct PublicKey(UnparsedPublicKey<Vec<u8>>);

impl PublicKey {
    /// Reads `PUBLIC KEY` (X.509) or `RSA PUBLIC KEY` (PKCS#1) in PEM.
    pub(crate) fn from_pem(pem: &str) -> Result<Self> {
        let lines = || pem.lines().map(str::trim);
        let label = lines().find_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"));
        let body: String = lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(body).context("the PEM holds base64")?;
        let key = match label {
            Some("RSA PUBLIC KEY") => der,
            Some("PUBLIC KEY") => inner_key(&der).context("the PEM holds an RSA public key")?.to_vec(),
            _ => bail!("expected a PEM `PUBLIC KEY` or `RSA PUBLIC KEY`"),
        };
        Ok(Self(UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)))
    }

    /// Checks a token as GitHub does; the error is GitHub's sentence.
    pub(crate) fn verify(&self, token: &str, app_id: u64, now: i64) -> Result<(), &'static str> {
        const UNREADABLE: &str = "A JSON web token could not be decoded";
        let (signed, signature) = token.rsplit_once('.').ok_or(UNREADABLE)?;
        let (header, claims) = signed.split_once('.').ok_or(UNREADABLE)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| UNREADABLE);
        let parse = |part: &str| serde_json::from_slice::<Value>(&decode(part)?).map_err(|_| UNREADABLE);
        if parse(header)?["alg"] != "RS256" {
            return Err(UNREADABLE);
        }
        self.0.verify(signed.as_bytes(), &decode(signature)?).map_err(|_| UNREADABLE)?;
        let claims = parse(claims)?;
        let issuer = &claims["iss"];
        let issued_by_app =
            issuer.as_u64() == Some(app_id) || issuer.as_str() == Some(app_id.to_string().as_str());
        if !issued_by_app {
            return Err("'Issuer' claim ('iss') must be an Integer");
        }
        let expires = claims["exp"].as_i64().unwrap_or(0);
        if expires <= now {
            return Err(
                "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
            );
        }
        if expires > now + LONGEST_LIFE_SECONDS {
            return Err("'Expiration time' claim ('exp') is too far in the future");
        }
        if claims["iat"].as_i64().is_none_or(|issued| issued > now + LEEWAY_SECONDS) {
            return Err(
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
            );
        }
        Ok(())
    }
}

/// The PKCS#1 key inside an X.509 `SubjectPublicKeyInfo`: SEQUENCE { SEQUENCE algorithm, BIT STRING key }.
fn inner_key(der: &[u8]) -> Option<&[u8]> {
    let (outer, _) = element(der, 0x30)?;
    let (_algorithm, rest) = element(outer, 0x30)?;
    let (bits, _) = element(rest, 0x03)?;
    // The first byte counts the unused bits of the last one.
    bits.strip_prefix(&[0])
}

/// The content of a DER element with this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        (
            digits.iter().try_fold(0_usize, |sum, &digit| sum.checked_mul(256)?.checked_add(digit.into()))?,
            rest,
        )
    };
    (found == tag).then_some(())?;
    rest.split_at_checked(length)
}
