//! The way to Redis: to one server, or by Sentinel to whichever is the primary now.
//!
//! One multiplexed connection for each worker thread: commands of different requests share it, and no thread wakes
//! another. A connection that failed, or that leads to a server which may no longer write, is given up, and the next
//! command finds the primary anew.
//!
//! *No command is ever carried out twice*: whoever asked learns that the answer is missing, and the browser's attempt
//! is what may be repeated. redis-rs 1.8 keeps to that, as its source says. A `MultiplexedConnection` neither connects
//! again nor sends again. `ScriptInvocation::invoke_async` sends `EVALSHA` a second time only after the server's own
//! `NOSCRIPT`, which means that it did not run. `SentinelClient` repeats its question on a sentinel's broken
//! connection, and asks nothing but `SENTINEL MASTERS` and `ROLE`. What does retry, its `ConnectionManager` and its
//! cluster client, is not used here.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as BlockingMutex, PoisonError};
use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, ServerErrorKind,
    Value,
};
use tokio::sync::Mutex;

use super::Options;
use super::address::{self, Address, Target};
use super::settings::{self, Findings, Use};
use super::tls::explained;
use crate::store::{Result, StoreError};

/// How long one answer may take. A redemption that is not answered by then may still have happened; the customer is
/// told to try again, and the same attempt finds out. Far above what a busy Redis takes (a millisecond; a fork or a
/// slow disk, some hundred), and with [`CONNECTION_TIMEOUT`] before it still half of what the plugin waits for us,
/// 8 seconds: whoever clicked gets our page, not a broken connection.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a command may wait for a connection: for finding the primary, connecting to it, and for those who wait
/// for the same connection.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);

/// A link that all threads share.
#[derive(Clone)]
pub(super) struct Link(Arc<Inner>);

struct Inner {
    at: Address,
    by: Use,
    slots: Vec<Slot>,
    /// Grows whenever a connection is given up: after a failover no thread goes on with one from before.
    generation: AtomicU64,
    looked: Looked,
}

/// At whose settings we have looked.
struct Looked {
    generation: AtomicU64,
    run_id: BlockingMutex<String>,
}

/// A thread's connection, and its generation.
#[derive(Default)]
struct Slot(Mutex<Option<(u64, MultiplexedConnection)>>);

impl Link {
    /// Reads the URL, connects once, and looks at how what answers is set.
    pub(super) async fn open(url: &str, options: &Options) -> Result<Self> {
        let at = address::read(url, options)
            .map_err(|why| StoreError::Unavailable(format!("this is no Redis URL: {why}")))?;
        let by = Use {
            by_sentinel: matches!(at.target, Target::Sentinel(_)),
            wait_replicas: options.wait_replicas,
        };
        // The workers of two servers, the one of the metrics', and the thread that started them.
        let threads = 2 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get) + 2;
        let slots = std::iter::repeat_with(Slot::default).take(threads).collect();
        let unavailable = |error: &RedisError| {
            StoreError::Unavailable(format!("no Redis at {}: {}", at.name, explained(error, at.tls)))
        };
        let mut first = connect(&at.target).await.map_err(|e| unavailable(&e))?;
        let found = settings::look(&mut first, by).await.map_err(|e| unavailable(&e))?;
        if let Some(why) = found.refusal {
            return Err(StoreError::Unavailable(format!("the Redis at {} cannot be used: {why}", at.name)));
        }
        for warning in &found.warnings {
            tracing::warn!("about the Redis at {}: {warning}", at.name);
        }
        let looked =
            Looked { generation: AtomicU64::new(u64::MAX), run_id: BlockingMutex::new(found.run_id) };
        Ok(Self(Arc::new(Inner { at, by, slots, generation: AtomicU64::new(0), looked })))
    }

    /// How the server is set.
    pub(super) async fn look(&self) -> RedisResult<Findings> {
        let (_, mut connection) = self.connection().await?;
        settings::look(&mut connection, self.0.by).await
    }

    /// Where it leads, for people.
    pub(super) fn name(&self) -> &str {
        &self.0.at.name
    }

    /// This thread's connection, made if there is none. Whoever waits for somebody else to make it waits no longer
    /// than if it made one itself: so nobody queues behind time-out after time-out.
    async fn connection(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        within_time(async {
            let mut slot = self.slot().0.lock().await;
            let generation = self.generation();
            match &*slot {
                Some((of, connection)) if *of == generation => return Ok((generation, connection.clone())),
                _ => *slot = None,
            }
            let connection = self.connect(generation).await?;
            *slot = Some((generation, connection.clone()));
            Ok((generation, connection))
        })
        .await
    }

    /// A connection of one's own.
    pub(super) async fn connect(&self, generation: u64) -> RedisResult<MultiplexedConnection> {
        let connection = connect(&self.0.at.target).await?;
        // The first one after others were given up may lead to another server.
        if self.0.looked.generation.swap(generation, Ordering::AcqRel) != generation {
            tokio::spawn(look_again(Arc::clone(&self.0), connection.clone()));
        }
        Ok(connection)
    }

    pub(super) fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// Gives the connections of a generation up if what came of using one says so.
    pub(super) fn judge<T>(
        &self,
        generation: u64,
        result: &RedisResult<T>,
        answered: impl FnOnce(&T) -> Option<RedisError>,
    ) {
        let error = result.as_ref().map_or_else(|error| Some(error.clone()), answered);
        if error.is_some_and(|error| is_over(&error)) {
            self.give_up(generation);
        }
    }

    /// Gives all connections of a generation up, once.
    fn give_up(&self, generation: u64) {
        let next = generation.wrapping_add(1);
        self.0.generation.compare_exchange(generation, next, Ordering::AcqRel, Ordering::Acquire).ok();
    }

    /// This thread's number. A connection lives on the thread that made it, and ends with it: so no other may use it.
    pub(super) fn thread() -> usize {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static THREAD: Cell<Option<usize>> = const { Cell::new(None) });
        THREAD.get().unwrap_or_else(|| {
            let number = THREADS.fetch_add(1, Ordering::Relaxed);
            THREAD.set(Some(number));
            number
        })
    }

    #[expect(clippy::indexing_slicing, reason = "the remainder is less than the length, which is at least 1")]
    fn slot(&self) -> &Slot {
        &self.0.slots[Self::thread() % self.0.slots.len()]
    }

    /// Sends one thing, once.
    async fn send<T>(
        &self,
        what: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
        answered: impl FnOnce(&T) -> Option<RedisError>,
    ) -> RedisResult<T> {
        let (generation, mut connection) = self.connection().await?;
        let result = what(&mut connection).await;
        self.judge(generation, &result, answered);
        result
    }
}

