//! Opening what is in the data folder.

use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use gatepass_core::clock::{System, random_bytes};
use gatepass_core::store::{redis::Redis, sqlite::Sqlite};
use gatepass_core::trail::Retention;
use gatepass_core::{Clock, Store};
use gatepass_keys::{Keyring, KeyringFolder, Wrapping};

use crate::config::{Config, KeyringKey, StoreChoice};
use crate::error::Failure;

/// The data folder, made if it is not there, for nobody else to read.
fn data_dir(config: &Config) -> Result<(), Failure> {
    let dir = &config.data_dir;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| {
        Failure::Failed(format!(
            "cannot use the data folder {}: {error}; choose one that this user may write with --data-dir",
            dir.display()
        ))
    })
}

/// Where a store on `SQLite` is.
pub(crate) fn database(config: &Config) -> PathBuf {
    config.data_dir.join("gatepass.db")
}

/// The store. What `retention` says is removed at once, so it is for the server: its command line may know less.
pub(crate) async fn store(config: &Config, retention: Retention) -> Result<Arc<dyn Store>, Failure> {
    Ok(match &config.store {
        StoreChoice::Sqlite => {
            data_dir(config)?;
            Arc::new(Sqlite::open(&database(config), &System)?.limited(config.limits))
        }
        StoreChoice::Redis(url, options) => {
            let redis = Redis::connect(url, options).await?;
            Arc::new(redis.limited(config.limits).keeping(retention))
        }
    })
}

/// The keyring, made with a first key if it is not there.
pub(crate) fn keyring(config: &Config) -> Result<Keyring, Failure> {
    data_dir(config)?;
    Ok(keyring_folder(config).open_or_create(random_bytes(&System)?, now())?)
}

/// Where the keyring is, and what its keys are encrypted with.
pub(crate) fn keyring_folder(config: &Config) -> KeyringFolder {
    let wrapping = match &config.keyring_key {
        None => Wrapping::none(),
        Some(KeyringKey::Value(key)) => Wrapping::value(String::clone(key)),
        Some(KeyringKey::File(path)) => Wrapping::file(path),
    };
    KeyringFolder::new(config.data_dir.join("keyring"), wrapping)
}

/// Now, as keyrings count: in whole seconds since 1970.
pub(crate) fn now() -> u64 {
    u64::try_from(System.now().secs()).unwrap_or_default()
}
