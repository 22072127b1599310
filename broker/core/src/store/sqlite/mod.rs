//! The store for one machine: a bundled `SQLite`, nothing to install. WAL, so that the command line can work beside
//! a running server; `synchronous=FULL`, so that a spent token stays spent through a power cut; every write one
//! `BEGIN IMMEDIATE` transaction, so that no two can decide on the same past.

mod clients;
mod events;
mod feed;
mod handoffs;
mod keyrings;
mod limits;
mod members;
mod sites;

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as BlockingMutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use data_encoding::BASE64URL_NOPAD;
use rusqlite::{
    Connection, InterruptHandle, OpenFlags, OptionalExtension, Row, ToSql, Transaction, TransactionBehavior,
};

use tokio::sync::Mutex;

use super::{Result, Status, Store, StoreError, from_json, parsed, to_json};
use crate::clock::{Rng, Timestamp, random_bytes};
use crate::event::Context;
use crate::id::SiteId;
use crate::limit::Limits;

/// What makes each schema out of the one before, the first out of nothing.
const MIGRATIONS: [&str; 6] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
];
/// How long to wait for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a check is told to stop.
const CHECK_STOP: Duration = Duration::from_millis(10);

/// A connection, until the store is closed.
type Shared = Arc<Mutex<Option<Connection>>>;

/// A store in one file.
#[derive(Clone)]
pub struct Sqlite {
    /// In WAL a reader never waits for a writer, so reads have a connection of their own.
    reader: Shared,
    writer: Shared,
    /// Whose turn it is to check, and what stops it.
    check: Arc<Mutex<()>>,
    check_stop: Arc<BlockingMutex<Option<InterruptHandle>>>,
    path: PathBuf,
    limits: Limits,
}

