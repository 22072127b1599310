//! The keyring at a moment, and what is told of it.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use gatepass_keys::{Keyring, PublishedKeys};
use sha2::{Digest as _, Sha256};

/// The keyring at a moment.
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
    pub(super) fn new(keyring: Keyring) -> Self {
        let published = PublishedKeys::of(&keyring);
        let json = serde_json::to_string(&published).unwrap_or_default();
        let tag = BASE64URL_NOPAD.encode(&Sha256::digest(&json));
        Self { keyring, published: Arc::new(published), json, tag }
    }
}
