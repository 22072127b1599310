//! A short memory for what is looked up at every request: which client a key is, which site an id is. One second is
//! all that design allows for what takes rights away, and it is enough to spare a busy service nearly every look-up.
//!
//! A name that was found stays known for longer. That gives no right, but it tells a name that somebody has from
//! one that a stranger made up, and only the latter has to pass the narrow gate of [`crate::strangers`].

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use gatepass_core::site::Site;
use gatepass_core::{SiteId, Store, StoreError, Timestamp};
use moka::future::Cache;

use crate::strangers::Strangers;
use crate::{ClientAddress, Problem};

/// For how long a look-up is remembered.
pub const LIFETIME: Duration = Duration::from_secs(1);

/// For how long a name stays known that is not asked for.
const KNOWN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How many names stay known, about 10 MB of them.
const MAX_KNOWN: u64 = 100_000;

/// Remembers values that were found. What was not found is not remembered, so a new key works at once; the size is
/// bounded, so strangers cannot fill the memory. Who asks while another looks the same thing up gets its answer.
#[derive(Debug)]
pub struct ShortMemory<K: Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static> {
    values: Cache<K, V>,
    known: Cache<K, ()>,
    strangers: Strangers,
}

/// Why there is no value.
enum Miss {
    Absent,
    Failed(Problem),
}

impl<K: Clone + Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static> ShortMemory<K, V> {
    /// A memory for up to `capacity` values.
    pub fn new(capacity: u64) -> Self {
        Self {
            values: Cache::builder().max_capacity(capacity).time_to_live(LIFETIME).build(),
            known: Cache::builder().max_capacity(MAX_KNOWN).time_to_live(KNOWN_FOR).build(),
            strangers: Strangers::default(),
        }
    }

    /// The remembered value, or what `look_up` finds, for someone who has proven who it is.
    pub async fn get(
        &self,
        key: K,
        look_up: impl Future<Output = Result<Option<V>, StoreError>>,
    ) -> Result<Option<V>, Problem> {
        let looked_up = async {
            match look_up.await {
                Ok(Some(value)) => {
                    self.known.insert(key.clone(), ()).await;
                    Ok(value)
                }
                Ok(None) => {
                    self.known.invalidate(&key).await;
                    Err(Miss::Absent)
                }
                Err(error) => Err(Miss::Failed(error.into())),
            }
        };
        match self.values.try_get_with_by_ref(&key, looked_up).await {
            Ok(value) => Ok(Some(value)),
            Err(miss) => match &*miss {
                Miss::Absent => Ok(None),
                Miss::Failed(problem) => Err(problem.clone()),
            },
        }
    }

    /// The same for whoever asks. A name that is not known yet costs a look-up, and of these a stranger has few.
    pub async fn get_for_stranger(
        &self,
        key: K,
        from: ClientAddress,
        now: Timestamp,
        look_up: impl Future<Output = Result<Option<V>, StoreError>>,
    ) -> Result<Option<V>, Problem> {
        if !self.known.contains_key(&key) {
            self.strangers.admit(from, now)?;
        }
        self.get(key, look_up).await
    }

    /// Forgets a value that is about to change.
    pub async fn forget(&self, key: &K) {
        self.values.invalidate(key).await;
    }
}

/// Sites as they were at most a second ago. Broker and bridge of one process share one, so that neither believes
/// what the other has just changed.
#[derive(Debug, Clone)]
pub struct SiteMemory {
    store: Arc<dyn Store>,
    memory: Arc<ShortMemory<SiteId, Arc<Site>>>,
}

