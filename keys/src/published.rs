//! What an issuer tells everybody of its keys: the body of `/.well-known/jwks.json`. It is a JWK Set (RFC 7517 section
//! 5) with two members more, which other readers ignore: its version, and the signed key sets by which a site that
//! knows an older one can follow.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::token::TokenError;
use crate::{Jwk, KeyError, KeyId, KeySet, Keyring, SignedKeySet, VerificationKey, VerificationKeys};

/// The most keys that are believed to be an issuer's.
const MAX_KEYS: usize = 64;
/// The most signed key sets.
const MAX_KEY_SETS: usize = 64;
/// How many bytes of signed key sets are handed out, so that readers need not take more than 256 KiB. Only a keyring
/// whose last sixty sets had thirty keys each has more; then the oldest are left out.
const MAX_KEY_SETS_BYTES: usize = 200 * 1024;

/// An issuer's public keys in force, with the version of their set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct PublishedKeys {
    keys: KeySet,
    version: u64,
    /// By version, ascending.
    signed: Vec<Arc<SignedKeySet>>,
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
#[derive(Debug, thiserror::Error)]
pub enum NotPublishedKeys {
    /// One of the keys is none that we use; then all of it is somebody else's.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// One of the signed key sets is none.
    #[error("a signed key set in it is none: {0}")]
    KeySet(#[from] TokenError),
    /// An issuer has at least the key that signs.
    #[error("there is no key in it")]
    Empty,
    /// More than an issuer has.
    #[error("there are more than {MAX_KEYS} keys or {MAX_KEY_SETS} signed key sets in it")]
    TooMany,
    /// The signed key sets do not ascend up to the version of the whole.
    #[error("its signed key sets are not in the order of their versions")]
    Order,
}

impl PublishedKeys {
    /// From its parts; `signed` ascends by version.
    pub fn new(keys: KeySet, version: u64, signed: Vec<SignedKeySet>) -> Self {
        Self { keys, version, signed: signed.into_iter().map(Arc::new).collect() }
    }

    /// Of a keyring.
    pub fn of(keyring: &Keyring) -> Self {
        let mut room = MAX_KEY_SETS_BYTES;
        let newest = keyring.signed_sets().iter().rev().take(MAX_KEY_SETS).take_while(|set| {
            let fits = set.jws.len() <= room;
            room = room.saturating_sub(set.jws.len());
            fits
        });
        let mut signed: Vec<SignedKeySet> = newest.cloned().collect();
        signed.reverse();
        Self::new(keyring.key_set().clone(), keyring.revision(), signed)
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

    /// The signed sets behind a version, ascending: by them a site comes from there to the present.
    pub fn signed_after(&self, version: u64) -> impl Iterator<Item = &SignedKeySet> {
        self.signed.iter().map(Arc::as_ref).filter(move |set| set.version > version)
    }

    /// The signed set with this [`KeySet::digest`], the newest of them.
    pub fn signed_with_fingerprint(&self, fingerprint: &str) -> Option<&SignedKeySet> {
        self.signed.iter().rev().map(Arc::as_ref).find(|set| set.fingerprint() == fingerprint)
    }

    /// The signed set that is in force, if it is handed out.
    pub fn signed_now(&self) -> Option<&SignedKeySet> {
        self.signed.last().map(Arc::as_ref).filter(|set| set.version == self.version)
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
        let signed = key_sets.iter().map(|jws| SignedKeySet::parse(jws)).collect::<Result<Vec<_>, _>>()?;
        let ascends = signed.is_sorted_by(|one, next| one.version < next.version);
        if !ascends || signed.last().is_some_and(|last| last.version > version) {
            return Err(NotPublishedKeys::Order);
        }
        Ok(Self::new(KeySet::new(keys), version, signed))
    }
}

impl From<PublishedKeys> for Document {
    fn from(published: PublishedKeys) -> Self {
        let PublishedKeys { keys, version, signed } = published;
        let key_sets = signed.iter().map(|set| set.jws.clone()).collect();
        Self { keys: keys.to_jwks().keys, version, key_sets }
    }
}
