//! The way to Redis: to one server, or by Sentinel to whichever is the primary now.
//!
//! One multiplexed connection for each worker thread: commands of different requests share it, and no thread wakes
//! another. A connection that failed, or that leads to a server which may no longer write, is given up, and the next
//! command finds the primary anew. *No command is ever sent twice*: whoever asked learns that the answer is
//! missing, and the browser's attempt is what may be repeated.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, IntoConnectionInfo, Pipeline, RedisError, RedisFuture,
    RedisResult, ServerErrorKind, Value,
};
use tokio::sync::Mutex;
use url::Url;

use super::settings;
use crate::store::{Result, StoreError};

/// How long one answer may take. A redemption that is not answered by then may still have happened; the customer is
/// told to try again, and the same attempt finds out. Far above what a busy Redis takes, far below a customer's
/// patience, and below the plugin's own 8 seconds.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long finding the primary and connecting to it may take.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the data is.
enum Target {
    /// On this server.
    Server(Client),
    /// On whichever server the sentinels call primary.
    Sentinel(Mutex<SentinelClient>),
}

/// A link that all threads share.
#[derive(Clone)]
pub(super) struct Link(Arc<Inner>);

struct Inner {
    target: Target,
    /// For people: no user, no password.
    name: String,
    slots: Vec<Slot>,
    /// Grows whenever a connection is given up: after a failover no thread goes on with one from before.
    generation: AtomicU64,
}

/// What a thread has.
#[derive(Default)]
struct Slot {
    /// How many times it could not connect.
    failures: AtomicU64,
    state: Mutex<SlotState>,
}

#[derive(Default)]
struct SlotState {
    /// The connection, and its generation.
    connection: Option<(u64, MultiplexedConnection)>,
    /// Why it could not connect the last time that it could not.
    failure: Option<RedisError>,
}

impl Link {
    /// Understands `redis://[user:password@]host[:port][/db]` and
    /// `redis+sentinel://[user:password@]host[:port][,host[:port]…]/NAME`, and connects once.
    pub(super) async fn open(url: &str) -> Result<Self> {
        let wrong = |why: &str| StoreError::Unavailable(format!("this is no Redis URL: {why}"));
        let (target, name) = if let Some(rest) = url.strip_prefix("redis+sentinel://") {
            sentinel(rest).map_err(|why| wrong(&why))?
        } else {
            let client = Client::open(url).map_err(|e| wrong(&e.to_string()))?;
            let name = client.get_connection_info().addr().to_string();
            (Target::Server(client), name)
        };
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let slots = std::iter::repeat_with(Slot::default).take(workers).collect();
        let link = Self(Arc::new(Inner { target, name, slots, generation: AtomicU64::new(0) }));
        let mut first = link
            .0
            .connect()
            .await
            .map_err(|e| StoreError::Unavailable(format!("no Redis at {}: {e}", link.0.name)))?;
        settings::check(&mut first, matches!(link.0.target, Target::Sentinel(_))).await?;
        Ok(link)
    }

    /// Where it leads, for people.
    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    /// This thread's connection, made if there is none. One request at a time tries to make it, and if it fails, it
    /// fails for all that waited: otherwise the last of them would wait for a time-out of each one before it.
    async fn connection(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        let slot = self.slot();
        let failures = slot.failures.load(Ordering::Acquire);
        let mut state = slot.state.lock().await;
        let generation = self.0.generation.load(Ordering::Acquire);
        match &state.connection {
            Some((of, connection)) if *of == generation => return Ok((generation, connection.clone())),
            _ => state.connection = None,
        }
        if slot.failures.load(Ordering::Acquire) != failures
            && let Some(failure) = &state.failure
        {
            return Err(failure.clone());
        }
        match self.0.connect().await {
            Ok(connection) => {
                state.connection = Some((generation, connection.clone()));
                Ok((generation, connection))
            }
            Err(failure) => {
                slot.failures.fetch_add(1, Ordering::AcqRel);
                state.failure = Some(failure.clone());
                Err(failure)
            }
        }
    }

