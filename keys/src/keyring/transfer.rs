//! A keyring as one file, to be kept elsewhere: the index signed by the active key, and every published private key
//! encrypted under a passphrase. What is imported has to fit together as a keyring on disk does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::draft::{Draft, Draws};
use super::files::Folder;
use super::folder::write;
use super::index::{Index, IndexError};
use super::wrapping::{self, EXPORT_WORK};
use super::{Action, KeyState, Keyring, KeyringError, KeyringFolder};
use crate::token::jws::{self, Envelope};
use crate::{KeyId, KeySet, SigningKey};

/// The `typ` of the signed index.
const TYP: &str = "gatepass-keyring+jwt";
/// What the file says it is.
const FORMAT: &str = "gatepass-keyring-export";
/// The longest export that is read, in bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The shortest passphrase, in characters.
const MIN_PASSPHRASE: usize = 12;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    format: String,
    version: u64,
    /// The index, as a JWS.
    index: String,
    /// Private keys, by id.
    keys: BTreeMap<KeyId, String>,
}

/// How an export is taken in.
#[derive(Debug, Clone, Copy)]
pub struct Import<'a> {
    /// Who does it.
    pub by: &'a str,
    /// Now, in seconds since 1970.
    pub now: u64,
    /// Whether a keyring that is there may be replaced.
    pub replace: bool,
    /// The greatest revision that anybody has seen; what is imported gets one above it.
    pub seen: u64,
    /// Keys that are known to be revoked, whatever the export says.
    pub revoked: &'a [KeyId],
}

impl KeyringFolder {
    /// The keyring as the text of a file. Whoever has it and the passphrase has the keys.
    pub fn export(
        &self,
        seed: [u8; 32],
        passphrase: &str,
        now: u64,
    ) -> Result<Zeroizing<String>, KeyringError> {
        check_passphrase(passphrase)?;
        let missing = || KeyringError::Missing { dir: self.dir().to_owned() };
        let folder = Folder::open_if_there(self.dir())?.ok_or_else(missing)?;
        // So that no key is removed in the middle.
        let _lock = folder.lock()?;
        let keyring = self.read(&folder, None)?.ok_or_else(missing)?;
        let (wrapping, mut draws) = (self.wrapping.read()?, Draws::new(seed));
        let mut keys = BTreeMap::new();
        for entry in keyring.index.published() {
            let key = folder.read_key(&entry.kid, &wrapping)?;
            let pem = wrapping::encrypt(&key, passphrase, EXPORT_WORK, &mut draws);
            let path = folder.key_path(&entry.kid);
            let pem = pem.map_err(|source| KeyringError::Key { path, source })?;
            keys.insert(entry.kid.clone(), String::clone(&pem));
        }
        let unwritable = |error: serde_json::Error| KeyringError::Import(error.to_string());
        let index = serde_json::to_value(&keyring.index).map_err(unwritable)?;
        let claims = Map::from_iter([("iat".to_owned(), Value::from(now)), ("index".to_owned(), index)]);
        let index = jws::seal(keyring.active(), TYP, claims);
        let export = Export { format: FORMAT.to_owned(), version: 1, index, keys };
        serde_json::to_string_pretty(&export).map(|json| Zeroizing::new(json + "\n")).map_err(unwritable)
    }

