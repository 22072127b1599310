//! Copying a store from `SQLite` into an empty Redis, for `gatepass store copy`. What is written is what the code of the
//! Redis store would have written. Left out is what lives for minutes (handoffs, limits, pairing codes, reports of
//! sessions), and how far each site has pulled: the epoch is another one, so all of them pull everything anew.

mod rows;

use ::redis::Pipeline;
use serde::Serialize;
use tokio::sync::mpsc;

use self::rows::{Batches, Places};
use super::redis::{Target, keys};
use super::sqlite::Sqlite;
use super::{Result as StoreResult, StoreError};

/// How many batches may wait for Redis.
const WAITING: usize = 2;

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Sites.
    pub sites: u64,
    /// Members.
    pub members: u64,
    /// Members that were removed, of whom their sites must hear.
    pub removed_members: u64,
    /// API clients, revoked ones too.
    pub clients: u64,
    /// Events of all trails.
    pub events: u64,
}

impl Counts {
    /// All together.
    pub const fn total(&self) -> u64 {
        self.sites + self.members + self.removed_members + self.clients + self.events
    }
}

/// Why a store was not copied. Unless it is said otherwise nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// There is a store already, which stays as it is.
    #[error(
        "there is a Gatepass store in it already; name an empty database, or another one (redis://host:port/1)"
    )]
    NotEmpty,
    /// Somebody wrote into the store meanwhile.
    #[error("the store was changed while it was copied; stop Gatepass first, and copy again")]
    Changed,
    /// Something did not arrive.
    #[error("there is {there:?}, and what arrived is {arrived:?}; nothing was kept of it: copy again")]
    Differs {
        /// What is in the source.
        there: Counts,
        /// What is in the target.
        arrived: Counts,
    },
    /// It failed, and what had been written could not be removed.
    #[error("{0}; what was written by then nobody can work with, and the next copy removes it")]
    Abandoned(Box<Self>),
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How much there is in a store.
///
/// # Errors
/// [`StoreError`] when it cannot be read.
pub async fn count(from: &Sqlite) -> StoreResult<Counts> {
    let reader = from.own_reader()?;
    blocking(move || rows::count(&reader)).await
}

/// Copies a store that nobody writes to meanwhile. `progress` is told how much has arrived, and of how much.
///
/// # Errors
/// [`CopyError`].
pub async fn copy(
    from: &Sqlite,
    to: &Target,
    mut progress: impl FnMut(u64, u64),
) -> Result<Counts, CopyError> {
    if !to.begin().await? {
        return Err(CopyError::NotEmpty);
    }
    let error = match fill(from, to, &mut progress).await {
        Ok(counts) => match to.finish().await {
            Ok(()) => return Ok(counts),
            Err(error) => error.into(),
        },
        Err(error) => error,
    };
    match to.clear().await {
        Ok(()) => Err(error),
        Err(_) => Err(CopyError::Abandoned(Box::new(error))),
    }
}

async fn fill(from: &Sqlite, to: &Target, progress: &mut impl FnMut(u64, u64)) -> Result<Counts, CopyError> {
    let total = count(from).await?.total();
    let reader = from.own_reader()?;
    let (give, mut batches) = mpsc::channel::<(Pipeline, u64)>(WAITING);
    let reading = tokio::task::spawn_blocking(move || read(reader, give));
    let mut arrived = 0;
    while let Some((batch, things)) = batches.recv().await {
        to.send(&batch).await?;
        arrived += things;
        progress(arrived, total);
    }
    let (there, places) = reading.await.map_err(|error| ended(&error))??;
    let arrived = arrived_at(to, &places).await?;
    if arrived == there { Ok(there) } else { Err(CopyError::Differs { there, arrived }) }
}

/// Reads everything in one transaction, and sees to it that nobody has written since it began.
fn read(
    mut reader: rusqlite::Connection,
    give: mpsc::Sender<(Pipeline, u64)>,
) -> Result<(Counts, Places), CopyError> {
    // It changes with what others commit, and must be asked for outside of the transaction.
    // https://sqlite.org/pragma.html#pragma_data_version
    let version = |reader: &rusqlite::Connection| -> StoreResult<i64> {
        Ok(reader.query_row("PRAGMA data_version", [], |row| row.get(0))?)
    };
    let before = version(&reader)?;
    let transaction = reader.transaction().map_err(StoreError::from)?;
    let counts = rows::count(&transaction)?;
    let places = rows::read(&transaction, &mut Batches::new(give))?;
    transaction.commit().map_err(StoreError::from)?;
    if version(&reader)? == before { Ok((counts, places)) } else { Err(CopyError::Changed) }
}

/// What has arrived of these sites and trails.
async fn arrived_at(to: &Target, places: &Places) -> StoreResult<Counts> {
    let mut counts = Counts::default();
    for some in places.sites.chunks(rows::AT_ONCE) {
        let mut questions = ::redis::pipe();
        for site in some {
            questions
                .exists(keys::site(*site))
                .zcard(keys::members(*site))
                .zcard(keys::removed_members(*site));
        }
        let [sites, members, removed_members] = to.count(&questions).await?;
        counts.sites += sites;
        counts.members += members;
        counts.removed_members += removed_members;
    }
    for some in places.trails.chunks(rows::AT_ONCE) {
        let mut questions = ::redis::pipe();
        for trail in some {
            questions.xlen(keys::events(trail));
        }
        let [events] = to.count(&questions).await?;
        counts.events += events;
    }
    [counts.clients] = to.count(::redis::pipe().hlen(keys::CLIENTS)).await?;
    Ok(counts)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> StoreResult<T> + Send + 'static,
) -> StoreResult<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ended(&error))?
}

fn ended(error: &tokio::task::JoinError) -> StoreError {
    StoreError::Unavailable(format!("the store's thread ended: {error}"))
}
