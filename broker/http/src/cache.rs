//! A short memory for what is looked up at every request: which client a key is, which site an id is. One second is
//! all that design allows for what takes rights away, and it is enough to spare a busy service nearly every look-up.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use gatepass_core::site::Site;
use gatepass_core::{SiteId, Store, StoreError};
use moka::future::Cache;

/// For how long a look-up is remembered.
pub const LIFETIME: Duration = Duration::from_secs(1);

/// Remembers values that were found. What was not found is not remembered, so a new key works at once; the size is
/// bounded, so strangers cannot fill the memory.
#[derive(Debug, Clone)]
pub struct ShortMemory<K: Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static>(Cache<K, V>);

impl<K: Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static> ShortMemory<K, V> {
    /// A memory for up to `capacity` values.
    pub fn new(capacity: u64) -> Self {
        Self(Cache::builder().max_capacity(capacity).time_to_live(LIFETIME).build())
    }

    /// The remembered value, or what `look_up` finds.
    pub async fn get<E>(
        &self,
        key: K,
        look_up: impl Future<Output = Result<Option<V>, E>>,
    ) -> Result<Option<V>, E> {
        if let Some(value) = self.0.get(&key).await {
            return Ok(Some(value));
        }
        let found = look_up.await?;
        if let Some(value) = &found {
            self.0.insert(key, value.clone()).await;
        }
        Ok(found)
    }

    /// Forgets a value that is about to change.
    pub async fn forget(&self, key: &K) {
        self.0.invalidate(key).await;
    }
}

/// Sites as they were at most a second ago. Broker and bridge of one process share one, so that neither believes
/// what the other has just changed.
#[derive(Debug, Clone)]
pub struct SiteMemory {
    store: Arc<dyn Store>,
    memory: ShortMemory<SiteId, Arc<Site>>,
}

impl SiteMemory {
    /// A memory in front of `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, memory: ShortMemory::new(10_000) }
    }

    /// The site with this id.
    pub async fn get(&self, id: SiteId) -> Result<Option<Arc<Site>>, StoreError> {
        self.memory.get(id, async { Ok(self.store.site(id).await?.map(Arc::new)) }).await
    }

    /// Forgets a site that has changed.
    pub async fn forget(&self, id: SiteId) {
        self.memory.forget(&id).await;
    }
}
