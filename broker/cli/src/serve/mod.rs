//! `gatepass serve`: both services in one process; `gatepass broker` and `gatepass bridge`: one each.

mod chores;
mod keys;
mod role;

use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{rt, web};
use gatepass_broker::BrokerState;
use gatepass_broker::delivery::Deliverer;
use gatepass_broker::keyring::SharedKeyring;
use gatepass_core::site::is_loopback;
use gatepass_core::{Store, StoreError};
use gatepass_http::cache::SiteMemory;
use gatepass_http::connections::Connections;
use gatepass_http::destinations::Destinations;
use gatepass_http::health::Readiness;
use gatepass_http::load::Load;
use gatepass_http::measured::Measured;
use gatepass_http::metrics::Exporter;
use gatepass_http::server::{self, Bounds};
use gatepass_http::watch::watch;
use gatepass_http::{Ambient, TrustedProxies};
use gatepass_wp_bridge::BridgeState;
use tokio::sync::oneshot;

use crate::config::Config;
use crate::error::Failure;
use crate::instance::Instance;
use crate::{logging, open};
use chores::Chores;
pub(crate) use role::Role;
use role::{Door, Services};

pub(crate) async fn serve(config: &Config, role: Role) -> Result<(), Failure> {
    role.check(config)?;
    let instance = Instance::configured(config)?;
    logging::start(config)?;
    let keyring = if role.is_broker() { Some(open::keyring(config)?) } else { None };
    let mut store = open::store(config, config.retention).await?;
    if config.metrics_listen.is_some() {
        store = Arc::new(Measured::new(store));
    }
    if role.is_broker() {
        instance.save(&config.data_dir)?;
    }

    let bounds = Bounds {
        proxies: TrustedProxies::new(config.trusted_proxies.clone()),
        connections: Connections::new(config.max_connections, config.keep_alive),
        load: Load::new(config.max_requests),
        workers: std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
    };
    let exporter = config.metrics_listen.map(|address| exporter(address, &bounds)).transpose()?;

    let (ambient, sites) = (Ambient::system(), SiteMemory::new(Arc::clone(&store)));
    let destinations = Arc::new(destinations(config, &instance));
    let no_calls = |error| Failure::Failed(format!("cannot make HTTPS calls: {error}"));
    let mut chores = Chores::default();
    chores.begin(watch(Arc::clone(&store), ambient.clone()));
    let mut readiness = Readiness::new(Arc::clone(&store));
    let keyring = keyring.map(|keyring| {
        let (folder, policy) = (open::keyring_folder(config), config.keys.policy());
        Arc::new(SharedKeyring::new(keyring, folder, Arc::clone(&store), ambient.clone(), policy))
    });
    if let Some(keyring) = &keyring {
        keyring.confirm().await;
        let (tended, asked) = (Arc::clone(keyring), Arc::clone(keyring));
        chores.begin(async move { tended.tend().await });
        readiness = readiness.and(move || Ok(asked.check()?));
    }

    let bridge = if role.is_bridge() {
        let keys = keys::source(config, &instance, keyring.as_ref())?;
        let known = Arc::clone(&keys);
        readiness = readiness.and(move || keys::are_known(&*known));
        let bridge = BridgeState::new(
            Arc::clone(&store),
            ambient.clone(),
            keys,
            instance.issuer(),
            &instance.bridge_url,
            sites.clone(),
            Arc::clone(&destinations),
        );
        let bridge = web::Data::new(bridge.map_err(no_calls)?);
        chores.begin(chores::flush_tally(bridge.clone()));
        if !role.is_broker() {
            let every = Duration::from_secs(config.keys.jwks_refresh.into());
            chores.begin(chores::refresh_keys(bridge.clone(), every));
        }
        Some(bridge)
    } else {
        None
    };
    let broker = if let Some(keyring) = keyring {
        let broker = BrokerState::new(
            Arc::clone(&store),
            ambient.clone(),
            keyring,
            instance.issuer(),
            instance.bridge_url.clone(),
            sites,
            destinations,
        );
        let broker = broker.map_err(no_calls)?;
        let broker =
            web::Data::new(broker.with_times(config.keys.jwks_max_age, config.keys.max_token_lifetime));
        chores.begin(chores::sweep_handoffs(Arc::clone(&store), ambient.clone()));
        chores.begin(chores::sweep_trails(Arc::clone(&store), config.retention, ambient.clone()));
        let waits = broker.clone();
        chores.begin(async move {
            server::stop_signal().await;
            waits.end_waits();
        });
        Some(broker)
    } else {
        None
    };
    let (stop_delivery, stop) = oneshot::channel::<()>();
    let delivery = match &broker {
        Some(broker) => {
            let deliverer = Deliverer::new(broker.clone()).map_err(no_calls)?;
            Some(rt::spawn(deliverer.run(async { drop(stop.await) })))
        }
        None => None,
    };
    open_files(config.max_connections);
    tracing::info!(public_url = %instance.public_url, bridge_url = %instance.bridge_url, store = store.describe(), "Gatepass starts");

    let readiness = Arc::new(readiness);
    let serve = |Door { address, services, whom }: Door| {
        server::serve(
            address,
            ambient.clone(),
            Arc::clone(&readiness),
            &bounds,
            move |app| services.configure(app),
            move |address| tracing::info!(%address, "listening for {whom}"),
        )
    };
    let (door, second) = Services { broker, bridge: bridge.clone() }.doors(config);
    let serving = async {
        match second {
            Some(second) => tokio::try_join!(serve(door), serve(second)).map(|_| ()),
            None => serve(door).await,
        }
    };
    let for_operators = async {
        match exporter {
            Some((address, exporter)) => {
                let (readiness, ambient) = (Arc::clone(&readiness), ambient.clone());
                let listening = |address| tracing::info!(%address, "listening for Prometheus");
                server::serve(address, ambient, readiness, &Bounds::aside(), exporter.routes(), listening)
                    .await
            }
            None => Ok(()),
        }
    };
    let served = tokio::select! {
        served = async { tokio::try_join!(serving, for_operators).map(|_| ()) } => served,
        damaged = damage(&*store) => return Err(damaged.into()),
    };
    drop(chores);
    drop(stop_delivery);
    if let Some(delivery) = delivery {
        let _ = delivery.await;
    }
    if let Some(bridge) = bridge {
        bridge.flush_tally().await;
    }
    store.close().await;
    served?;
    tracing::info!("Gatepass stopped");
    Ok(())
}

/// What is damaged in the store, if anything is. Logins need not wait for this check; but what it finds ends the
/// program before more is written.
async fn damage(store: &dyn Store) -> StoreError {
    match store.check().await {
        Err(damaged @ StoreError::Corrupt(_)) => return damaged,
        Err(error) => tracing::warn!(%error, "whether the store is whole is not known"),
        Ok(()) => {}
    }
    std::future::pending().await
}

/// Counts from now on, for whoever asks at `address`.
fn exporter(address: SocketAddr, bounds: &Bounds) -> Result<(SocketAddr, Exporter), Failure> {
    let exporter = Exporter::install(bounds.clone())
        .map_err(|error| Failure::Failed(format!("cannot count for --metrics-listen: {error}")))?;
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
