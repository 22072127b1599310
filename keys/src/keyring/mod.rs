//! Where the private keys live: a folder, and what is known of each of them.
//!
//! `<kid>.pem` is one private key (PKCS#8, mode 0600, encrypted or not); `keyring.json` says which of them are in which
//! state, and is the only truth: a key file it does not name is not used. Files appear under their names whole and
//! already on disk, the key before the index that names it, so whoever is killed in the middle leaves the old keyring
//! or the new one. Who writes holds a lock on `keyring.lock`; the system drops it with its holder, however that ends.
//! Who reads needs none.
//!
//! What is done with the keys is decided by [`plan`], which is pure.

mod draft;
mod error;
mod files;
mod folder;
mod index;
mod life;
mod plan;
mod rfc3339;
mod transfer;
mod wrapping;

use std::fmt;
use std::sync::Arc;

pub use error::KeyringError;
pub use folder::KeyringFolder;
pub use life::{KeyChange, KeyEntry, KeyState};
pub use plan::{Delays, MAX_PUBLISHED, Planned, RotationPolicy, Step, plan};
pub use transfer::Import;
pub use wrapping::Wrapping;

use crate::{KeyId, KeySet, SignedKeySet, SigningKey};
use files::Stamp;
use index::Index;

/// What may be done to a keyring. [`plan`] asks for steps; the rest is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Carry out a step. Whether it is due is not asked again.
    Take(Step),
    /// Let the next key sign as soon as it may.
    AskRotation,
    /// Believe a key no more, from now on. If it is the one that signs, the next one does at once, ripe or not; if
    /// there is none, a new one.
    Revoke {
        /// The key.
        kid: KeyId,
        /// Why.
        reason: String,
    },
    /// Believe no key that there is; a new one signs, and a new one is next.
    ReplaceAll {
        /// Why.
        reason: String,
    },
    /// Let the revision of this change be at least so much.
    RaiseRevision(u64),
}

/// The keys of one issuer as they were when they were read: one active private key that signs, the public keys in
/// force, and what is known of each. It never changes; [`KeyringFolder`] gives the newer one.
pub struct Keyring {
    index: Index,
    stamp: Stamp,
    active: Arc<SigningKey>,
    /// Read ahead, so that a file that cannot be read is found before it is needed.
    next: Option<Arc<SigningKey>>,
    key_set: KeySet,
    plaintext_keys: usize,
}

impl Keyring {
    /// The key that signs.
    pub fn active(&self) -> &SigningKey {
        &self.active
    }

    /// The id of the key that signs.
    pub fn active_kid(&self) -> &KeyId {
        self.active.kid()
    }

    /// Since when it signs, in seconds since 1970.
    pub fn active_since(&self) -> u64 {
        let active = self.entries().iter().find(|entry| entry.kid == *self.active_kid());
        active.map_or(0, |entry| entry.activated_at.unwrap_or(entry.created_at))
    }

    /// The public keys in force: the active one, the next, and those retired that may still have tokens out.
    pub fn key_set(&self) -> &KeySet {
        &self.key_set
    }

    /// Every key that is remembered.
    pub fn entries(&self) -> &[KeyEntry] {
        &self.index.keys
    }

    /// Grows with every change; the version of the published key set.
    pub fn revision(&self) -> u64 {
        self.index.revision
    }

    /// Whether somebody waits for the next key to sign.
    pub fn rotation_asked(&self) -> bool {
        self.index.rotation_asked
    }

    /// The signed key sets that are kept, by version; the last one is the present one.
    pub fn signed_sets(&self) -> &[SignedKeySet] {
        &self.index.sets
    }

    /// The last 100 changes, the oldest first.
    pub fn changes(&self) -> &[KeyChange] {
        &self.index.changes
    }

    /// How many private keys lay there in plaintext when this was read.
    pub fn plaintext_keys(&self) -> usize {
        self.plaintext_keys
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (active, revision) = (self.active_kid(), self.revision());
        f.debug_struct("Keyring").field("active", active).field("revision", &revision).finish_non_exhaustive()
    }
}
