//! The store as a whole: a backup of it.

mod backup;

use crate::args::StoreCommand;
use crate::config::Config;
use crate::error::Failure;

pub(crate) async fn run(config: &Config, command: StoreCommand) -> Result<(), Failure> {
    match command {
        StoreCommand::Backup { file } => backup::backup(config, &file).await,
    }
}
