//! What an issuer tells everybody of its keys: the body of `/.well-known/jwks.json`. It is a JWK Set (RFC 7517 section
//! 5) with two members more, which other readers ignore: its version, and the signed key sets by which a site that
//! knows an older one can follow.

use serde::{Deserialize, Serialize};

use crate::{Jwk, KeyError, KeyId, KeySet, VerificationKey, VerificationKeys};

/// The most keys that are believed to be an issuer's.
const MAX_KEYS: usize = 64;
/// The most signed key sets.
const MAX_KEY_SETS: usize = 64;

/// An issuer's public keys in force, with the version of their set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct PublishedKeys {
    keys: KeySet,
    version: u64,
    /// Compact JWS, ascending.
    signed_sets: Vec<String>,
}

/// As it travels.
#[derive(Serialize, Deserialize)]
struct Document {
    keys: Vec<Jwk>,
    version: u64,
    #[serde(default)]
    key_sets: Vec<String>,
}

/// Why a document is not an issuer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPublishedKeys {
    /// One of the keys is none that we use; then all of it is somebody else's.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// An issuer has at least the key that signs.
    #[error("there is no key in it")]
    Empty,
    /// More than an issuer has.
    #[error("there are more than {MAX_KEYS} keys or {MAX_KEY_SETS} signed key sets in it")]
    TooMany,
}

impl PublishedKeys {
    /// From its parts; `signed_sets` ascend by version.
    pub fn new(keys: KeySet, version: u64, signed_sets: Vec<String>) -> Self {
        Self { keys, version, signed_sets }
    }

    /// The keys in force.
    pub fn key_set(&self) -> &KeySet {
        &self.keys
    }

    /// The version of the set; it never goes back.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether a key is in force.
    pub fn has(&self, kid: &KeyId) -> bool {
        self.keys.find(kid).is_some()
    }
}

impl TryFrom<Document> for PublishedKeys {
    type Error = NotPublishedKeys;

    fn try_from(document: Document) -> Result<Self, NotPublishedKeys> {
        let Document { keys, version, key_sets } = document;
        if keys.is_empty() {
            return Err(NotPublishedKeys::Empty);
        }
        if keys.len() > MAX_KEYS || key_sets.len() > MAX_KEY_SETS {
            return Err(NotPublishedKeys::TooMany);
        }
        let keys = keys.iter().map(VerificationKey::from_jwk).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { keys: KeySet::new(keys), version, signed_sets: key_sets })
    }
}

impl From<PublishedKeys> for Document {
    fn from(published: PublishedKeys) -> Self {
        let PublishedKeys { keys, version, signed_sets } = published;
        Self { keys: keys.to_jwks().keys, version, key_sets: signed_sets }
    }
}
