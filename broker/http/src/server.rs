//! A server that finishes what is in flight before it stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use gatepass_core::Store;

use crate::body::MAX_BODY_BYTES;
use crate::health::Readiness;
use crate::request_id::{not_found, request_id};
use crate::{Ambient, TrustedProxies, health};

/// How long requests in flight may take to finish once the server is told to stop, in seconds.
const SHUTDOWN_SECS: u64 = 30;

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
/// flight. Whether it is ready is up to `store`, where a request comes from is up to `proxies`; `listening` is called once connections are accepted.
pub async fn serve(
    address: SocketAddr,
    ambient: Ambient,
    store: Arc<dyn Store>,
    proxies: TrustedProxies,
    routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), ServerError> {
    let (ambient, readiness, proxies) =
        (web::Data::new(ambient), web::Data::new(Readiness::new(store)), web::Data::new(proxies));
    let server = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(request_id))
            .app_data(ambient.clone())
            .app_data(readiness.clone())
            .app_data(proxies.clone())
            .app_data(web::PayloadConfig::new(MAX_BODY_BYTES))
            .configure(routes.clone())
            .configure(health::routes)
            .default_service(web::to(not_found))
    })
    .shutdown_timeout(SHUTDOWN_SECS)
    .client_request_timeout(Duration::from_secs(10))
    .keep_alive(Duration::from_secs(75))
    .bind(address)
    .map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => ServerError::AddressInUse(address),
        _ => ServerError::Bind(address, error),
    })?;
    listening(server.addrs().first().copied().unwrap_or(address));
    server.run().await.map_err(ServerError::Run)
}
