//! The issuer's keys on disk, so that a bridge that is restarted while the broker is away can go on. They are public;
//! but who may write the file names the keys that are believed.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use gatepass_keys::PublishedKeys;
use serde::{Deserialize, Serialize};
use url::Url;

const FILE: &str = "jwks.json";

/// A file with the last good copy.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Content<K> {
    /// Another issuer's keys are of no use.
    url: Url,
    keys: K,
}

impl Kept {
    /// In a data folder; `None` if there is no such folder, since a bridge needs none.
    pub fn within(data_dir: &Path) -> Option<Self> {
        data_dir.is_dir().then(|| Self { path: data_dir.join(FILE) })
    }

    /// What was last fetched from there.
    pub(super) fn read(&self, url: &Url) -> Option<PublishedKeys> {
        match self.try_read() {
            Ok(content) => content.filter(|content| content.url == *url).map(|content| content.keys),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the kept copy of the issuer's keys is not used");
                None
            }
        }
    }

    fn try_read(&self) -> std::io::Result<Option<Content<PublishedKeys>>> {
        let text = match fs::read(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        if fs::metadata(&self.path)?.permissions().mode() & 0o022 != 0 {
            return Err(std::io::Error::other("others may write to it; run chmod 600 on it"));
        }
        Ok(Some(serde_json::from_slice(&text)?))
    }

    /// Replaces it. Without it the bridge works until it is restarted while the broker is away.
    pub(super) fn write(&self, url: &Url, keys: &PublishedKeys) {
        let content = Content { url: url.clone(), keys };
        let written =
            serde_json::to_vec_pretty(&content).map_err(Into::into).and_then(|json| self.replace(&json));
        if let Err(error) = written {
            tracing::warn!(path = %self.path.display(), %error, "the issuer's keys are not kept on disk");
        }
    }

    fn replace(&self, content: &[u8]) -> std::io::Result<()> {
        let temporary = self.path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, &self.path)
    }
}
