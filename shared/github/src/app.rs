//! The App's identity: a private key and the short-lived tokens signed with it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ports::{Fault, Secret};
use domain::time::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;

/// GitHub's clock may be behind ours by this much.
const BACKDATED_SECONDS: u64 = 60;

/// GitHub takes at most ten minutes; one less for clocks that differ.
const LIFE_SECONDS: u64 = 9 * 60;

/// An App that can sign.
pub(crate) struct App {
    pub(crate) id: u64,
    key: RsaKeyPair,
}

impl App {
    pub(crate) fn new(id: u64, private_key: &Secret) -> Result<Self, Fault> {
        let unusable =
            |why: &str| Fault::reject(format!("the GitHub App's private key cannot be used: {why}"));
        let key = match PrivateKeyDer::from_pem_slice(private_key.reveal().as_bytes()) {
            Ok(PrivateKeyDer::Pkcs1(der)) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            Ok(PrivateKeyDer::Pkcs8(der)) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            Ok(_) => return Err(unusable("it is no RSA key")),
            Err(_) => return Err(unusable("it is no private key in PEM")),
        };
        Ok(Self { id, key: key.map_err(|rejected| unusable(&rejected.to_string()))? })
    }

    /// A token that speaks for the App itself (RS256).
    pub(crate) fn token(&self, now: Timestamp) -> Result<String, Fault> {
        let header = json!({"alg": "RS256", "typ": "JWT"});
        let claims = json!({
            "iat": now.seconds().saturating_sub(BACKDATED_SECONDS),
            "exp": now.seconds() + LIFE_SECONDS,
            "iss": self.id,
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| Fault::reject("could not sign with the GitHub App's private key"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