impl Sqlite {
    /// Opens the file at `path`, without limits, making it when it is not there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be opened or written, [`StoreError::NewerSchema`] when a
    /// newer Gatepass wrote it, [`StoreError::Corrupt`] when it is no database.
    pub fn open(path: &Path, rng: &dyn Rng) -> Result<Self> {
        let named = |e: rusqlite::Error| match StoreError::from(e) {
            StoreError::Unavailable(why) => StoreError::Unavailable(format!("{}: {why}", path.display())),
            StoreError::Corrupt(why) => damaged(path, &why),
            newer @ StoreError::NewerSchema { .. } => newer,
        };
        // Made by us first, for nobody else to read; the files that SQLite puts beside it take its mode over.
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|e| StoreError::Unavailable(format!("{}: {e}", path.display())))?;
        // Twice: between the looks at its log, its header and its size another process may have written all three.
        if is_cut(path) && is_cut(path) {
            return Err(damaged(path, "the file is shorter than it says"));
        }
        let file = identity(path);
        let mut writer = Connection::open(path).map_err(named)?;
        writer.busy_timeout(BUSY_TIMEOUT).map_err(named)?;
        prepare(&mut writer, &file, rng).map_err(|e| match e {
            PrepareError::Sqlite(e) => named(e),
            PrepareError::Store(e) => e,
        })?;
        let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(named)?;
        reader.busy_timeout(BUSY_TIMEOUT).map_err(named)?;
        let shared = |connection| Arc::new(Mutex::new(Some(connection)));
        let (reader, writer) = (shared(reader), shared(writer));
        let (check, check_stop) = (Arc::default(), Arc::default());
        Ok(Self { reader, writer, check, check_stop, path: path.to_owned(), limits: Limits::NONE })
    }

    /// The same store, with these limits.
    #[must_use]
    pub fn limited(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Writes all that is in the store now into a new file, beside whoever works with the store. What is issued is void in
    /// it, as it is another file.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is a file already, or it cannot be written; nothing is left of it then.
    pub async fn back_up(&self, to: &Path) -> Result<()> {
        let (path, to) = (self.path.clone(), to.to_owned());
        let copy = move || {
            let named = |error: std::io::Error| StoreError::Unavailable(format!("{}: {error}", to.display()));
            // Made by us first, for nobody else to read; SQLite writes into an empty file.
            let file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&to).map_err(named)?;
            let copied = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)
                .and_then(|connection| {
                    connection.busy_timeout(BUSY_TIMEOUT)?;
                    connection.execute("VACUUM INTO ?", [to.to_string_lossy()])
                })
                .map_err(StoreError::from)
                .and_then(|_| file.sync_all().map_err(named));
            if copied.is_err() {
                let _ = std::fs::remove_file(&to);
            }
            copied
        };
        tokio::task::spawn_blocking(copy)
            .await
            .map_err(|e| StoreError::Unavailable(format!("the store's thread ended: {e}")))?
    }

    /// A connection of one's own that reads.
    pub(super) fn own_reader(&self) -> Result<Connection> {
        let reader = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        reader.busy_timeout(BUSY_TIMEOUT)?;
        Ok(reader)
    }

    /// Runs `work` on a connection, away from the asynchronous threads. Whoever has waited for its turn as long as
    /// for a busy file gives up: so nobody waits for a whole queue of others.
    async fn run<T, F>(connection: &Shared, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    {
        let turn = tokio::time::timeout(BUSY_TIMEOUT, Arc::clone(connection).lock_owned()).await;
        let mut connection = turn.map_err(|_| StoreError::Unavailable("the database is busy".to_owned()))?;
        let work = move || match &mut *connection {
            Some(connection) => work(connection),
            None => Err(StoreError::Unavailable("the database is closed".to_owned())),
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|e| StoreError::Unavailable(format!("the store's thread ended: {e}")))?
    }

    /// Reads.
    async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        Self::run(&self.reader, move |connection| work(connection)).await
    }

    /// Runs `work` in one transaction that no other writer can come into. It is kept when `work` succeeds.
    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    {
        Self::run(&self.writer, move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        })
        .await
    }
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn ping(&self) -> Result<()> {
        self.read(|connection| Ok(connection.query_row("SELECT 1", [], |_| Ok(()))?)).await
    }

    async fn check(&self) -> Result<()> {
        let turn = Arc::clone(&self.check).lock_owned().await;
        self.ping().await?;
        let (path, stop) = (self.path.clone(), Arc::clone(&self.check_stop));
        // On a connection of its own: it may take seconds, in which others read on.
        let check = move || {
            let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            *stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.get_interrupt_handle());
            let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
            drop(connection);
            drop(turn);
            found
        };
        // And on a thread of its own: a runtime that ends would wait for one of its threads.
        let (answer, found) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || drop(answer.send(check())));
        let found: Result<String> = found
            .await
            .map_err(|_| StoreError::Unavailable("the check ended without an answer".to_owned()))?
            .map_err(StoreError::from);
        let why = match found {
            Ok(found) if found == "ok" => return Ok(()),
            // Behind a headline.
            Ok(found) => found.lines().last().unwrap_or_default().to_owned(),
            Err(StoreError::Corrupt(why)) => why,
            Err(error) => return Err(error),
        };
        Err(damaged(&self.path, &why))
    }

    async fn settled(&self) -> Result<()> {
        // A transaction is on the disk before it is answered for (synchronous=FULL).
        Ok(())
    }

    async fn advice(&self) -> Result<Vec<String>> {
        // It is set here alone.
        Ok(Vec::new())
    }

    async fn status(&self) -> Result<Status> {
        self.ping().await?;
        let size = |ending: &str| {
            let mut file = self.path.as_os_str().to_owned();
            file.push(ending);
            std::fs::metadata(file).map_or(0, |file| file.len())
        };
        let version = rusqlite::version().to_owned();
        Ok(Status { version, bytes: Some(size("") + size("-wal")), ..Status::default() })
    }

    /// Whoever closes the last connection removes the log, if that may write: so the reader goes first. Other handles on
    /// this store may live on; all that they then get is that it is closed.
    async fn close(&self) {
        let checks_no_more = loop {
            if let Some(running) = &*self.check_stop.lock().unwrap_or_else(PoisonError::into_inner) {
                running.interrupt();
            }
            // Again, for one that had just not begun.
            if let Ok(turn) = tokio::time::timeout(CHECK_STOP, self.check.lock()).await {
                break turn;
            }
        };
        for connection in [&self.reader, &self.writer] {
            let mut connection = Arc::clone(connection).lock_owned().await;
            tokio::task::spawn_blocking(move || drop(connection.take())).await.ok();
        }
        drop(checks_no_more);
    }

    async fn try_writing(&self) -> Result<()> {
        self.write(|t| Ok(t.execute("UPDATE meta SET value = value WHERE name = 'file'", []).map(|_| ())?))
            .await
    }

    fn describe(&self) -> String {
        format!("SQLite at {}", self.path.display())
    }
}

