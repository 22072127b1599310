//! Reading a keyring, and changing it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::draft::{Draft, Draws};
use super::files::{Folder, Stamp};
use super::index::Index;
use super::wrapping::WrappingKeys;
use super::{Action, KeyState, Keyring, KeyringError, Wrapping};
use crate::{KeyId, KeySet, SignedKeySet, SigningKey};

/// How often a keyring is read again that changed while it was read.
const TRIES: usize = 5;

/// A folder with a keyring, or where one is to be.
#[derive(Debug)]
pub struct KeyringFolder {
    dir: PathBuf,
    pub(super) wrapping: Wrapping,
}

impl KeyringFolder {
    /// Names the folder, and what its private keys are encrypted with. Looks at neither.
    pub fn new(dir: impl Into<PathBuf>, wrapping: Wrapping) -> Self {
        Self { dir: dir.into(), wrapping }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The keyring, if there is one. Writes nothing.
    pub fn open(&self) -> Result<Option<Keyring>, KeyringError> {
        match Folder::open_if_there(&self.dir)? {
            Some(folder) => self.read(&folder, None),
            None => Ok(None),
        }
    }

    /// The keyring; or makes the folder (mode 0700) and a keyring with one active key in it.
    ///
    /// `seed` is 32 secret random bytes, used only when there is no keyring yet. A folder that has one key file and no
    /// index is a first start that was interrupted between the two, and is finished with that key.
    pub fn open_or_create(&self, seed: [u8; 32], now: u64) -> Result<Keyring, KeyringError> {
        let folder = Folder::open_or_create(&self.dir)?;
        if let Some(keyring) = self.read(&folder, None)? {
            return Ok(keyring);
        }
        let _lock = folder.lock()?;
        // Another process may have finished while this one waited.
        if let Some(keyring) = self.read(&folder, None)? {
            return Ok(keyring);
        }
        let wrapping = self.wrapping.read()?;
        let left = match folder.key_files()?.as_slice() {
            [] => None,
            [only] => Some(folder.read_key(only, &wrapping)?),
            _ => return Err(KeyringError::IndexMissing { dir: self.dir.clone() }),
        };
        self.found(&folder, &wrapping, left, &mut Draws::new(seed), now, ("a first start", 0))
    }

    /// The keyring as it is now, or `None` if it is the `old` one. That it is costs one question to the file system;
    /// private keys that `old` has are not read again.
    pub fn reload(&self, old: &Keyring) -> Result<Option<Keyring>, KeyringError> {
        let missing = || KeyringError::Missing { dir: self.dir.clone() };
        let folder = Folder::open_if_there(&self.dir)?.ok_or_else(missing)?;
        if folder.stamp()? == Some(old.stamp) {
            return Ok(None);
        }
        self.read(&folder, Some(old))?.ok_or_else(missing).map(Some)
    }

    /// Changes the keyring, as the only one who does so at the time: `decide` is shown the keyring as it is, and says
    /// what is to be done with it. Nothing to do writes nothing; else all of it is one revision.
    ///
    /// `seed` is 32 secret random bytes for new keys, and `by` says who does it.
    pub fn change<E: From<KeyringError>>(
        &self,
        seed: [u8; 32],
        now: u64,
        by: &str,
        decide: impl FnOnce(&Keyring) -> Result<Vec<Action>, E>,
    ) -> Result<Keyring, E> {
        let missing = || KeyringError::Missing { dir: self.dir.clone() };
        let folder = Folder::open_if_there(&self.dir)?.ok_or_else(missing)?;
        let _lock = folder.lock()?;
        let keyring = self.read(&folder, None)?.ok_or_else(missing)?;
        let actions = decide(&keyring)?;
        if actions.is_empty() {
            return Ok(keyring);
        }
        Ok(self.carry_out(&folder, &keyring, actions, &mut Draws::new(seed), now, by)?)
    }

    /// Begins anew, whatever is there: for a keyring that is lost, with its backups. Its revision is greater than `above`,
    /// but no site can follow: each has to pair again.
    pub fn begin_anew(
        &self,
        seed: [u8; 32],
        now: u64,
        by: &str,
        above: u64,
    ) -> Result<Keyring, KeyringError> {
        let folder = Folder::open_or_create(&self.dir)?;
        let _lock = folder.lock()?;
        let present = folder.read_index().ok().flatten();
        let above = present.map_or(above, |(index, _)| index.revision.max(above));
        self.found(&folder, &self.wrapping.read()?, None, &mut Draws::new(seed), now, (by, above))
    }

    /// Opens every private key that is published, also those that need not sign again; and names the key files that
    /// the index has no use for.
    pub fn check(&self) -> Result<Vec<KeyId>, KeyringError> {
        let missing = || KeyringError::Missing { dir: self.dir.clone() };
        let folder = Folder::open_if_there(&self.dir)?.ok_or_else(missing)?;
        let keyring = self.read(&folder, None)?.ok_or_else(missing)?;
        let wrapping = self.wrapping.read()?;
        for entry in keyring.index.published() {
            folder.read_key(&entry.kid, &wrapping)?;
        }
        let published = |kid: &KeyId| keyring.index.published().any(|entry| entry.kid == *kid);
        Ok(folder.key_files()?.into_iter().filter(|kid| !published(kid)).collect())
    }

    /// Encrypts every private key anew that the first wrapping key does not open (or that is in plaintext), and says
    /// how many those were. Killed in the middle, each file is as before or as wanted.
    pub fn rewrap(&self, seed: [u8; 32]) -> Result<usize, KeyringError> {
        let missing = || KeyringError::Missing { dir: self.dir.clone() };
        let folder = Folder::open_if_there(&self.dir)?.ok_or_else(missing)?;
        let _lock = folder.lock()?;
        let keyring = self.read(&folder, None)?.ok_or_else(missing)?;
        let (wrapping, mut draws, mut rewrapped) = (self.wrapping.read()?, Draws::new(seed), 0);
        for entry in keyring.index.published() {
            if wrapping.is_current(&folder.read_pem(&entry.kid)?) {
                continue;
            }
            let key = folder.read_key(&entry.kid, &wrapping)?;
            write_key(&folder, &wrapping, &key, &mut draws)?;
            rewrapped += 1;
        }
        Ok(rewrapped)
    }

    fn carry_out(
        &self,
        folder: &Folder,
        keyring: &Keyring,
        actions: Vec<Action>,
        draws: &mut Draws,
        now: u64,
        by: &str,
    ) -> Result<Keyring, KeyringError> {
        let mut draft = Draft::new(keyring.index.clone(), draws, now, by);
        for action in actions {
            draft.take(action)?;
        }
        let publics: Vec<_> = keyring.key_set.iter().cloned().collect();
        let (index, made) = draft.seal(Some(&keyring.active), &publics)?;
        write(folder, &self.wrapping.read()?, &index, &made, draws)?;
        self.read(folder, Some(keyring))?.ok_or_else(|| KeyringError::Missing { dir: self.dir.clone() })
    }

    /// Begins a keyring with one active key.
    fn found(
        &self,
        folder: &Folder,
        wrapping: &WrappingKeys,
        key: Option<SigningKey>,
        draws: &mut Draws,
        now: u64,
        (by, above): (&str, u64),
    ) -> Result<Keyring, KeyringError> {
        let key = key.unwrap_or_else(|| SigningKey::generate(draws.draw()));
        let index = Index::empty(key.kid().clone(), above);
        let mut draft = Draft::new(index, draws, now, by);
        draft.add(key, KeyState::Active);
        let (index, made) = draft.seal(None, &[])?;
        write(folder, wrapping, &index, &made, draws)?;
        self.read(folder, None)?.ok_or_else(|| KeyringError::Missing { dir: self.dir.clone() })
    }

    /// Reads without a lock. A key file may be gone because the keyring has moved on since its index was read; then
    /// that is read again.
    pub(super) fn read(
        &self,
        folder: &Folder,
        old: Option<&Keyring>,
    ) -> Result<Option<Keyring>, KeyringError> {
        let mut left = TRIES;
        loop {
            let Some((index, stamp)) = folder.read_index()? else { return Ok(None) };
            match self.load(folder, index, stamp, old) {
                Err(_) if left > 0 && folder.stamp()? != Some(stamp) => left -= 1,
                loaded => return loaded.map(Some),
            }
        }
    }

    fn load(
        &self,
        folder: &Folder,
        mut index: Index,
        stamp: Stamp,
        old: Option<&Keyring>,
    ) -> Result<Keyring, KeyringError> {
        let wrapping = self.wrapping.read()?;
        let key = |kid: &KeyId| {
            let known = old.and_then(|old| old.known(kid));
            known.map_or_else(|| folder.read_key(kid, &wrapping).map(Arc::new), Ok)
        };
        let active = key(index.active())?;
        let next = index.in_state(KeyState::Next).next().map(|next| key(&next.kid)).transpose()?;
        if index.sets.is_empty() {
            // Version 1 has no sets. What it would say is the same for whoever reads it.
            let publics = index.published().map(|entry| Ok((key(&entry.kid)?.public(), entry.state)));
            let publics = publics.collect::<Result<Vec<_>, KeyringError>>()?;
            let set = SignedKeySet::sign(&active, index.revision, 0, publics);
            index.sets.push(set);
        }
        let key_set = index.sets.last().map_or_else(|| KeySet::new([]), SignedKeySet::key_set);
        let plaintext_keys = index.published().filter(|entry| folder.is_plaintext(&entry.kid)).count();
        Ok(Keyring { index, stamp, active, next, key_set, plaintext_keys })
    }
}

impl Keyring {
    fn known(&self, kid: &KeyId) -> Option<Arc<SigningKey>> {
        let keys = std::iter::once(&self.active).chain(&self.next);
        keys.into_iter().find(|key| key.kid() == kid).cloned()
    }
}

/// Keys, then the index that names them, then away with what nobody needs: killed at any point, what is there is a
/// whole keyring. Only for the holder of the lock.
pub(super) fn write(
    folder: &Folder,
    wrapping: &WrappingKeys,
    index: &Index,
    made: &[SigningKey],
    draws: &mut Draws,
) -> Result<(), KeyringError> {
    for key in made {
        write_key(folder, wrapping, key, draws)?;
    }
    folder.write_index(index)?;
    for ended in index.keys.iter().filter(|entry| !entry.state.is_published()) {
        folder.remove_key(&ended.kid)?;
    }
    Ok(())
}

fn write_key(
    folder: &Folder,
    wrapping: &WrappingKeys,
    key: &SigningKey,
    draws: &mut Draws,
) -> Result<(), KeyringError> {
    let pem = wrapping.wrap(key, draws);
    let pem = pem.map_err(|source| KeyringError::Key { path: folder.key_path(key.kid()), source })?;
    folder.write_pem(key.kid(), &pem)
}
