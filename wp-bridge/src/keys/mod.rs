//! The issuer's public keys, as the bridge knows them. Where they come from is a [`Source`]: the keyring beside it, or
//! the broker over HTTP ([`RemoteKeys`]).
//!
//! A token may name a key that is too new to be known, so an unknown key is sought before it is refused. Anybody can
//! invent key ids: there is at most one look a [`COOLDOWN`], whoever comes meanwhile waits for the next one, and of
//! those there may be so many. So no invented id hides a fresh key, and none makes the broker busy.

mod kept;
mod remote;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gatepass_http::{Code, Problem};
use gatepass_keys::{KeyId, PublishedKeys};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, sleep_until};

pub use kept::Kept;
pub use remote::RemoteKeys;

/// The least time between two looks for keys that are not known.
const COOLDOWN: Duration = Duration::from_secs(1);
/// How many requests may wait for a look at a time.
const MAX_WAITING: usize = 64;

/// Where keys come from.
#[async_trait]
pub trait Source: Debug + Send + Sync {
    /// The keys as they were last found; `None` if they never were.
    fn current(&self) -> Option<Arc<PublishedKeys>>;

    /// Looks whether there are others by now. Whether that could be told; why not is in the log.
    async fn look(&self) -> Result<(), NotTold>;
}

/// Whether there are other keys by now could not be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotTold;

/// Keys that never change.
#[async_trait]
impl Source for Arc<PublishedKeys> {
    fn current(&self) -> Option<Arc<PublishedKeys>> {
        Some(Self::clone(self))
    }

    async fn look(&self) -> Result<(), NotTold> {
        Ok(())
    }
}

/// The last look.
#[derive(Debug, Clone, Copy)]
struct Look {
    began: Instant,
    /// `None` while it is under way; and for ever if who waited for it went away.
    told: Option<Result<(), NotTold>>,
}

/// The keys, looked for when they are needed.
#[derive(Debug)]
pub struct Keys {
    source: Arc<dyn Source>,
    waiting: Semaphore,
    /// Held while somebody looks, so that there is one look at a time.
    last: Mutex<Option<Look>>,
}

impl Keys {
    /// From where they come.
    pub fn new(source: Arc<dyn Source>) -> Self {
        Self { source, waiting: Semaphore::new(MAX_WAITING), last: Mutex::default() }
    }

    /// The keys as they were last found. Without any, nothing can be verified.
    pub fn current(&self) -> Result<Arc<PublishedKeys>, Problem> {
        self.source.current().ok_or_else(|| Problem::new(Code::KeysUnavailable))
    }

    /// The version of the key set, 0 if none was ever found.
    pub fn version(&self) -> u64 {
        self.source.current().map_or(0, |keys| keys.version())
    }

    /// The keys, this one among them if the issuer has it.
    pub async fn with(&self, unverified_kid: &KeyId) -> Result<Arc<PublishedKeys>, Problem> {
        let keys = self.current()?;
        if keys.has(unverified_kid) {
            return Ok(keys);
        }
        let _place = self.waiting.try_acquire().map_err(|_| {
            Problem::new(Code::Overloaded).detail("too many tokens at a time name keys that are not known")
        })?;
        // Without an answer of the issuer nobody can say that the token is no good.
        self.look(Some(unverified_kid)).await.map_err(|NotTold| Problem::new(Code::KeysUnavailable))?;
        self.current()
    }

    /// Looks whether there are others by now, as is to be done now and again.
    pub async fn refresh(&self) -> Result<(), NotTold> {
        self.look(None).await
    }

    /// Waits for its turn, and looks; unless somebody else has, from begin to end after this was asked.
    async fn look(&self, sought: Option<&KeyId>) -> Result<(), NotTold> {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        let is_there = || sought.is_some_and(|kid| self.source.current().is_some_and(|keys| keys.has(kid)));
        if is_there() {
            return Ok(());
        }
        match *last {
            Some(Look { began, told: Some(told) }) if began >= asked => return told,
            Some(Look { began, .. }) => sleep_until(began + COOLDOWN).await,
            None => {}
        }
        let began = Instant::now();
        *last = Some(Look { began, told: None });
        let told = self.source.look().await;
        *last = Some(Look { began, told: Some(told) });
        told
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use actix_web::rt;
    use gatepass_keys::{KeySet, SigningKey};
    use tokio::sync::Notify;

    use super::*;

    /// Looks until it is told to go on, and finds nothing new.
    #[derive(Debug, Default)]
    struct Slow {
        looks: AtomicUsize,
        go_on: Notify,
    }

    #[async_trait]
    impl Source for Slow {
        fn current(&self) -> Option<Arc<PublishedKeys>> {
            let key = SigningKey::generate([1; 32]).public().clone();
            Some(Arc::new(PublishedKeys::new(KeySet::new([key]), 1, Vec::new())))
        }

        async fn look(&self) -> Result<(), NotTold> {
            self.looks.fetch_add(1, Ordering::SeqCst);
            self.go_on.notified().await;
            Ok(())
        }
    }

    fn invented(number: usize) -> KeyId {
        let mut seed = [2; 32];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        SigningKey::generate(seed).kid().clone()
    }

    #[test]
    fn many_who_seek_share_one_look_and_no_more_than_so_many_wait() {
        rt::System::new().block_on(async {
            let source = Arc::new(Slow::default());
            let keys = Arc::new(Keys::new(Arc::clone(&source) as Arc<dyn Source>));
            let seek = |number| {
                let keys = Arc::clone(&keys);
                rt::spawn(async move { keys.with(&invented(number)).await.map(|_| ()) })
            };
            let first = seek(0);
            rt::task::yield_now().await;
            let waiting: Vec<_> = (1..MAX_WAITING).map(seek).collect();
            rt::task::yield_now().await;
            let one_more = seek(MAX_WAITING).await.unwrap();
            assert_eq!(one_more.unwrap_err().code(), Code::Overloaded);
            assert!(
                keys.with(SigningKey::generate([1; 32]).kid()).await.is_ok(),
                "a known key waits for nothing"
            );
            assert_eq!(source.looks.load(Ordering::SeqCst), 1);

            source.go_on.notify_one();
            first.await.unwrap().unwrap();
            // Those who came after it had begun share the next one.
            source.go_on.notify_one();
            for one in waiting {
                one.await.unwrap().unwrap();
            }
            assert_eq!(source.looks.load(Ordering::SeqCst), 2);
        });
    }

    #[test]
    fn a_look_whose_asker_went_away_is_made_anew() {
        rt::System::new().block_on(async {
            let source = Arc::new(Slow::default());
            let keys = Keys::new(Arc::clone(&source) as Arc<dyn Source>);
            let gone = tokio::time::timeout(Duration::from_millis(1), keys.with(&invented(0))).await;
            assert!(gone.is_err());
            source.go_on.notify_one();
            assert!(keys.with(&invented(0)).await.is_ok());
            assert_eq!(source.looks.load(Ordering::SeqCst), 2);
        });
    }
}
