//! Makes tokens: a good one, then one thing about it changed. It signs whatever it is told to.

use gatepass_keys::token::handoff::{self, Expected, HandoffClaims};
use gatepass_keys::token::{TokenError, poke, site};
use gatepass_keys::{KeySet, SigningKey};
use serde_json::{Map, Value, json};

pub(crate) use gatepass_corpus::{
    BRIDGE, HANDOFF_ID, ISSUER, NOW, SITE, another_key, b64, claims, expected, key, signed, signed_by, unb64,
};

/// What the bridge does with a handoff token, as of `NOW`, with one trusted key.
pub(crate) fn check(token: &str) -> Result<HandoffClaims, TokenError> {
    check_as(token, &expected())
}

pub(crate) fn check_as(token: &str, expected: &Expected<'_>) -> Result<HandoffClaims, TokenError> {
    let keys = KeySet::new([key().public()]);
    Ok(handoff::Unverified::parse(token)?.verify(&keys, expected)?.into_claims())
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

    pub(crate) fn poke() -> Self {
        Self::new(
            poke::TYP,
            &json!({"iss": ISSUER, "aud": SITE, "jti": HANDOFF_ID, "iat": NOW, "exp": NOW + 60}),
        )
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
        signed_by(key, self.header_json(), self.claims_json())
    }
}
