//! A Redis that a store is copied into. While that goes on a mark stands in it, so that nobody works with half a store,
//! and whoever copies anew knows what to take away.

use ::redis::{AsyncCommands, Pipeline, Script};
use data_encoding::HEXLOWER;

use super::link::Link;
use super::{Options, SCHEMA, keys};
use crate::clock::{Rng, random_bytes};
use crate::store::{Result, StoreError};

/// Takes the mark away, if it is still the one that this copy made.
const UNMARK: &str =
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end return redis.call('DEL', KEYS[1])";

/// Where a store is copied to.
pub struct Target {
    link: Link,
    /// What tells this copy from any other.
    mark: String,
}

/// What is there before a copy begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing of Gatepass's.
    Nothing,
    /// What a copy left that did not come to its end.
    Interrupted,
    /// A store.
    Store,
}

impl Target {
    /// Connects as [`Redis::connect`](super::Redis::connect) does, and writes nothing. Replicas are not waited for.
    ///
    /// # Errors
    /// As there.
    pub async fn open(url: &str, options: &Options, rng: &dyn Rng) -> Result<Self> {
        let link = Link::open(url, &Options { wait_replicas: 0, ..options.clone() }).await?;
        let mark = random_bytes::<16>(rng).map_err(|e| StoreError::Unavailable(e.to_string()))?;
        Ok(Self { link, mark: HEXLOWER.encode(&mark) })
    }

    /// What is there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it does not answer.
    pub async fn found(&self) -> Result<Found> {
        if self.link.clone().exists(keys::COPYING).await? {
            return Ok(Found::Interrupted);
        }
        let mut cursor = 0;
        loop {
            let (next, some) = self.scan(cursor).await?;
            if !some.is_empty() {
                return Ok(Found::Store);
            }
            if next == 0 {
                return Ok(Found::Nothing);
            }
            cursor = next;
        }
    }

    /// Where it is, for people.
    pub fn describe(&self) -> String {
        format!("Redis at {}", self.link.name())
    }

    /// Marks it, and takes away what an interrupted copy left; false when there is a store.
    pub(in crate::store) async fn begin(&self) -> Result<bool> {
        match self.found().await? {
            Found::Store => return Ok(false),
            Found::Interrupted => {
                let () = self.link.clone().set(keys::COPYING, &self.mark).await?;
                self.empty().await?;
            }
            Found::Nothing => {
                let is_first: bool = self.link.clone().set_nx(keys::COPYING, &self.mark).await?;
                if !is_first {
                    return Err(another());
                }
            }
        }
        Ok(true)
    }

    /// Writes, and answers once it is written.
    pub(in crate::store) async fn send(&self, batch: &Pipeline) -> Result<()> {
        Ok(batch.query_async(&mut self.link.clone()).await?)
    }

    /// How many sites, members, removed members, events and clients there are of these.
    pub(in crate::store) async fn count<const N: usize>(&self, questions: &Pipeline) -> Result<[u64; N]> {
        let answers: Vec<u64> = questions.query_async(&mut self.link.clone()).await?;
        let mut sums = [0; N];
        for (answer, index) in answers.into_iter().zip((0..N).cycle()) {
            if let Some(sum) = sums.get_mut(index) {
                *sum += answer;
            }
        }
        Ok(sums)
    }

    /// Makes a store of it.
    pub(in crate::store) async fn finish(&self) -> Result<()> {
        let mut link = self.link.clone();
        let () = link.set(keys::SCHEMA, SCHEMA).await?;
        if self.unmark().await? { Ok(()) } else { Err(another()) }
    }

    /// Takes everything away again.
    pub(in crate::store) async fn clear(&self) -> Result<()> {
        self.empty().await?;
        self.unmark().await.map(drop)
    }

    async fn unmark(&self) -> Result<bool> {
        let unmark = Script::new(UNMARK);
        let removed: i64 =
            unmark.key(keys::COPYING).arg(&self.mark).invoke_async(&mut self.link.clone()).await?;
        Ok(removed == 1)
    }

    /// Removes every key but the mark.
    async fn empty(&self) -> Result<()> {
        let mut cursor = 0;
        loop {
            let (next, mut found) = self.scan(cursor).await?;
            found.retain(|key| key != keys::COPYING);
            if !found.is_empty() {
                let () = self.link.clone().unlink(found).await?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    async fn scan(&self, cursor: u64) -> Result<(u64, Vec<String>)> {
        let mut scan = ::redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(keys::ALL).arg("COUNT").arg(1000);
        Ok(scan.query_async(&mut self.link.clone()).await?)
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("at", &self.link.name()).finish_non_exhaustive()
    }
}

fn another() -> StoreError {
    StoreError::Unavailable("another copy into this Redis has begun".to_owned())
}
