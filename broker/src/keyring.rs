//! The keyring that this process signs with.

use std::sync::{Arc, PoisonError, RwLock};

use data_encoding::BASE64URL_NOPAD;
use gatepass_http::{Code, Problem};
use gatepass_keys::{Keyring, PublishedKeys};
use sha2::{Digest as _, Sha256};

/// The keyring as it is now.
#[derive(Debug)]
pub struct SharedKeyring {
    now: RwLock<Arc<Snapshot>>,
}

/// The keyring may be behind what others have done to it, so nothing is signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Stale(String);

impl From<Stale> for Problem {
    fn from(Stale(why): Stale) -> Self {
        Self::new(Code::KeyringStale).detail(why)
    }
}

/// The keyring at a moment, and what is told of it.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) keyring: Keyring,
    pub(crate) published: Arc<PublishedKeys>,
    /// `published` as it goes out.
    pub(crate) json: String,
    /// Names exactly these bytes: a strong entity tag (RFC 9110 section 8.8.3), without its quotes.
    pub(crate) tag: String,
}

impl Snapshot {
    fn new(keyring: Keyring) -> Self {
        let published = PublishedKeys::of(&keyring);
        let json = serde_json::to_string(&published).unwrap_or_default();
        let tag = BASE64URL_NOPAD.encode(&Sha256::digest(&json));
        Self { keyring, published: Arc::new(published), json, tag }
    }
}

impl SharedKeyring {
    /// A keyring that nobody changes.
    pub fn fixed(keyring: Keyring) -> Self {
        Self { now: RwLock::new(Arc::new(Snapshot::new(keyring))) }
    }

    pub(crate) fn now(&self) -> Arc<Snapshot> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The public keys.
    pub fn published(&self) -> Arc<PublishedKeys> {
        Arc::clone(&self.now().published)
    }

    /// The keyring, to sign with.
    pub(crate) async fn signing(&self) -> Result<Arc<Snapshot>, Stale> {
        Ok(self.now())
    }
}
