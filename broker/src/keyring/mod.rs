//! The keyring that this process signs with. Others may change it at any time: a command line, or another broker on the
//! same folder. So it is read again every second, and nothing is signed with a copy of which it is not known that it is
//! the newest: the store keeps the greatest revision that was announced, and a broker whose folder is behind it (a
//! backup, a mount that is lost) says so instead of signing with what others have retired.

mod announcing;
mod schedule;
mod snapshot;

use std::sync::{Arc, Mutex as StdMutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use gatepass_core::{Store, StoreError};
use gatepass_http::{Ambient, Code, Problem, metrics};
use gatepass_keys::{Keyring, KeyringError, KeyringFolder, PublishedKeys, RotationPolicy};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

pub(crate) use snapshot::Snapshot;

/// How often it is looked whether the keyring has changed.
const LOOK: Duration = Duration::from_secs(1);
/// For how long a copy that was found to be the newest is taken to be.
const TRUST: Duration = Duration::from_secs(10);

/// The keyring as it is now.
#[derive(Debug)]
pub struct SharedKeyring {
    now: RwLock<Arc<Snapshot>>,
    /// `None`: nobody changes it.
    place: Option<Place>,
}

/// Where it may change, and who knows.
#[derive(Debug)]
struct Place {
    folder: Arc<KeyringFolder>,
    store: Arc<dyn Store>,
    ambient: Ambient,
    policy: RotationPolicy,
    standing: StdMutex<Standing>,
    /// When the last confirmation began; held while there is one.
    confirming: Mutex<Option<Instant>>,
}

/// Whether this copy is the newest.
#[derive(Debug, Default)]
struct Standing {
    /// When folder and store last said so.
    confirmed: Option<Instant>,
    /// Why it certainly is not.
    behind: Option<String>,
    /// Why that could not be told, the last time.
    unknown: Option<String>,
    /// The revision that the store knew then.
    announced: u64,
}

/// The keyring may be behind what others have done to it, so nothing is signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Stale(String);

impl From<Stale> for Problem {
    fn from(Stale(why): Stale) -> Self {
        tracing::debug!(why, "nothing is signed");
        Self::new(Code::KeyringStale)
    }
}

/// Why it is not known whether this copy is the newest.
#[derive(Debug, thiserror::Error)]
enum Unconfirmed {
    #[error("the keyring cannot be read: {0}")]
    Folder(#[from] KeyringError),
    #[error("the store does not tell which revision of the keyring is the newest: {0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Failed(String),
    /// It is known, and it is not.
    #[error("the keyring in the folder has revision {ours}, others have had {seen}: it is an old copy")]
    Behind { ours: u64, seen: u64 },
}

impl SharedKeyring {
    /// A keyring that nobody changes.
    pub fn fixed(keyring: Keyring) -> Self {
        Self { now: RwLock::new(Arc::new(Snapshot::new(keyring))), place: None }
    }

    /// The keyring of a folder that others may change too. To be [tended](Self::tend).
    pub fn new(
        keyring: Keyring,
        folder: KeyringFolder,
        store: Arc<dyn Store>,
        ambient: Ambient,
        policy: RotationPolicy,
    ) -> Self {
        let place = Place {
            folder: Arc::new(folder),
            store,
            ambient,
            policy,
            standing: StdMutex::default(),
            confirming: Mutex::default(),
        };
        let shared = Self { place: Some(place), ..Self::fixed(keyring) };
        shared.tell_metrics();
        shared
    }

    pub(crate) fn now(&self) -> Arc<Snapshot> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The public keys.
    pub fn published(&self) -> Arc<PublishedKeys> {
        Arc::clone(&self.now().published)
    }

    /// The keyring, to sign with.
    pub(crate) async fn signing(&self) -> Result<Arc<Snapshot>, Stale> {
        if self.check().is_err() {
            self.confirm().await;
        }
        self.check()?;
        Ok(self.now())
    }

    /// Whether it may sign, as far as is known.
    ///
    /// # Errors
    /// When others have a newer keyring, or that could not be told for 10 seconds.
    pub fn check(&self) -> Result<(), Stale> {
        let Some(place) = &self.place else { return Ok(()) };
        let standing = place.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &standing.behind {
            return Err(Stale(why.clone()));
        }
        if standing.confirmed.is_some_and(|at| at.elapsed() < TRUST) {
            return Ok(());
        }
        Err(Stale(standing.unknown.clone().unwrap_or_else(|| "the keyring is not compared yet".to_owned())))
    }

    /// Reads the folder, if it has changed.
    ///
    /// # Errors
    /// When it cannot be read, or holds an older keyring; what is known stays.
    pub async fn reload(&self) -> Result<(), Stale> {
        match &self.place {
            Some(place) => self.read(place).await.map_err(|error| Stale(error.to_string())),
            None => Ok(()),
        }
    }

    /// Finds out whether this copy is the newest, if nobody has since this was called; who comes meanwhile waits.
    pub async fn confirm(&self) {
        let Some(place) = &self.place else { return };
        let asked = Instant::now();
        let mut last = place.confirming.lock().await;
        if last.is_some_and(|began| began >= asked) {
            return;
        }
        let began = *last.insert(Instant::now());
        let outcome = self.compare(place).await;
        place.note(began, outcome);
        metrics::keyring_stale(self.check().is_err());
    }

    /// Reads, compares and rotates until it is dropped.
    pub async fn tend(&self) {
        let Some(place) = &self.place else { return };
        let mut schedule = schedule::Schedule::default();
        loop {
            self.confirm().await;
            // Who has an old copy changes nothing in it.
            if self.check().is_ok() {
                let now = self.now();
                if now.keyring.revision() > place.announced() {
                    announcing::announce(place, &now.keyring).await;
                }
                if schedule.run(place, &now.keyring).await {
                    continue;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What the store knows, when that is not more than this copy.
    async fn compare(&self, place: &Place) -> Result<u64, Unconfirmed> {
        self.read(place).await?;
        let seen = place.store.keyring_revision().await?;
        if seen > self.now().keyring.revision() {
            // What is announced lies in the folder already, so this may have come in between the two looks.
            self.read(place).await?;
        }
        let ours = self.now().keyring.revision();
        if seen > ours { Err(Unconfirmed::Behind { ours, seen }) } else { Ok(seen) }
    }

    async fn read(&self, place: &Place) -> Result<(), Unconfirmed> {
        let (folder, old) = (Arc::clone(&place.folder), self.now());
        let ours = old.keyring.revision();
        let read = spawn_blocking(move || folder.reload(&old.keyring)).await;
        let Some(new) = read.map_err(|error| Unconfirmed::Failed(error.to_string()))?? else { return Ok(()) };
        if new.revision() < ours {
            return Err(Unconfirmed::Behind { ours: new.revision(), seen: ours });
        }
        self.take(new);
        Ok(())
    }

    fn take(&self, keyring: Keyring) {
        let (kid, published, revision) =
            (keyring.active_kid(), keyring.key_set().iter().count(), keyring.revision());
        tracing::info!(%kid, published, revision, "the keyring has changed");
        let new = Arc::new(Snapshot::new(keyring));
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        // Two may have read it at once, and the later one the older.
        if now.keyring.revision() <= revision {
            *now = new;
        }
        drop(now);
        self.tell_metrics();
    }

    fn tell_metrics(&self) {
        let keyring = &self.now().keyring;
        let since = gatepass_core::Timestamp::from_secs(keyring.active_since().cast_signed());
        metrics::keyring(keyring.key_set().iter().count(), Some(since));
    }
}

impl Place {
    /// Keeps what came of comparing.
    fn note(&self, began: Instant, outcome: Result<u64, Unconfirmed>) {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let was_well = standing.behind.is_none() && standing.unknown.is_none();
        match outcome {
            Ok(announced) => {
                if !was_well {
                    tracing::info!("the keyring is the newest");
                }
                *standing = Standing { confirmed: Some(began), behind: None, unknown: None, announced };
            }
            Err(error) => {
                let why = error.to_string();
                if was_well {
                    tracing::error!(why, "whether the keyring is the newest is not known, or it is not");
                }
                match error {
                    Unconfirmed::Behind { .. } => standing.behind = Some(why),
                    // It may still be behind, as it was.
                    _ => standing.unknown = Some(why),
                }
            }
        }
    }

    /// The revision that the store knows.
    fn announced(&self) -> u64 {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).announced
    }

    /// As keyrings count.
    fn secs(&self) -> u64 {
        u64::try_from(self.ambient.now().secs()).unwrap_or_default()
    }
}
