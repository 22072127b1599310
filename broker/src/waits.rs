//! Waiting for WordPress: `Prefer: wait` and the sessions that a site is asked for. Who waits keeps a request's place, so
//! only so many may; whoever finds no room does not wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::rt::time::timeout;
use gatepass_core::{StoreError, Tenant};
use gatepass_http::load::Load;
use tokio::sync::watch;

use crate::places::{Place, Places};

/// How often the store is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Who waits.
#[derive(Debug)]
pub(crate) struct Waits {
    places: Arc<Places>,
    ended: watch::Sender<bool>,
}

impl Default for Waits {
    fn default() -> Self {
        Self { places: Places::new(64, 32), ended: watch::Sender::new(false) }
    }
}

/// The right to wait.
#[derive(Debug)]
pub(crate) struct Wait {
    _place: Place,
    ended: watch::Receiver<bool>,
}

impl Waits {
    /// The right to wait, if there is room: a quarter of all requests at the most. `None`, too, when the server stops.
    pub(crate) fn begin(&self, tenant: &Tenant, load: &Load) -> Option<Wait> {
        let ended = self.ended.subscribe();
        if *ended.borrow() {
            return None;
        }
        Some(Wait { _place: self.places.take(tenant, load.max() / 4)?, ended })
    }

    /// Ends all waiting, now and from now on.
    pub(crate) fn end(&self) {
        self.ended.send_replace(true);
    }
}

impl Wait {
    /// Looks until there is something, for as long as `longest`.
    pub(crate) async fn until<T>(
        mut self,
        longest: Duration,
        mut look: impl AsyncFnMut() -> Result<Option<T>, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let began = Instant::now();
        loop {
            if let Some(found) = look().await? {
                return Ok(Some(found));
            }
            let left = longest.saturating_sub(began.elapsed());
            let is_over = left.is_zero()
                || *self.ended.borrow()
                || timeout(LOOK.min(left), self.ended.changed()).await.is_ok();
            if is_over {
                return look().await;
            }
        }
    }
}
