//! A server that finishes what is in flight before it stops.

use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::rt::signal::unix::{SignalKind, signal};
use actix_web::{App, HttpServer, rt, web};

use crate::body::MAX_BODY_BYTES;
use crate::connections::{Connections, HEAD_TIMEOUT};
use crate::health::Readiness;
use crate::load::{Load, bounded};
use crate::request_id::{not_found, request_id};
use crate::{Ambient, TrustedProxies, health};

/// How long requests in flight may take to finish once the server is told to stop, in seconds.
const SHUTDOWN_SECS: u64 = 30;

/// Connections that the kernel holds until one is accepted.
const BACKLOG: u32 = 1024;

/// How many connections more than its share a worker accepts: shares are not quite even, and those that make room
/// for others take a moment to close.
const SPARE_CONNECTIONS: usize = 64;

/// How long a client may take to close its side, once the server will not read on.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// For how long a server that is told to stop still takes connections and requests, and says with each answer that
/// its connection ends. A connection that was simply closed might be one on which the client has just begun to ask.
const PARTING_TIME: Duration = Duration::from_millis(500);

/// What the servers of one process share.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Whose word counts for where a request comes from.
    pub proxies: TrustedProxies,
    /// The connections that there may be.
    pub connections: Arc<Connections>,
    /// The requests that there may be at a time.
    pub load: Arc<Load>,
    /// The threads that serve.
    pub workers: NonZero<usize>,
}

impl Bounds {
    /// Of one thread, and apart from all others': for what operators ask beside the service.
    pub fn aside() -> Self {
        Self {
            proxies: TrustedProxies::default(),
            connections: Connections::new(16, Duration::from_secs(75)),
            load: Load::new(4),
            workers: NonZero::<usize>::MIN,
        }
    }
}

/// What a server could not do.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is taken.
    #[error("{0} is in use by another program; choose another address with --listen, or stop that program")]
    AddressInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Bind(SocketAddr, std::io::Error),
    /// It failed while running.
    #[error("the server failed: {0}")]
    Run(std::io::Error),
}

/// Serves `routes` on `address` until the process is told to stop (SIGINT or SIGTERM), then answers what is in
/// flight. `listening` is called once connections are accepted.
pub async fn serve(
    address: SocketAddr,
    ambient: Ambient,
    readiness: Arc<Readiness>,
    bounds: &Bounds,
    routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), ServerError> {
    let Bounds { proxies, connections, load, workers } = bounds.clone();
    let (ambient, readiness) = (web::Data::new(ambient), web::Data::from(readiness));
    let (proxies, load) = (web::Data::new(proxies), web::Data::from(load));
    let watching = Arc::clone(&connections);
    let server = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(bounded))
            .wrap(from_fn(request_id))
            .app_data(ambient.clone())
            .app_data(readiness.clone())
            .app_data(proxies.clone())
            .app_data(load.clone())
            .app_data(web::PayloadConfig::new(MAX_BODY_BYTES))
            .configure(routes.clone())
            .configure(health::routes)
            .default_service(web::to(not_found))
    })
    .workers(workers.get())
    .backlog(BACKLOG)
    .max_connections(connections.max().div_ceil(workers.get()) + SPARE_CONNECTIONS)
    .on_connect(move |io, data| watching.watch(io, data))
    .client_request_timeout(HEAD_TIMEOUT)
    .client_disconnect_timeout(CLOSE_TIMEOUT)
    .keep_alive(connections.keep_alive())
    .shutdown_timeout(SHUTDOWN_SECS)
    .disable_signals()
    .bind(address)
    .map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => ServerError::AddressInUse(address),
        _ => ServerError::Bind(address, error),
    })?;
    listening(server.addrs().first().copied().unwrap_or(address));
    let (server, stopping) = (server.run(), Arc::clone(&connections));
    // Not by the framework's own signals: the first server that has stopped would take the others' threads along.
    let handle = server.handle();
    let stop = rt::spawn(async move {
        told_to_stop(&stopping).await;
        handle.stop(true).await;
    });
    let watch = rt::spawn(async move {
        loop {
            rt::time::sleep(Duration::from_secs(1)).await;
            connections.close_overdue();
        }
    });
    let outcome = server.await.map_err(ServerError::Run);
    watch.abort();
    stop.abort();
    outcome
}

/// Waits for SIGTERM or SIGINT, and until all clients had time to hear of it.
async fn told_to_stop(connections: &Connections) {
    stop_signal().await;
    connections.stop();
    rt::time::sleep(PARTING_TIME).await;
}

/// Waits for SIGTERM or SIGINT.
pub async fn stop_signal() {
    let came = |kind| async move {
        match signal(kind) {
            Ok(mut signals) => signals.recv().await,
            // Without a way to be told, it is not told.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = came(SignalKind::terminate()) => {}
        _ = came(SignalKind::interrupt()) => {}
    }
}
