//! From `SQLite` to Redis.

use std::path::PathBuf;

use gatepass_core::clock::System;
use gatepass_core::store::copy::{self, CopyError, Counts};
use gatepass_core::store::redis::{Found, Target};

use crate::args::CopyArgs;
use crate::config::{Config, StoreChoice};
use crate::error::Failure;
use crate::{open, output};

pub(super) async fn copy(config: &Config, args: &CopyArgs) -> Result<(), Failure> {
    let file = source(config, args)?;
    let from = super::open(&file)?;
    let to = Target::open(url(args)?.trim(), &config.redis, &System).await?;
    let place = to.describe();
    match to.found().await? {
        Found::Nothing => {}
        Found::Interrupted => {
            eprintln!("A copy to {place} did not come to its end; what is there of it is removed first.");
        }
        Found::Store => return Err(failed(&place, &CopyError::NotEmpty)),
    }
    if args.dry_run {
        let counts = copy::count(&from).await?;
        eprintln!("{} would be copied to {place}. Nothing was done (--dry-run).", file.display());
        return answer(config, &counts);
    }
    let bar = output::bar(Some(0), "{bar:40} {percent}% {per_sec} {eta}");
    let copied = copy::copy(&from, &to, |arrived, total| {
        bar.set_length(total);
        bar.set_position(arrived);
    })
    .await;
    bar.finish_and_clear();
    let counts = copied.map_err(|error| failed(&place, &error))?;
    eprintln!(
        "Copied to {place}, and counted there. Now name it as the store (store or store_file in gatepass.toml) and start \
         Gatepass; {} is not read any more.",
        file.display()
    );
    answer(config, &counts)
}

/// What is copied.
fn source(config: &Config, args: &CopyArgs) -> Result<PathBuf, Failure> {
    match (&args.from, &config.store) {
        (Some(file), _) => Ok(file.clone()),
        (None, StoreChoice::Sqlite) => Ok(open::database(config)),
        (None, StoreChoice::Redis(..)) => Err(Failure::Usage(
            "the store is on Redis already; name the gatepass.db that is to be copied, with --from"
                .to_owned(),
        )),
    }
}

/// Where to.
fn url(args: &CopyArgs) -> Result<String, Failure> {
    match (&args.to, &args.to_file) {
        (Some(url), _) => Ok(url.clone()),
        (None, Some(file)) => std::fs::read_to_string(file)
            .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", file.display()))),
        (None, None) => Err(Failure::Usage("say where to, with --to or --to-file".to_owned())),
    }
}

fn failed(place: &str, error: &CopyError) -> Failure {
    Failure::Failed(format!("{place}: {error}"))
}

fn answer(config: &Config, counts: &Counts) -> Result<(), Failure> {
    output::answer(config, counts, || {
        let Counts { sites, members, removed_members, clients, events } = counts;
        format!(
            "{sites} sites, {members} members and {removed_members} that were removed, {clients} API keys, {events} events"
        )
    })
}
