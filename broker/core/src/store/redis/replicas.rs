//! Writes that take rights away, and their way to the replicas.
//!
//! A failover loses what the replica had not yet: a cancellation that was answered 200 could be gone. With
//! `wait-replicas` such a write is answered only once that many replicas have it, and with 503 when they do not in
//! time: it may or may not last, and repeating it is safe. Redemption does not wait, and need not: whatever was
//! issued before a failover, spent or not, the fence by replication id voids.
//!
//! `WAIT` speaks of what *its own connection* wrote, and blocks that connection. So a waiting write has a connection
//! to itself, a [`Lane`]: it also makes sure that the server which was written to is the one that is asked, in the
//! middle of a failover too. A repeated write may find nothing left to change, and then writes nothing of which
//! `WAIT` could speak; a mark, written just before, makes it speak of everything up to now. (Redis 7.0 and Valkey 9
//! count from a connection's last command of any kind, so that no test misses the mark; the manual promises writes.)

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::{Cmd, ErrorKind, Pipeline, RedisFuture, RedisResult, Value};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::keys;
use super::link::{Link, error_in, within_time};
use crate::store::{Result, StoreError};

/// How long the replicas have: far above a round trip, and below the response time-out, so that it is the server
/// that gives the answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many writes may wait at once. While a replica is away each holds its connection for [`PATIENCE`]; logins go
/// on over their own.
const LANES: usize = 16;

/// Connections for writes that wait.
pub(super) struct Lanes {
    replicas: u32,
    free: Semaphore,
    /// With their generations and threads.
    idle: Mutex<Vec<(u64, usize, MultiplexedConnection)>>,
}

impl Lanes {
    pub(super) fn new(replicas: u32) -> Self {
        Self { replicas, free: Semaphore::new(LANES), idle: Mutex::default() }
    }

    /// A way for one write that takes rights away; what is written is answered for only after
    /// [`Lane::reach_replicas`].
    pub(super) async fn lane<'a>(&'a self, link: &Link) -> Result<Lane<'a>> {
        let own = if self.replicas == 0 { None } else { Some(within_time(self.own(link)).await?) };
        Ok(Lane { link: link.clone(), lanes: self, own })
    }

    async fn own(&self, link: &Link) -> RedisResult<Own<'_>> {
        let permit =
            self.free.acquire().await.map_err(|_| (ErrorKind::Client, "no more writes are taken"))?;
        let generation = link.generation();
        let idle = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|(of, _, _)| *of == generation);
            let own = idle.iter().position(|(_, thread, _)| *thread == Link::thread());
            own.map(|index| idle.swap_remove(index))
        };
        let connection = match idle {
            Some((_, _, connection)) => connection,
            None => link.connect(generation).await?,
        };
        Ok(Own { generation, connection, _permit: permit })
    }
}

/// The way of one write. Without `wait-replicas` the same as everybody's.
#[must_use]
pub(super) struct Lane<'a> {
    link: Link,
    lanes: &'a Lanes,
    own: Option<Own<'a>>,
}

struct Own<'a> {
    generation: u64,
    connection: MultiplexedConnection,
    _permit: SemaphorePermit<'a>,
}

impl Lane<'_> {
    /// Gives the connection back, whole and in order, for the next one: nothing was written that is to be waited for.
    pub(super) fn give_back(&mut self) {
        if let Some(Own { generation, connection, .. }) = self.own.take() {
            let mut idle = self.lanes.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push((generation, Link::thread(), connection));
        }
    }

    /// Waits until the replicas have what was written.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when too few have it in time.
    pub(super) async fn reach_replicas(mut self) -> Result<()> {
        if self.own.is_none() {
            return Ok(());
        }
        let mut wait = ::redis::pipe();
        wait.set(keys::MARK, 1)
            .ignore()
            .cmd("WAIT")
            .arg(self.lanes.replicas)
            .arg(PATIENCE.as_millis().to_string());
        let (reached,): (u32,) = wait.query_async(&mut self).await?;
        self.give_back();
        if reached < self.lanes.replicas {
            return Err(StoreError::Unavailable(format!(
                "{reached} of {} replicas have it; it may not outlast a failover, and repeating it is safe",
                self.lanes.replicas
            )));
        }
        Ok(())
    }
}

impl ConnectionLike for Lane<'_> {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let Some(own) = &mut self.own else { return self.link.req_packed_command(command).await };
            let result = own.connection.send_packed_command(command).await;
            self.link.judge(own.generation, &result, error_in);
            result
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let Some(own) = &mut self.own else {
                return self.link.req_packed_commands(pipeline, offset, count).await;
            };
            let result = own.connection.send_packed_commands(pipeline, offset, count).await;
            self.link.judge(own.generation, &result, |values| values.iter().find_map(error_in));
            result
        })
    }

    fn get_db(&self) -> i64 {
        0
    }
}
