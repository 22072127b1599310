//! Why a keyring could not be opened, in words for whoever runs the program.

use std::io;
use std::path::{Path, PathBuf};

use crate::KeyError;

/// Why a keyring could not be opened. Messages name paths and what to do, never key material.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The system refused an operation.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a participle.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than the owner may read or write a file, or write to the folder.
    #[error(
        "{} is open to other users (mode {mode:04o}); run: chmod {wanted} {}",
        path.display(),
        path.display()
    )]
    Permissions {
        /// The file or folder.
        path: PathBuf,
        /// Its mode, permission bits only.
        mode: u32,
        /// The mode to give to chmod.
        wanted: &'static str,
    },
    /// `keyring.json` is not what we write.
    #[error("{} is not a keyring index: {reason}", path.display())]
    Index {
        /// The index file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// `keyring.json` was written by another version of the program.
    #[error("{} has version {version}, this program reads versions 1 and 2", path.display())]
    Version {
        /// The index file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
    /// There are several keys and no `keyring.json` that says which one signs.
    #[error(
        "{} holds several keys but no keyring.json that says which one is active; restore it from the backup",
        dir.display()
    )]
    IndexMissing {
        /// The folder.
        dir: PathBuf,
    },
    /// A key file is not a PKCS#8 PEM of an Ed25519 key.
    #[error("{}: {source}", path.display())]
    Key {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// A key file holds another key than its name says.
    #[error("{} holds the key {found}, not the one it is named after", path.display())]
    KeyIdMismatch {
        /// The key file.
        path: PathBuf,
        /// The id of the key in it.
        found: crate::KeyId,
    },
    /// What is configured as wrapping key is none.
    #[error("{place} is no wrapping key: {reason}; make one with: gatepass keys new-wrapping-key")]
    Wrapping {
        /// Where it was looked for.
        place: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no keyring in the folder.
    #[error("there is no keyring in {}", dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
    },
    /// An export that is not to be imported.
    #[error("the export is refused: {0}")]
    Import(String),
    /// A change that the keys' states do not allow.
    #[error("{0}")]
    Refused(String),
}

impl KeyringError {
    /// For `map_err`: says what was attempted, on what.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}
