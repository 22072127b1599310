//! A copy of a store on `SQLite` in a file.

use std::path::Path;

use serde_json::json;

use crate::config::{Config, StoreChoice};
use crate::error::Failure;
use crate::{open, output};

pub(super) async fn backup(config: &Config, file: &Path) -> Result<(), Failure> {
    if let StoreChoice::Redis(..) = config.store {
        return Err(Failure::Usage(
            "the store is on Redis, which writes its own backups: deploy/runbooks/backup-and-restore-redis.md \
             says how"
                .to_owned(),
        ));
    }
    super::open(&open::database(config))?.back_up(file).await?;
    let written = std::fs::metadata(file)
        .map_err(|error| Failure::Failed(format!("cannot look at {}: {error}", file.display())))?;
    eprintln!("wrote {}, {} KiB", file.display(), written.len().div_ceil(1024));
    if config.json {
        return output::answer(config, &json!({ "file": file, "bytes": written.len() }), String::new);
    }
    Ok(())
}