enum PrepareError {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for PrepareError {
    fn from(e: rusqlite::Error) -> Self {
        Self::Sqlite(e)
    }
}

/// What tells this file from a copy of it: its inode and its time of birth.
fn identity(path: &Path) -> String {
    let Ok(file) = std::fs::metadata(path) else { return String::new() };
    let born = file.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!("{}:{}", file.ino(), born.unwrap_or_default().as_nanos())
}

fn prepare(connection: &mut Connection, file: &str, rng: &dyn Rng) -> std::result::Result<(), PrepareError> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let Some(missing) = usize::try_from(found).ok().and_then(|found| MIGRATIONS.get(found..)) else {
        return Err(PrepareError::Store(StoreError::NewerSchema { found, known }));
    };
    if !missing.is_empty() {
        missing.iter().try_for_each(|migration| transaction.execute_batch(migration))?;
        transaction.pragma_update(None, "user_version", known)?;
    }
    let known: Option<String> = transaction
        .query_row("SELECT value FROM meta WHERE name = 'file'", [], |row| row.get(0))
        .optional()?;
    if known.as_deref() != Some(file) {
        // New, or put here from a backup, in which tokens may be unspent that were spent since: what was issued
        // before is superseded.
        let epoch = random_bytes::<20>(rng)
            .map_err(|e| PrepareError::Store(StoreError::Unavailable(e.to_string())))?;
        let epoch = BASE64URL_NOPAD.encode(&epoch);
        let sql = "INSERT OR REPLACE INTO meta (name, value) VALUES ('file', ?), ('epoch', ?)";
        transaction.execute(sql, [file, &epoch])?;
    }
    transaction.commit()?;
    Ok(())
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{
            DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase, ReadOnly,
        };
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) | None => Self::Corrupt(error.to_string()),
            Some(code) => Self::Unavailable(match code {
                DatabaseBusy | DatabaseLocked => "another program has held the database too long".to_owned(),
                DiskFull => "the disk is full; make room, what was stored before is all there".to_owned(),
                ReadOnly => format!("{error}; this user must be able to write the file and its folder"),
                _ => error.to_string(),
            }),
        }
    }
}

/// Whether the end of a database file is missing. `SQLite` itself reads a missing end of the last page as zeros.
/// What a write-ahead log beside it makes of the file is for `SQLite` to find out.
fn is_cut(path: &Path) -> bool {
    // SQLite puts its logs beside the file that a symbolic link leads to.
    let Ok(path) = std::fs::canonicalize(path) else { return false };
    let has_log = |ending: &str| {
        let mut log = path.as_os_str().to_owned();
        log.push(ending);
        std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
    };
    if has_log("-wal") || has_log("-journal") {
        return false;
    }
    // https://sqlite.org/fileformat2.html section 1.3: page size (1 stands for 65536), change counter, size in pages,
    // and the change counter for which that size holds.
    let mut header = [0; 100];
    let Ok(mut file) = File::open(&path) else { return false };
    if file.read_exact(&mut header).is_err() {
        return false;
    }
    let number = |from: usize, bytes: usize| {
        let bytes = header.get(from..from + bytes).unwrap_or_default();
        bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    let page_size = if number(16, 2) == 1 { 65536 } else { number(16, 2) };
    let size = if number(24, 4) == number(92, 4) { page_size * number(28, 4) } else { 0 };
    file.metadata().is_ok_and(|file| file.len() < size)
}

fn damaged(path: &Path, why: &str) -> StoreError {
    let (path, why) = (path.display(), why.lines().next().unwrap_or_default());
    StoreError::Corrupt(format!(
        "{path}: {why}; put the last backup in its place, and keep this file to see what can be saved"
    ))
}

/// The epoch of this file: what a replication id is to Redis. Another one when the file is another one, such as a
/// restored backup; only writing a backup *into* the file that is there goes unseen.
fn primary(connection: &Connection) -> Result<String> {
    Ok(connection.query_row("SELECT value FROM meta WHERE name = 'epoch'", [], |row| row.get(0))?)
}

/// Writes events of a site.
struct Emitter<'a> {
    transaction: &'a Transaction<'a>,
    site: SiteId,
    now: Timestamp,
    context: &'a Context,
}

/// One row turned into something, or none.
fn one<T>(
    connection: &Connection,
    sql: &str,
    params: &[&dyn ToSql],
    read: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// Every row turned into something.
fn all<T>(
    connection: &Connection,
    sql: &str,
    params: &[&dyn ToSql],
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// What is counted in a store is far below the largest; of what was asked for, this is as good as it.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn number(value: i64) -> Result<u64> {
    u64::try_from(value).map_err(super::corrupt)
}

fn time(value: Option<i64>) -> Option<Timestamp> {
    value.map(Timestamp::from_millis)
}
