//! The signed key set: how a site that knows one set of keys comes to know the next, with no channel but an open one.
//!
//! A set is signed by the key that was active before the change that made it, so whoever holds an older set can go
//! from each to the next. It is not secret, and it does not expire: a version never goes back, which is the
//! verifier's to keep to.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::jws::{self, Envelope};
use super::{TokenError, json};
use crate::{KeyEntry, KeyId, KeySet, KeyState, SigningKey, VerificationKey, VerificationKeys, base64url};

/// The header's `typ`.
pub const TYP: &str = "gatepass-keys+jwt";

/// The longest set that is read, in bytes: 30 keys take some 6 KiB.
pub const MAX_BYTES: usize = 16 * 1024;

/// A key set as its signer wrote it down. Public, all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedKeySet {
    /// Which set it is; the greater is the newer.
    pub version: u64,
    /// When it was signed, in seconds since 1970.
    pub issued_at: u64,
    /// The text.
    pub jws: String,
    /// The keys, and what each is for: next, active or retired.
    pub keys: Vec<(VerificationKey, KeyState)>,
    signer: KeyId,
}

#[derive(Deserialize)]
struct Claims {
    version: u64,
    iat: u64,
    keys: Vec<Published>,
}

#[derive(Deserialize)]
struct Published {
    kty: String,
    crv: String,
    kid: KeyId,
    x: String,
    status: KeyState,
}

fn read_key(key: &Published, known: &mut BTreeMap<String, VerificationKey>) -> Option<VerificationKey> {
    if key.kty != "OKP" || key.crv != "Ed25519" {
        return None;
    }
    let public = match known.get(&key.x) {
        Some(public) => public.clone(),
        None => VerificationKey::from_bytes(&base64url::decode_array(&key.x)?).ok()?,
    };
    known.insert(key.x.clone(), public.clone());
    (*public.kid() == key.kid).then_some(public)
}

impl SignedKeySet {
    /// Signs the set of these keys.
    pub(crate) fn sign(
        key: &SigningKey,
        version: u64,
        issued_at: u64,
        keys: Vec<(VerificationKey, KeyState)>,
    ) -> Self {
        let published = keys.iter().map(|(key, status)| {
            json!({"kty": "OKP", "crv": "Ed25519", "kid": key.kid(), "x": key.x(), "status": status.as_str()})
        });
        let claims = Map::from_iter([
            ("version".to_owned(), Value::from(version)),
            ("iat".to_owned(), Value::from(issued_at)),
            ("keys".to_owned(), published.collect()),
        ]);
        let jws = jws::seal(key, TYP, claims);
        Self { version, issued_at, jws, keys, signer: key.kid().clone() }
    }

    /// Reads a set without looking at its signature: for whoever got it from where it is known to be right, or asks
    /// [`verify`](Self::verify) next. Refused is what has not the form, a key twice, or not exactly one active key.
    pub fn parse(jws: &str) -> Result<Self, TokenError> {
        Self::parse_with(jws, &mut BTreeMap::new())
    }

    /// The same for many sets of much the same keys: of each the point on the curve is computed once.
    pub(crate) fn parse_with(
        jws: &str,
        known: &mut BTreeMap<String, VerificationKey>,
    ) -> Result<Self, TokenError> {
        let envelope = Envelope::open_within(jws, TYP, MAX_BYTES)?;
        json::parse_object(&envelope.unverified_claims)?;
        let claims: Claims =
            serde_json::from_slice(&envelope.unverified_claims).map_err(|_| TokenError::ClaimType("keys"))?;
        let mut keys = Vec::with_capacity(claims.keys.len());
        for key in claims.keys {
            let public = read_key(&key, known).ok_or(TokenError::ClaimForm("keys"))?;
            let twice = keys.iter().any(|(other, _): &(VerificationKey, _)| other.kid() == public.kid());
            if twice || !key.status.is_published() {
                return Err(TokenError::ClaimForm("keys"));
            }
            keys.push((public, key.status));
        }
        if keys.iter().filter(|(_, state)| *state == KeyState::Active).count() != 1 {
            return Err(TokenError::ClaimForm("keys"));
        }
        let (version, issued_at) = (claims.version, claims.iat);
        Ok(Self { version, issued_at, jws: jws.to_owned(), keys, signer: envelope.unverified_kid })
    }

    /// Whether it is signed by one of these keys.
    pub fn verify(&self, keys: &impl VerificationKeys) -> Result<(), TokenError> {
        let key = keys.find(&self.signer).ok_or(TokenError::UnknownKey)?;
        let envelope = Envelope::open_within(&self.jws, TYP, MAX_BYTES)?;
        key.verify(envelope.signing_input.as_bytes(), &envelope.signature).map_err(|_| TokenError::Signature)
    }

    /// The key it says it is signed by.
    pub fn signer(&self) -> &KeyId {
        &self.signer
    }

    /// The keys alone.
    pub fn key_set(&self) -> KeySet {
        KeySet::new(self.keys.iter().map(|(key, _)| key.clone()))
    }

    /// [`KeySet::digest`] of it.
    pub fn fingerprint(&self) -> String {
        self.key_set().digest()
    }

    /// Whether it publishes exactly what these entries say.
    pub(crate) fn agrees_with(&self, entries: &[KeyEntry]) -> bool {
        let published = entries.iter().filter(|entry| entry.state.is_published());
        let says = |entry: &KeyEntry| {
            self.keys.iter().any(|(key, state)| *key.kid() == entry.kid && *state == entry.state)
        };
        published.clone().count() == self.keys.len() && published.clone().all(says)
    }
}
