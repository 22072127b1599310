//! Makes tokens: a good one, then one thing about it changed. It signs whatever it is told to.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepass_keys::token::handoff::{self, Expected, HandoffClaims};
use gatepass_keys::token::{TokenError, site};
use gatepass_keys::{KeySet, SigningKey};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The verifier's time in every test that says nothing else.
pub(crate) const NOW: i64 = 1_790_000_000;
pub(crate) const ISSUER: &str = "https://login.example";
pub(crate) const SITE: &str = "site_ahcm2tafsn2xdkw3tnw5lwcvee";
pub(crate) const BRIDGE: &str = "https://bridge.example";
pub(crate) const HANDOFF_ID: &str = "019a5b1c-2d3e-7f40-8a1b-2c3d4e5f6071";

pub(crate) fn key() -> SigningKey {
    SigningKey::generate([1; 32])
}

pub(crate) fn another_key() -> SigningKey {
    SigningKey::generate([2; 32])
}

pub(crate) fn claims() -> HandoffClaims {
    HandoffClaims {
        issuer: ISSUER.to_owned(),
        audience: SITE.to_owned(),
        subject: "customer-1".to_owned(),
        id: Uuid::try_parse(HANDOFF_ID).unwrap(),
        issued_at: NOW,
        expires_at: NOW + 60,
    }
}

pub(crate) fn expected() -> Expected<'static> {
    Expected { issuer: ISSUER, audience: SITE, now: NOW, past_expiry: Duration::ZERO }
}

/// What the bridge does with a handoff token, as of `NOW`, with one trusted key.
pub(crate) fn check(token: &str) -> Result<HandoffClaims, TokenError> {
    check_as(token, &expected())
}

pub(crate) fn check_as(token: &str, expected: &Expected<'_>) -> Result<HandoffClaims, TokenError> {
    let keys = KeySet::new([key().public()]);
    Ok(handoff::Unverified::parse(token)?.verify(&keys, expected)?.into_claims())
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn unb64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// A token over exactly these texts.
pub(crate) fn signed(header: &str, claims: &str) -> String {
    signed_by(&key(), header, claims)
}

pub(crate) fn signed_by(key: &SigningKey, header: &str, claims: &str) -> String {
    let input = format!("{}.{}", b64(header), b64(claims));
    let signature = b64(key.sign(input.as_bytes()));
    format!("{input}.{signature}")
}

#[derive(Clone)]
pub(crate) struct Forge {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Forge {
    pub(crate) fn handoff() -> Self {
        Self::new(
            handoff::TYP,
            &json!({"iss": ISSUER, "aud": SITE, "sub": "customer-1", "jti": HANDOFF_ID, "iat": NOW, "exp": NOW + 60}),
        )
    }

    pub(crate) fn site() -> Self {
        Self::new(site::TYP, &json!({"iss": SITE, "sub": SITE, "aud": BRIDGE, "iat": NOW, "exp": NOW + 60}))
    }

    fn new(typ: &str, claims: &Value) -> Self {
        let header = json!({"alg": "EdDSA", "typ": typ, "kid": key().kid()});
        Self { header: header.as_object().unwrap().clone(), claims: claims.as_object().unwrap().clone() }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name).unwrap();
        self
    }

    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn without_claim(mut self, name: &str) -> Self {
        self.claims.remove(name).unwrap();
        self
    }

    pub(crate) fn times(self, issued_at: i64, expires_at: i64) -> Self {
        self.claim("iat", issued_at).claim("exp", expires_at)
    }

    pub(crate) fn header_json(&self) -> String {
        Value::Object(self.header.clone()).to_string()
    }

    pub(crate) fn claims_json(&self) -> String {
        Value::Object(self.claims.clone()).to_string()
    }

    pub(crate) fn sign(&self) -> String {
        self.sign_by(&key())
    }

    pub(crate) fn sign_by(&self, key: &SigningKey) -> String {
        signed_by(key, &self.header_json(), &self.claims_json())
    }
}
