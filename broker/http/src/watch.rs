//! Looks at the store every few seconds, so that the log and the metrics tell of its loss once, and of its return,
//! however few or many ask it meanwhile.

use std::sync::Arc;
use std::time::Duration;

use gatepass_core::Store;
use gatepass_core::store::Status;
use metrics::{counter, gauge};

use crate::Ambient;
use crate::metrics::{
    STORE_CLOCK_OFFSET, STORE_PRIMARY_CHANGES, STORE_REPLICAS, STORE_SIZE, STORE_UP, keep_up, seconds,
};

/// How often.
const INTERVAL: Duration = Duration::from_secs(5);
/// How often it is written to, in such intervals: a full disk, or a primary without its replicas, still answers.
const WRITES: u64 = 6;

/// Watches until it is dropped.
pub async fn watch(store: Arc<dyn Store>, ambient: Ambient) {
    let mut seen = Seen { is_up: true, primary: None };
    let mut written = Ok(());
    for round in 0_u64.. {
        // Every time while it does not take writes, so that its return is not told late.
        if round % WRITES == 0 || written.is_err() {
            written = store.try_writing().await;
        }
        let status = store.status().await;
        let status = written
            .as_ref()
            .map_or_else(|error| Err(error.to_string()), |()| status.map_err(|e| e.to_string()));
        seen.note(status, &ambient);
        keep_up();
        actix_web::rt::time::sleep(INTERVAL).await;
    }
}

/// How the store was a moment ago.
struct Seen {
    is_up: bool,
    primary: Option<String>,
}

impl Seen {
    fn note(&mut self, status: Result<Status, String>, ambient: &Ambient) {
        gauge!(STORE_UP).set(i32::from(status.is_ok()));
        match &status {
            Ok(_) if !self.is_up => tracing::info!("the store answers again"),
            Err(error) if self.is_up => {
                tracing::error!(%error, "the store is lost: nobody can log in until it is back");
            }
            _ => {}
        }
        self.is_up = status.is_ok();
        let Ok(Status { bytes, replicas, primary, time, .. }) = status else { return };
        if primary.is_some() && self.primary != primary {
            if self.primary.is_some() {
                tracing::warn!(
                    "another primary of Redis, or the same after a restart: tokens on their way are void"
                );
                counter!(STORE_PRIMARY_CHANGES).increment(1);
            }
            self.primary = primary;
        }
        if let Some(bytes) = bytes {
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            gauge!(STORE_SIZE).set(bytes as f64);
        }
        if let Some(replicas) = replicas {
            gauge!(STORE_REPLICAS).set(replicas);
        }
        if let Some(time) = time {
            gauge!(STORE_CLOCK_OFFSET).set(seconds(time.millis() - ambient.now().millis()));
        }
    }
}
