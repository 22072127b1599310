//! What is to be done now and again, beside serving.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{rt, web};
use gatepass_core::Store;
use gatepass_core::trail::{self, Retention};
use gatepass_http::Ambient;
use gatepass_wp_bridge::BridgeState;

/// How often old records are swept and counted refusals written.
const HOUSEKEEPING: Duration = Duration::from_secs(60);
/// How often the old ends of trails are swept: it reads a little of each.
const TRAIL_SWEEP: Duration = Duration::from_secs(600);
/// How soon keys are fetched again that could not be, at the latest.
const SECOND_TRY: Duration = Duration::from_secs(5);

/// Chores in the background, which end with this.
#[derive(Default)]
pub(super) struct Chores(Vec<rt::task::JoinHandle<()>>);

impl Chores {
    pub(super) fn begin(&mut self, chore: impl Future<Output = ()> + 'static) {
        self.0.push(rt::spawn(chore));
    }
}

impl Drop for Chores {
    fn drop(&mut self) {
        self.0.iter().for_each(rt::task::JoinHandle::abort);
    }
}

/// Writes the refusals that were only counted.
pub(super) async fn flush_tally(bridge: web::Data<BridgeState>) {
    loop {
        rt::time::sleep(HOUSEKEEPING).await;
        bridge.flush_tally().await;
    }
}

/// Fetches the issuer's keys.
pub(super) async fn refresh_keys(bridge: web::Data<BridgeState>, every: Duration) {
    loop {
        let told = bridge.keys().refresh().await;
        rt::time::sleep(if told.is_ok() { every } else { every.min(SECOND_TRY) }).await;
    }
}

/// Removes old handoffs.
pub(super) async fn sweep_handoffs(store: Arc<dyn Store>, ambient: Ambient) {
    loop {
        rt::time::sleep(HOUSEKEEPING).await;
        match store.sweep(ambient.now()).await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "swept old handoffs"),
            Err(error) => tracing::warn!(%error, "old handoffs are not swept"),
        }
    }
}

/// Removes old events.
pub(super) async fn sweep_trails(store: Arc<dyn Store>, retention: Retention, ambient: Ambient) {
    loop {
        match trail::sweep(&*store, retention, ambient.now()).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "swept old events of the audit trail"),
            Err(error) => tracing::warn!(%error, "old events of the audit trail are not swept"),
        }
        rt::time::sleep(TRAIL_SWEEP).await;
    }
}
