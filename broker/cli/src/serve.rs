//! `gatepass serve`: both services in one process.

use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{rt, web};
use gatepass_broker::BrokerState;
use gatepass_broker::delivery::Deliverer;
use gatepass_core::site::is_loopback;
use gatepass_core::trail::{self, Retention};
use gatepass_core::{Store, StoreError, Timestamp};
use gatepass_http::cache::SiteMemory;
use gatepass_http::connections::Connections;
use gatepass_http::destinations::Destinations;
use gatepass_http::load::Load;
use gatepass_http::measured::Measured;
use gatepass_http::metrics::Exporter;
use gatepass_http::server::{self, Bounds};
use gatepass_http::watch::watch;
use gatepass_http::{Ambient, TrustedProxies};
use gatepass_keys::Keyring;
use gatepass_wp_bridge::BridgeState;
use tokio::sync::oneshot;

use crate::config::Config;
use crate::error::Failure;
use crate::instance::Instance;
use crate::{logging, open};

/// How often old records are swept and counted refusals written.
const HOUSEKEEPING: Duration = Duration::from_secs(60);
/// How often the old ends of trails are swept: it reads a little of each.
const TRAIL_SWEEP: Duration = Duration::from_secs(600);

pub(crate) async fn serve(config: &Config) -> Result<(), Failure> {
    let instance = Instance::configured(config)?;
    logging::start(config)?;
    let keyring = open::keyring(config)?;
    let mut store = open::store(config, config.retention).await?;
    if config.metrics_listen.is_some() {
        store = Arc::new(Measured::new(store));
    }
    let check = Arc::clone(&store);
    instance.save(&config.data_dir)?;

    let bounds = Bounds {
        proxies: TrustedProxies::new(config.trusted_proxies.clone()),
        connections: Connections::new(config.max_connections, config.keep_alive),
        load: Load::new(config.max_requests),
        workers: std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
    };
    let exporter = config.metrics_listen.map(|address| exporter(address, &bounds, &keyring)).transpose()?;
    tracing::info!(kid = %keyring.active_kid(), published = keyring.key_set().iter().count(), "keys are loaded");

    let (ambient, sites) = (Ambient::system(), SiteMemory::new(Arc::clone(&store)));
    let destinations = Arc::new(destinations(config, &instance));
    let no_calls = |error| Failure::Failed(format!("cannot make HTTPS calls: {error}"));
    let bridge = BridgeState::new(
        Arc::clone(&store),
        ambient.clone(),
        keyring.key_set().clone(),
        instance.issuer(),
        &instance.bridge_url,
        sites.clone(),
        Arc::clone(&destinations),
    )
    .map_err(no_calls)?;
    let bridge = web::Data::new(bridge);
    let broker = BrokerState::new(
        Arc::clone(&store),
        ambient.clone(),
        keyring,
        instance.issuer(),
        instance.bridge_url.clone(),
        sites,
        destinations,
    );
    let broker = web::Data::new(broker.map_err(no_calls)?);
    let describe = store.describe();
    let watching = rt::spawn(watch(Arc::clone(&store), ambient.clone()));
    let housekeeping = rt::spawn(keep_house(Arc::clone(&store), bridge.clone(), ambient.clone()));
    let trails = rt::spawn(keep_trails(Arc::clone(&store), config.retention, ambient.clone()));
    let (stop_delivery, stop) = oneshot::channel::<()>();
    let deliverer = Deliverer::new(broker.clone()).map_err(no_calls)?;
    let delivery = rt::spawn(deliverer.run(async { drop(stop.await) }));
    let waits = broker.clone();
    let waiting = rt::spawn(async move {
        server::stop_signal().await;
        waits.end_waits();
    });
    let broker_routes = move |app: &mut web::ServiceConfig| {
        app.app_data(broker.clone()).configure(gatepass_broker::routes);
    };
    let state = bridge.clone();
    let bridge_routes = move |app: &mut web::ServiceConfig| {
        app.app_data(state.clone()).configure(gatepass_wp_bridge::routes);
    };
    open_files(config.max_connections);
    let listening = |what: &'static str| move |address| tracing::info!(%address, "listening for {what}");
    tracing::info!(public_url = %instance.public_url, bridge_url = %instance.bridge_url, store = describe, "Gatepass starts");

    // Logins need not wait for the check; but what it finds ends the program before more is written.
    let check = async move {
        match check.check().await {
            Err(damaged @ StoreError::Corrupt(_)) => return damaged,
            Err(error) => tracing::warn!(%error, "whether the store is whole is not known"),
            Ok(()) => {}
        }
        std::future::pending().await
    };
    let serving = async {
        if let Some(address) = config.bridge_listen {
            let for_panels = server::serve(
                config.listen,
                ambient.clone(),
                Arc::clone(&store),
                &bounds,
                broker_routes,
                listening("panels"),
            );
            let for_sites = server::serve(
                address,
                ambient.clone(),
                Arc::clone(&store),
                &bounds,
                bridge_routes,
                listening("sites"),
            );
            tokio::try_join!(for_panels, for_sites).map(|_| ())
        } else {
            let routes = move |app: &mut web::ServiceConfig| {
                app.configure(broker_routes.clone()).configure(bridge_routes.clone());
            };
            let listening = listening("panels and sites");
            server::serve(config.listen, ambient.clone(), Arc::clone(&store), &bounds, routes, listening)
                .await
        }
    };
    let for_operators = async {
        match exporter {
            Some((address, exporter)) => {
                let (store, ambient) = (Arc::clone(&store), ambient.clone());
                let listening = listening("Prometheus");
                server::serve(address, ambient, store, &Bounds::aside(), exporter.routes(), listening).await
            }
            None => Ok(()),
        }
    };
    let served = tokio::select! {
        served = async { tokio::try_join!(serving, for_operators).map(|_| ()) } => served,
        damaged = check => return Err(damaged.into()),
    };
    watching.abort();
    housekeeping.abort();
    trails.abort();
    waiting.abort();
    drop(stop_delivery);
    let _ = delivery.await;
    bridge.flush_tally().await;
    store.close().await;
    served?;
    tracing::info!("Gatepass stopped");
    Ok(())
}