    /// Gives all connections of a generation up, once.
    fn give_up(&self, generation: u64) {
        let next = generation.wrapping_add(1);
        self.0.generation.compare_exchange(generation, next, Ordering::AcqRel, Ordering::Acquire).ok();
    }

    #[expect(clippy::indexing_slicing, reason = "the remainder is less than the length, which is at least 1")]
    fn slot(&self) -> &Slot {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static THREAD: Cell<Option<usize>> = const { Cell::new(None) });
        let thread = THREAD.get().unwrap_or_else(|| {
            let number = THREADS.fetch_add(1, Ordering::Relaxed);
            THREAD.set(Some(number));
            number
        });
        &self.0.slots[thread % self.0.slots.len()]
    }

    /// Sends one thing, once.
    async fn send<T>(
        &self,
        what: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
        answered: impl FnOnce(&T) -> Option<RedisError>,
    ) -> RedisResult<T> {
        let (generation, mut connection) = self.connection().await?;
        let result = what(&mut connection).await;
        let error = result.as_ref().map_or_else(|error| Some(error.clone()), answered);
        if error.is_some_and(|error| is_over(&error)) {
            self.give_up(generation);
        }
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

fn server_error(value: &Value) -> Option<RedisError> {
    match value {
        Value::ServerError(error) => Some(error.clone().into()),
        _ => None,
    }
}

impl Inner {
    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECTION_TIMEOUT));
        let connect = async {
            match &self.target {
                Target::Server(client) => client.get_multiplexed_async_connection_with_config(&config).await,
                Target::Sentinel(client) => {
                    client.lock().await.get_async_connection_with_config(&config).await
                }
            }
        };
        tokio::time::timeout(CONNECTION_TIMEOUT, connect)
            .await
            .unwrap_or_else(|_| Err((ErrorKind::Io, "no connection in time").into()))
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(self.send(async move |c| c.send_packed_command(command).await, server_error))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let answered = |values: &Vec<Value>| values.iter().find_map(server_error);
        Box::pin(self.send(async move |c| c.send_packed_commands(pipeline, offset, count).await, answered))
    }

    fn get_db(&self) -> i64 {
        0
    }
}

/// Reads what stands behind `redis+sentinel://`. User and password are the data servers'; sentinels are asked
/// without.
fn sentinel(rest: &str) -> std::result::Result<(Target, String), String> {
    let expected = "expected redis+sentinel://[user:password@]host[:port],…/NAME";
    let (credentials, rest) = rest.rsplit_once('@').map_or(("", rest), |(before, after)| (before, after));
    let (hosts, service) = rest.split_once('/').ok_or(expected)?;
    if service.is_empty() || hosts.is_empty() || service.contains('/') {
        return Err(expected.to_owned());
    }
    let nodes = hosts
        .split(',')
        .map(|host| Url::parse(&format!("redis://{host}/")).map_err(|_| format!("{host} is no host")))
        .map(|url| {
            let url = url?;
            let port = url.port().unwrap_or(26379);
            let host = url.host_str().ok_or(expected)?.to_owned();
            (host, port).into_connection_info().map_err(|e| e.to_string())
        })
        .collect::<std::result::Result<Vec<_>, String>>()?;
    // The URL parser knows how user and password are encoded.
    let data = format!("redis://{}{}localhost/", credentials, if credentials.is_empty() { "" } else { "@" });
    let data = data.as_str().into_connection_info().map_err(|e| e.to_string())?;
    let data = SentinelNodeConnectionInfo::default().set_redis_connection_info(data.redis_settings().clone());
    let client = SentinelClient::build(nodes, service.to_owned(), Some(data), SentinelServerType::Master)
        .map_err(|e| e.to_string())?;
    Ok((Target::Sentinel(Mutex::new(client)), format!("{service}, by the sentinels {hosts}")))
}