impl SiteMemory {
    /// A memory in front of `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, memory: Arc::new(ShortMemory::new(10_000)) }
    }

    /// The site with this id, for someone who has proven who it is.
    pub async fn get(&self, id: SiteId) -> Result<Option<Arc<Site>>, Problem> {
        self.memory.get(id, self.look_up(id)).await
    }

    /// The site with this id, for whoever asks.
    pub async fn get_for_stranger(
        &self,
        id: SiteId,
        from: ClientAddress,
        now: Timestamp,
    ) -> Result<Option<Arc<Site>>, Problem> {
        self.memory.get_for_stranger(id, from, now, self.look_up(id)).await
    }

    async fn look_up(&self, id: SiteId) -> Result<Option<Arc<Site>>, StoreError> {
        Ok(self.store.site(id).await?.map(Arc::new))
    }

    /// Forgets a site that has changed.
    pub async fn forget(&self, id: SiteId) {
        self.memory.forget(&id).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::Code;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const STRANGER: ClientAddress =
        ClientAddress(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));

    fn run<T>(test: impl Future<Output = T>) -> T {
        actix_web::rt::System::new().block_on(test)
    }

    /// Invents names until it is stopped.
    async fn exhaust(memory: &ShortMemory<u32, u32>) {
        for name in 1000.. {
            if memory.get_for_stranger(name, STRANGER, NOW, async { Ok(None) }).await.is_err() {
                return;
            }
        }
    }

    #[test]
    fn who_invents_names_is_stopped_and_a_known_name_is_not() {
        run(async {
            let memory = ShortMemory::new(10);
            assert_eq!(
                memory.get_for_stranger(1, STRANGER, NOW, async { Ok(Some(1)) }).await.unwrap(),
                Some(1)
            );
            exhaust(&memory).await;
            let refused = memory.get_for_stranger(2, STRANGER, NOW, async { unreachable!() }).await;
            assert_eq!(refused.unwrap_err().code(), Code::Overloaded);
            memory.forget(&1).await;
            assert_eq!(
                memory.get_for_stranger(1, STRANGER, NOW, async { Ok(Some(7)) }).await.unwrap(),
                Some(7)
            );
        });
    }

    #[test]
    fn who_has_proven_itself_asks_for_what_it_likes_and_makes_it_known() {
        run(async {
            let memory = ShortMemory::new(10);
            exhaust(&memory).await;
            assert_eq!(memory.get(2, async { Ok(Some(2)) }).await.unwrap(), Some(2));
            memory.forget(&2).await;
            assert_eq!(
                memory.get_for_stranger(2, STRANGER, NOW, async { Ok(Some(3)) }).await.unwrap(),
                Some(3)
            );
        });
    }

    #[test]
    fn a_name_that_is_gone_is_unknown_again() {
        run(async {
            let memory = ShortMemory::new(10);
            memory.get(1, async { Ok(Some(1)) }).await.unwrap();
            memory.forget(&1).await;
            assert_eq!(memory.get(1, async { Ok(None) }).await.unwrap(), None);
            exhaust(&memory).await;
            let refused = memory.get_for_stranger(1, STRANGER, NOW, async { unreachable!() }).await;
            assert_eq!(refused.unwrap_err().code(), Code::Overloaded);
        });
    }

    #[test]
    fn many_who_ask_at_once_cost_one_look_up_and_a_failure_is_not_remembered() {
        run(async {
            let (memory, asked) = (&ShortMemory::<u32, u32>::new(10), &Cell::new(0));
            let ask = |found: bool| {
                memory.get(1, async move {
                    asked.set(asked.get() + 1);
                    actix_web::rt::task::yield_now().await;
                    if found { Ok(Some(1)) } else { Err(StoreError::Unavailable("test".to_owned())) }
                })
            };
            let (first, second, third) = tokio::join!(ask(false), ask(false), ask(false));
            assert!([first, second, third].iter().all(|answer| {
                answer.as_ref().is_err_and(|problem| problem.code() == Code::StoreUnavailable)
            }));
            asked.set(0);
            let answers = tokio::join!(ask(true), ask(true), ask(true));
            assert_eq!(
                (answers.0.unwrap(), answers.1.unwrap(), answers.2.unwrap()),
                (Some(1), Some(1), Some(1))
            );
            assert_eq!(asked.get(), 1);
        });
    }
}