/// Counts from now on, for whoever asks at `address`.
fn exporter(
    address: SocketAddr,
    bounds: &Bounds,
    keyring: &Keyring,
) -> Result<(SocketAddr, Exporter), Failure> {
    let exporter = Exporter::install(bounds.clone())
        .map_err(|error| Failure::Failed(format!("cannot count for --metrics-listen: {error}")))?;
    exporter.about_keys(keyring.key_set().iter().count(), keyring.active_written_at().map(Timestamp::from));
    Ok((address, exporter))
}

/// Raises how many files this process may have open to what the connections need: two each, and some for the rest.
fn open_files(max_connections: usize) {
    let needed = u64::try_from(2 * max_connections + 512).unwrap_or(u64::MAX);
    match rlimit::increase_nofile_limit(needed) {
        Ok(limit) if limit < needed => tracing::warn!(
            limit,
            needed,
            "too few open files for --max-connections: raise the limit (ulimit -n, LimitNOFILE), or lower the setting"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "cannot tell how many files may be open"),
    }
}

/// Where sites may be called. A Gatepass that only its own machine reaches serves sites there.
fn destinations(config: &Config, instance: &Instance) -> Destinations {
    let destinations = Destinations::new(config.allow_private_networks.clone());
    if is_loopback(&instance.bridge_url) { destinations.and_loopback() } else { destinations }
}

async fn keep_house(store: Arc<dyn Store>, bridge: web::Data<BridgeState>, ambient: Ambient) {
    loop {
        rt::time::sleep(HOUSEKEEPING).await;
        bridge.flush_tally().await;
        match store.sweep(ambient.now()).await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "swept old handoffs"),
            Err(error) => tracing::warn!(%error, "old handoffs are not swept"),
        }
    }
}

async fn keep_trails(store: Arc<dyn Store>, retention: Retention, ambient: Ambient) {
    loop {
        match trail::sweep(&*store, retention, ambient.now()).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "swept old events of the audit trail"),
            Err(error) => tracing::warn!(%error, "old events of the audit trail are not swept"),
        }
        rt::time::sleep(TRAIL_SWEEP).await;
    }
}
