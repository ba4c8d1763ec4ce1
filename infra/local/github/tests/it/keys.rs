//! The keys and tokens of the App.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::{rand::SystemRandom, rsa, signature};
use serde_json::{Value, json};

use crate::world::APP_ID;

/// An RSA key pair: the private key to sign with, the public one for the stand-in.
pub struct Keys {
    pair: rsa::KeyPair,
    pub public_pem: String,
}

pub static KEYS: LazyLock<Keys> = LazyLock::new(Keys::generate);
/// A second pair, which the App does not have.
pub static OTHER_KEYS: LazyLock<Keys> = LazyLock::new(Keys::generate);

impl Keys {
    fn generate() -> Self {
        let private = openssl(&["genrsa", "-traditional", "2048"], "");
        let public_pem = openssl(&["rsa", "-pubout"], &private);
        let body: String = private.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(body).expect("openssl writes base64");
        Self { pair: rsa::KeyPair::from_der(&der).expect("openssl writes a key"), public_pem }
    }

    pub fn sign(&self, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&json!({ "alg": "RS256", "typ": "JWT" })), encode(claims));
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .expect("the key signs");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn openssl(arguments: &[&str], input: &str) -> String {
    use std::io::Write as _;
    let mut command = std::process::Command::new("openssl");
    command.args(arguments).stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().expect("openssl is installed");
    child.stdin.take().expect("openssl has an input").write_all(input.as_bytes()).expect("openssl reads");
    let output = child.wait_with_output().expect("openssl ends");
    assert!(output.status.success(), "openssl {arguments:?}");
    String::from_utf8(output.stdout).expect("openssl writes text")
}

/// A valid token of the App.
pub fn jwt() -> String {
    let now = now();
    format!("Bearer {}", KEYS.sign(&json!({ "iss": APP_ID, "iat": now - 30, "exp": now + 500 })))
}

pub fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right");
    i64::try_from(elapsed.as_secs()).expect("the clock is right")
}
