//! The public keys in force, and the question asked of them.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::{JwkSet, KeyId, VerificationKey, base64url};

/// Where a verifier finds the key a token names. Only a lookup: it must not fetch.
pub trait VerificationKeys {
    /// The key of this id, if it is one to be trusted.
    fn find(&self, kid: &KeyId) -> Option<&VerificationKey>;
}

/// An immutable set of public keys, ordered by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeySet {
    keys: BTreeMap<KeyId, VerificationKey>,
}

impl KeySet {
    /// Makes a set; a key given twice counts once.
    pub fn new(keys: impl IntoIterator<Item = VerificationKey>) -> Self {
        Self { keys: keys.into_iter().map(|key| (key.kid().clone(), key)).collect() }
    }

    /// The keys, ordered by id.
    pub fn iter(&self) -> impl Iterator<Item = &VerificationKey> {
        self.keys.values()
    }

    /// The set's fingerprint: base64url of SHA-256 over the ids, sorted by byte and joined by `\n`.
    ///
    /// An id is itself a hash of its key, so whoever got this value over a channel they trust (it is in the
    /// pairing string) can check a whole set that came over one they do not.
    pub fn digest(&self) -> String {
        let kids: Vec<&str> = self.keys.keys().map(KeyId::as_str).collect();
        base64url::encode(Sha256::digest(kids.join("\n")))
    }

    /// The set as a JWK Set (RFC 7517 section 5).
    pub fn to_jwks(&self) -> JwkSet {
        JwkSet { keys: self.iter().map(VerificationKey::to_jwk).collect() }
    }
}

impl VerificationKeys for KeySet {
    fn find(&self, kid: &KeyId) -> Option<&VerificationKey> {
        self.keys.get(kid)
    }
}
