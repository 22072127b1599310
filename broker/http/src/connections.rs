//! Every connection has a bounded end, and there are only so many of them.
//!
//! The framework bounds how long the first head of a connection may take, and how long a connection may be silent.
//! It does not bound a later head that comes letter by letter, an answer that nobody reads, nor a refused body
//! without an end; and once it has as many connections as it may have, it takes no more of anybody. So each
//! connection is watched here. Whoever keeps Gatepass waiting for too long is disconnected, and when there are too
//! many connections, of the client that has the most the one that has waited longest makes room for the next: one
//! who opens thousands closes his own, and locks nobody out.

use std::any::Any;
use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::dev::Extensions;
use gatepass_core::limit::network;

use crate::metrics::CONNECTIONS_CLOSED;

/// How long a request's head may take to arrive.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How many requests a connection has, so that the answers to them cannot pile up without end.
const MAX_REQUESTS: usize = 1000;

/// The connections of this process.
#[derive(Debug)]
pub struct Connections {
    max: usize,
    keep_alive: Duration,
    next: AtomicU64,
    stopping: AtomicBool,
    open: Mutex<HashMap<u64, Arc<State>>>,
}

#[derive(Debug)]
struct State {
    client: IpAddr,
    /// The same socket as the framework's, to shut it down.
    socket: TcpStream,
    requests: AtomicUsize,
    closing: AtomicBool,
    /// Since when Gatepass waits for the client; `None` while the client waits for Gatepass.
    waiting_since: Mutex<Option<Instant>>,
}

impl Connections {
    /// At most `max` connections, each closed when it is silent for `keep_alive`.
    pub fn new(max: usize, keep_alive: Duration) -> Arc<Self> {
        Arc::new(Self {
            max,
            keep_alive,
            next: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            open: Mutex::default(),
        })
    }

    /// How many there may be.
    pub const fn max(&self) -> usize {
        self.max
    }

    /// How many there are.
    pub(crate) fn open(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How long one may be silent between two requests.
    pub const fn keep_alive(&self) -> Duration {
        self.keep_alive
    }

    /// From now on every answer is the last one of its connection, and says so.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Watches a connection that was just accepted, for as long as its data live. What cannot be watched, because
    /// the process may have no more files open, is not served: see [`Connection`].
    pub(crate) fn watch(self: &Arc<Self>, io: &dyn Any, data: &mut Extensions) {
        let Some(stream) = io.downcast_ref::<actix_web::rt::net::TcpStream>() else { return };
        let (Ok(peer), Ok(socket)) = (stream.peer_addr(), stream.as_fd().try_clone_to_owned()) else {
            return;
        };
        let state = Arc::new(State {
            client: network(peer.ip()),
            socket: TcpStream::from(socket),
            requests: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            waiting_since: Mutex::new(Some(Instant::now())),
        });
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(id, Arc::clone(&state));
        if open.len() > self.max {
            make_room(&open, self.max);
        }
        data.insert(Connection(Arc::new(Watched { id, state, all: Arc::clone(self) })));
    }

    /// Closes the connections of clients that keep Gatepass waiting for longer than an honest one does: a silence,
    /// and then a head. To be called every second.
    pub(crate) fn close_overdue(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for state in open.values() {
            if state.waiting_for().is_some_and(|time| time > self.keep_alive + HEAD_TIMEOUT) {
                state.close("slow");
            }
        }
    }
}

/// Closes one connection if there are more than `max`, not counting those that are about to close.
fn make_room(open: &HashMap<u64, Arc<State>>, max: usize) {
    let mut by_client = HashMap::<IpAddr, (usize, Option<(Duration, &State)>)>::new();
    let mut count = 0;
    for state in open.values().filter(|state| !state.closing.load(Ordering::Relaxed)) {
        count += 1;
        let (held, longest) = by_client.entry(state.client).or_default();
        *held += 1;
        if let Some(time) = state.waiting_for()
            && longest.is_none_or(|(longest, _)| time > longest)
        {
            *longest = Some((time, state));
        }
    }
    let of_the_greediest = by_client
        .into_values()
        .filter_map(|(held, longest)| Some((held, longest?)))
        .max_by_key(|(held, (time, _))| (*held, *time));
    if count > max
        && let Some((_, (_, state))) = of_the_greediest
    {
        state.close("room");
    }
}

impl State {
    fn waiting_for(&self) -> Option<Duration> {
        self.waiting_since.lock().unwrap_or_else(PoisonError::into_inner).map(|since| since.elapsed())
    }

    fn set_waiting(&self, waiting: bool) {
        let since = waiting.then(Instant::now);
        *self.waiting_since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// The framework sees the end of the connection and drops it.
    fn close(&self, reason: &'static str) {
        if !self.closing.swap(true, Ordering::Relaxed) {
            metrics::counter!(CONNECTIONS_CLOSED, "reason" => reason).increment(1);
        }
        // It may be closed already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// The connection of a request, in its connection data. A request without one is not to be served.
#[derive(Debug, Clone)]
pub(crate) struct Connection(Arc<Watched>);

#[derive(Debug)]
struct Watched {
    id: u64,
    state: Arc<State>,
    all: Arc<Connections>,
}

/// Whether a connection takes another request after this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Welcome,
    /// This is the last one, and its answer says so.
    Last,
}

impl Connection {
    /// A request's head is here. From now on the client waits.
    pub(crate) fn begin(&self) {
        let state = &self.0.state;
        state.set_waiting(false);
        // Told that it was the last, and not stopped: nor does it read the answers, as far as one knows.
        if state.requests.fetch_add(1, Ordering::Relaxed) >= MAX_REQUESTS {
            state.close("slow");
        }
    }

    /// Its answer is here.
    pub(crate) fn end(&self) -> Next {
        self.wait();
        let requests = self.0.state.requests.load(Ordering::Relaxed);
        let is_last = requests >= MAX_REQUESTS || self.0.all.stopping.load(Ordering::Relaxed);
        if is_last { Next::Last } else { Next::Welcome }
    }

    /// Gatepass waits: for the rest of a body, or for the answer to be read and another request to come.
    pub(crate) fn wait(&self) {
        self.0.state.set_waiting(true);
    }

    /// The client waits again.
    pub(crate) fn go_on(&self) {
        self.0.state.set_waiting(false);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.all.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
