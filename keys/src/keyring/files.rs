//! The folder: who may read it, and writing to it so that a crash leaves either the old or the new.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::KeyringError;
use super::index::{Index, IndexError};
use super::wrapping::{self, WrappingKeys};
use crate::{KeyError, KeyId, SigningKey};

const INDEX: &str = "keyring.json";
const LOCK: &str = "keyring.lock";
/// The one name of a file being written. One is enough, since only the holder of the lock writes; what is
/// found under it is left from a crash.
const BEING_WRITTEN: &str = ".being-written";
/// More than any of our files has: 60 sets of 30 keys take some 400 KiB.
const MAX_FILE_BYTES: u64 = 2 * 1024 * 1024;

/// Which writing of the index a file is. A file that is renamed into place is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(file: &fs::Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
        }
    }
}

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
        Self::open(dir)
    }

    /// Opens the folder, if it is there.
    pub(super) fn open_if_there(dir: &Path) -> Result<Option<Self>, KeyringError> {
        match fs::metadata(dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            _ => Self::open(dir).map(Some),
        }
    }

    fn open(dir: &Path) -> Result<Self, KeyringError> {
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
        self.give_to_owner(&file).map_err(KeyringError::io("giving to the folder's owner", &path))?;
        file.lock().map_err(KeyringError::io("locking", &path))?;
        Ok(Lock(file))
    }

    /// The index and which writing of it this is, or `None` if there is no such file.
    pub(super) fn read_index(&self) -> Result<Option<(Index, Stamp)>, KeyringError> {
        let path = self.dir.join(INDEX);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(KeyringError::io("opening", &path)(error)),
        };
        let metadata = file.metadata().map_err(KeyringError::io("reading", &path))?;
        let json = read_private(&file, &path, 0o022)?;
        match Index::parse(&json, u64::try_from(metadata.mtime()).unwrap_or_default()) {
            Ok(index) => Ok(Some((index, Stamp::of(&metadata)))),
            Err(IndexError::Version(version)) => Err(KeyringError::Version { path, version }),
            Err(IndexError::Malformed(reason)) => Err(KeyringError::Index { path, reason }),
        }
    }

    /// Which writing of the index lies there now.
    pub(super) fn stamp(&self) -> Result<Option<Stamp>, KeyringError> {
        let path = self.dir.join(INDEX);
        // Opened, and not only looked up: a file system over the network asks its server anew when a file is opened.
        match File::open(&path).and_then(|file| file.metadata()) {
            Ok(metadata) => Ok(Some(Stamp::of(&metadata))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(KeyringError::io("reading", &path)(error)),
        }
    }

    /// The text of a private key's file.
    pub(super) fn read_pem(&self, kid: &KeyId) -> Result<Zeroizing<String>, KeyringError> {
        let path = self.key_path(kid);
        let file = File::open(&path).map_err(KeyringError::io("opening", &path))?;
        let pem = read_private(&file, &path, 0o077)?;
        let text = str::from_utf8(&pem).map(|pem| Zeroizing::new(pem.to_owned()));
        text.map_err(|_| KeyringError::Key { path, source: KeyError::Pem })
    }

    /// A private key, which has to be the one its file is named after.
    pub(super) fn read_key(&self, kid: &KeyId, wrapping: &WrappingKeys) -> Result<SigningKey, KeyringError> {
        let pem = self.read_pem(kid)?;
        let path = self.key_path(kid);
        match wrapping.unwrap(&pem) {
            Ok(key) if key.kid() == kid => Ok(key),
            Ok(key) => Err(KeyringError::KeyIdMismatch { path, found: key.kid().clone() }),
            Err(source) => Err(KeyringError::Key { path, source }),
        }
    }

    /// Whether a private key lies there for whoever reads the file.
    pub(super) fn is_plaintext(&self, kid: &KeyId) -> bool {
        self.read_pem(kid).is_ok_and(|pem| !wrapping::is_encrypted(&pem))
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

    /// Writes a private key, as text, under its name. Only for the holder of the lock.
    pub(super) fn write_pem(&self, kid: &KeyId, pem: &str) -> Result<(), KeyringError> {
        self.write(&self.key_path(kid), pem.as_bytes())
    }

    /// Removes a private key that nobody will ask for again. One that is not there is no fault.
    pub(super) fn remove_key(&self, kid: &KeyId) -> Result<(), KeyringError> {
        let path = self.key_path(kid);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(KeyringError::io("removing", &path)(error))
            }
            _ => Ok(()),
        }
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
        self.give_to_owner(&file).map_err(KeyringError::io("giving to the folder's owner", &temporary))?;
        file.write_all(content)
            .and_then(|()| file.sync_all())
            .map_err(KeyringError::io("writing", &temporary))?;
        fs::rename(&temporary, path).map_err(KeyringError::io("renaming a file to", path))?;
        File::open(&self.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(KeyringError::io("syncing the folder", &self.dir))
    }

    /// What root writes, by a command typed as root, is the service's as well: else that could not read it any more.
    fn give_to_owner(&self, file: &File) -> io::Result<()> {
        let (dir, file_now) = (fs::metadata(&self.dir)?, file.metadata()?);
        if dir.uid() == file_now.uid() {
            return Ok(());
        }
        fchown(file, Some(dir.uid()), Some(dir.gid()))
    }

    pub(super) fn key_path(&self, kid: &KeyId) -> PathBuf {
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

pub(super) fn refuse_bits(
    path: &Path,
    mode: u32,
    refused: u32,
    wanted: &'static str,
) -> Result<(), KeyringError> {
    let mode = mode & 0o7777;
    if mode & refused == 0 {
        return Ok(());
    }
    Err(KeyringError::Permissions { path: path.to_owned(), mode, wanted })
}