/// Whether the connection that this came from is of no more use: broken, silent, or to a server that is not (or no
/// longer) a primary that may write.
fn is_over(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Io | ErrorKind::Parse | ErrorKind::AuthenticationFailed => true,
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading
        ),
        _ => error.is_timeout() || error.is_connection_dropped() || error.code() == Some("NOREPLICAS"),
    }
}

pub(super) fn error_in(value: &Value) -> Option<RedisError> {
    match value {
        Value::ServerError(error) => Some(error.clone().into()),
        _ => None,
    }
}

async fn connect(target: &Target) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_connection_timeout(Some(CONNECTION_TIMEOUT));
    within_time(async {
        match target {
            Target::Server(client) => client.get_multiplexed_async_connection_with_config(&config).await,
            Target::Sentinel(client) => client.lock().await.get_async_connection_with_config(&config).await,
        }
    })
    .await
}

/// Ends what takes longer than getting a connection may.
pub(super) async fn within_time<T>(what: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    tokio::time::timeout(CONNECTION_TIMEOUT, what)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time").into()))
}

/// Looks at the settings of a server that was not there at start, and names what is wrong.
async fn look_again(link: Arc<Inner>, mut connection: MultiplexedConnection) {
    let known = |run_id: &str| *link.looked.run_id.lock().unwrap_or_else(PoisonError::into_inner) == run_id;
    if settings::run_id(&mut connection).await.is_ok_and(|run_id| known(&run_id)) {
        return;
    }
    match settings::look(&mut connection, link.by).await {
        Ok(Findings { run_id, refusal, warnings }) => {
            if let Some(problem) = refusal {
                tracing::error!("the Redis at {} must not be used any longer: {problem}", link.at.name);
            }
            for warning in warnings {
                tracing::warn!("about the Redis at {}: {warning}", link.at.name);
            }
            *link.looked.run_id.lock().unwrap_or_else(PoisonError::into_inner) = run_id;
        }
        Err(error) => tracing::warn!(%error, "the settings of the Redis at {} are not known", link.at.name),
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(self.send(async move |c| c.send_packed_command(command).await, error_in))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let answered = |values: &Vec<Value>| values.iter().find_map(error_in);
        Box::pin(self.send(async move |c| c.send_packed_commands(pipeline, offset, count).await, answered))
    }

    fn get_db(&self) -> i64 {
        0
    }
}
