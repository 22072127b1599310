//! The folder: who may read it, and writing to it so that a crash leaves either the old or the new.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zeroize::Zeroizing;

use super::KeyringError;
use super::index::{Index, IndexError};
use crate::{KeyId, SigningKey};

const INDEX: &str = "keyring.json";
const LOCK: &str = "keyring.lock";
/// The one name of a file being written. One is enough, since only the holder of the lock writes; what is
/// found under it is left from a crash.
const BEING_WRITTEN: &str = ".being-written";
/// More than any of our files has.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// A keyring's folder, which only its owner may write to.
pub(super) struct Folder {
    dir: PathBuf,
}

/// Held while a file is made or replaced; released when dropped.
pub(super) struct Lock(#[expect(dead_code, reason = "holding the file open is what holds the lock")] File);

impl Folder {
    /// Opens the folder, made with mode 0700 if it is missing (as are its parents).
    pub(super) fn open_or_create(dir: &Path) -> Result<Self, KeyringError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(KeyringError::io("creating the folder", dir))?;
        let metadata = fs::metadata(dir).map_err(KeyringError::io("reading the folder", dir))?;
        // To be allowed to write to the folder is to be allowed to exchange the keys in it.
        refuse_bits(dir, metadata.permissions().mode(), 0o022, "700")?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Waits for the lock.
    pub(super) fn lock(&self) -> Result<Lock, KeyringError> {
        let path = self.dir.join(LOCK);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(KeyringError::io("opening", &path))?;
        file.lock().map_err(KeyringError::io("locking", &path))?;
        Ok(Lock(file))
    }

    /// The index, or `None` if there is no such file.
    pub(super) fn read_index(&self) -> Result<Option<Index>, KeyringError> {
        let path = self.dir.join(INDEX);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(KeyringError::io("opening", &path)(error)),
        };
        let json = read_private(&file, &path, 0o022)?;
        Index::parse(&json).map(Some).map_err(|error| match error {
            IndexError::Version(version) => KeyringError::Version { path, version },
            IndexError::Malformed(reason) => KeyringError::Index { path, reason },
        })
    }

    /// A private key, which has to be the one its file is named after.
    pub(super) fn read_key(&self, kid: &KeyId) -> Result<SigningKey, KeyringError> {
        let path = self.key_path(kid);
        let file = File::open(&path).map_err(KeyringError::io("opening", &path))?;
        let pem = read_private(&file, &path, 0o077)?;
        let key = str::from_utf8(&pem).map_err(|_| crate::KeyError::Pem);
        match key.and_then(SigningKey::from_pkcs8_pem) {
            Ok(key) if key.kid() == kid => Ok(key),
            Ok(key) => Err(KeyringError::KeyIdMismatch { path, found: key.kid().clone() }),
            Err(source) => Err(KeyringError::Key { path, source }),
        }
    }

    /// When a key's file was written, where the file system tells.
    pub(super) fn written_at(&self, kid: &KeyId) -> Option<SystemTime> {
        fs::metadata(self.key_path(kid)).and_then(|file| file.modified()).ok()
    }

    /// The ids by which key files are named, in no order.
    pub(super) fn key_files(&self) -> Result<Vec<KeyId>, KeyringError> {
        let doing = "listing the folder";
        let mut kids = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(KeyringError::io(doing, &self.dir))? {
            let name = entry.map_err(KeyringError::io(doing, &self.dir))?.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(".pem"));
            kids.extend(stem.and_then(|stem| KeyId::parse(stem).ok()));
        }
        Ok(kids)
    }

    /// Writes a private key under its name. Only for the holder of the lock.
    pub(super) fn write_key(&self, key: &SigningKey) -> Result<(), KeyringError> {
        let path = self.key_path(key.kid());
        let pem = key.to_pkcs8_pem().map_err(|source| KeyringError::Key { path: path.clone(), source })?;
        self.write(&path, pem.as_bytes())
    }

    /// Writes or replaces the index. Only for the holder of the lock.
    pub(super) fn write_index(&self, index: &Index) -> Result<(), KeyringError> {
        let path = self.dir.join(INDEX);
        match index.to_json() {
            Ok(json) => self.write(&path, json.as_bytes()),
            Err(error) => Err(KeyringError::Index { path, reason: error.to_string() }),
        }
    }

    /// The content reaches the disk before the name does, and the name before this returns.
    fn write(&self, path: &Path, content: &[u8]) -> Result<(), KeyringError> {
        let temporary = self.dir.join(BEING_WRITTEN);
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(KeyringError::io("removing", &temporary)(error));
            }
            _ => {}
        }
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(KeyringError::io("creating", &temporary))?;
        file.write_all(content)
            .and_then(|()| file.sync_all())
            .map_err(KeyringError::io("writing", &temporary))?;
        fs::rename(&temporary, path).map_err(KeyringError::io("renaming a file to", path))?;
        File::open(&self.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(KeyringError::io("syncing the folder", &self.dir))
    }

    fn key_path(&self, kid: &KeyId) -> PathBuf {
        self.dir.join(format!("{kid}.pem"))
    }
}

/// Reads a file whose mode has none of the `refused` bits. The mode asked is that of the open file, so the
/// file cannot be exchanged between the check and the reading.
fn read_private(file: &File, path: &Path, refused: u32) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let metadata = file.metadata().map_err(KeyringError::io("reading", path))?;
    refuse_bits(path, metadata.permissions().mode(), refused, "600")?;
    // With room for all of it, reading does not leave copies behind in buffers it has outgrown.
    let mut content = Zeroizing::new(Vec::with_capacity(4096));
    file.take(MAX_FILE_BYTES).read_to_end(&mut content).map_err(KeyringError::io("reading", path))?;
    Ok(content)
}

fn refuse_bits(path: &Path, mode: u32, refused: u32, wanted: &'static str) -> Result<(), KeyringError> {
    let mode = mode & 0o7777;
    if mode & refused == 0 {
        return Ok(());
    }
    Err(KeyringError::Permissions { path: path.to_owned(), mode, wanted })
}
