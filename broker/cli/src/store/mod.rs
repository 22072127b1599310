//! The store as a whole: a backup of it, and its way to Redis.

mod backup;
mod copy;

use std::path::Path;

use gatepass_core::clock::System;
use gatepass_core::store::sqlite::Sqlite;

use crate::args::StoreCommand;
use crate::config::Config;
use crate::error::Failure;

pub(crate) async fn run(config: &Config, command: StoreCommand) -> Result<(), Failure> {
    match command {
        StoreCommand::Backup { file } => backup::backup(config, &file).await,
        StoreCommand::Copy(args) => copy::copy(config, &args).await,
    }
}

/// A store on `SQLite` that is there.
fn open(file: &Path) -> Result<Sqlite, Failure> {
    if !file.is_file() {
        return Err(Failure::Failed(format!(
            "there is no store at {}; say where the data folder is, with --data-dir",
            file.display()
        )));
    }
    Ok(Sqlite::open(file, &System)?)
}
