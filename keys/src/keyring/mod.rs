//! Where the private keys live: a folder.
//!
//! `<kid>.pem` is one private key (PKCS#8, mode 0600); `keyring.json` says which of them are in which state,
//! and is the only truth: a key file it does not name is not used. Files appear under their names whole and
//! already on disk, the key before the index that names it. A first start is guarded by a lock on
//! `keyring.lock`, so any number of processes that start on an empty folder end with one keyring; the
//! system drops the lock with its holder, however that ends.

mod error;
mod files;
mod index;

use std::path::Path;
use std::time::SystemTime;

pub use error::KeyringError;

use crate::{KeyId, KeySet, SigningKey};
use files::Folder;
use index::Index;

/// The keys of one issuer: one active private key that signs, and the public keys in force.
#[derive(Debug)]
pub struct Keyring {
    active: SigningKey,
    active_written_at: Option<SystemTime>,
    key_set: KeySet,
}

impl Keyring {
    /// Opens the keyring in `dir`, or makes the folder (mode 0700) and a keyring with one active key in it.
    ///
    /// `new_key_seed` is 32 secret random bytes, used only when there is no keyring yet. A folder that has one
    /// key file and no index is a first start that was interrupted between the two, and is finished with that
    /// key.
    pub fn open_or_create(dir: &Path, new_key_seed: [u8; 32]) -> Result<Self, KeyringError> {
        let folder = Folder::open_or_create(dir)?;
        if let Some(index) = folder.read_index()? {
            return Self::load(&folder, &index);
        }
        let _lock = folder.lock()?;
        // Another process may have finished while this one waited.
        if let Some(index) = folder.read_index()? {
            return Self::load(&folder, &index);
        }
        let kid = match folder.key_files()?.as_slice() {
            [] => {
                let key = SigningKey::generate(new_key_seed);
                folder.write_key(&key)?;
                key.kid().clone()
            }
            [only] => only.clone(),
            _ => return Err(KeyringError::IndexMissing { dir: dir.to_owned() }),
        };
        let index = Index::of_one(kid);
        folder.read_key(index.active())?;
        folder.write_index(&index)?;
        Self::load(&folder, &index)
    }

    fn load(folder: &Folder, index: &Index) -> Result<Self, KeyringError> {
        let published: Vec<SigningKey> =
            index.published().map(|kid| folder.read_key(kid)).collect::<Result<_, _>>()?;
        let key_set = KeySet::new(published.iter().map(SigningKey::public));
        let active = folder.read_key(index.active())?;
        let active_written_at = folder.written_at(index.active());
        Ok(Self { active, active_written_at, key_set })
    }

    /// The key that signs.
    pub fn active(&self) -> &SigningKey {
        &self.active
    }

    /// The id of the key that signs.
    pub fn active_kid(&self) -> &KeyId {
        self.active.kid()
    }

    /// When the file of the key that signs was written: its age, if the file was not copied since.
    pub fn active_written_at(&self) -> Option<SystemTime> {
        self.active_written_at
    }

    /// The public keys in force: the active one, the next, and those retired that may still have tokens out.
    pub fn key_set(&self) -> &KeySet {
        &self.key_set
    }
}