    /// Brings an export back as the keyring of this folder, made if it is not there.
    ///
    /// Refused is what is cut off or changed, what does not open, and what would have a key believed again that this
    /// folder, or the caller, knows to be revoked or removed. The next key counts as published now: who knows whether
    /// verifiers still have it.
    pub fn import(
        &self,
        seed: [u8; 32],
        export: &str,
        passphrase: &str,
        how: Import<'_>,
    ) -> Result<Keyring, KeyringError> {
        let (mut index, keys) = open(export, passphrase)?;
        let refused = |reason: String| Err(KeyringError::Import(reason));
        if let Some(kid) = keys.iter().map(SigningKey::kid).find(|kid| how.revoked.contains(kid)) {
            return refused(format!("the key {kid} in it was revoked since"));
        }
        let folder = Folder::open_or_create(self.dir())?;
        let _lock = folder.lock()?;
        let mut highest = how.seen.max(index.revision);
        let present = match folder.read_index() {
            Ok(None) => None,
            Ok(Some(_)) if !how.replace => {
                return refused("there is a keyring already; --replace replaces it".to_owned());
            }
            Ok(Some((present, _))) => Some(present),
            // What cannot be read is what an export is brought back for.
            Err(_) if how.replace => None,
            Err(error) => return Err(error),
        };
        if let Some(present) = present {
            highest = highest.max(present.revision);
            let ended = |key: &SigningKey| {
                present.keys.iter().find(|entry| entry.kid == *key.kid() && !entry.state.is_published())
            };
            if let Some(entry) = keys.iter().find_map(ended) {
                return refused(format!(
                    "the key {} in it was {} here since",
                    entry.kid,
                    entry.state.as_str()
                ));
            }
        }
        for entry in index.keys.iter_mut().filter(|entry| entry.state == KeyState::Next) {
            entry.created_at = entry.created_at.max(how.now);
        }
        let mut draws = Draws::new(seed);
        let publics: Vec<_> = keys.iter().map(SigningKey::public).collect();
        let active = keys.iter().find(|key| key.kid() == index.active());
        let mut draft = Draft::new(index.clone(), &mut draws, how.now, how.by);
        draft.take(Action::RaiseRevision(highest.saturating_add(1)))?;
        let (index, _) = draft.seal(active, &publics)?;
        write(&folder, &self.wrapping.read()?, &index, &keys, &mut draws)?;
        self.read(&folder, None)?.ok_or_else(|| KeyringError::Missing { dir: self.dir().to_owned() })
    }
}

/// Reads an export, and checks all of it.
fn open(export: &str, passphrase: &str) -> Result<(Index, Vec<SigningKey>), KeyringError> {
    #[derive(Deserialize)]
    struct Claims {
        index: Value,
    }
    let refused = |reason: &str| KeyringError::Import(reason.to_owned());
    if export.len() > MAX_BYTES {
        return Err(refused("it is too long"));
    }
    let export: Export = serde_json::from_str(export)
        .map_err(|error| KeyringError::Import(format!("it is cut off, or no export: {error}")))?;
    if export.format != FORMAT || export.version != 1 {
        return Err(refused("it is no export of this kind"));
    }
    let envelope = Envelope::open_within(&export.index, TYP, MAX_BYTES)
        .map_err(|error| KeyringError::Import(error.to_string()))?;
    let claims: Claims = serde_json::from_slice(&envelope.unverified_claims)
        .map_err(|_| refused("its index is not readable"))?;
    let index = Index::parse(claims.index.to_string().as_bytes(), 0).map_err(|error| match error {
        IndexError::Version(version) => KeyringError::Import(format!("its index has version {version}")),
        IndexError::Malformed(reason) => KeyringError::Import(format!("its index: {reason}")),
    })?;
    if index.sets.is_empty() {
        return Err(refused("its index has no signed key set"));
    }
    if envelope.unverified_kid != *index.active() {
        return Err(refused("its index is not signed by its active key"));
    }
    let published: Vec<&KeyId> = index.published().map(|entry| &entry.kid).collect();
    if published.len() != export.keys.len() || !published.iter().all(|kid| export.keys.contains_key(kid)) {
        return Err(refused("it does not hold the private keys that its index names"));
    }
    let mut keys = Vec::new();
    for (kid, pem) in &export.keys {
        let key = wrapping::decrypt(pem, passphrase)
            .map_err(|error| KeyringError::Import(format!("the key {kid}: {error}")))?;
        if key.kid() != kid {
            return Err(KeyringError::Import(format!("under the name {kid} it holds the key {}", key.kid())));
        }
        keys.push(key);
    }
    let known = KeySet::new(keys.iter().map(SigningKey::public));
    let signer = crate::VerificationKeys::find(&known, &envelope.unverified_kid);
    let holds = signer.map(|key| key.verify(envelope.signing_input.as_bytes(), &envelope.signature));
    if !matches!(holds, Some(Ok(()))) {
        return Err(refused("the signature of its index does not hold"));
    }
    Ok((index, keys))
}

fn check_passphrase(passphrase: &str) -> Result<(), KeyringError> {
    if passphrase.chars().count() < MIN_PASSPHRASE {
        let reason = format!("a passphrase has at least {MIN_PASSPHRASE} characters");
        return Err(KeyringError::Refused(reason));
    }
    Ok(())
}
