//! Delivery: sites hear at once that something changed, and pull it.
//!
//! A change is in the store before anything here knows of it, and a site that was not told catches up from its cursor:
//! so nothing here need be kept, and losing it all (a crash) costs a few seconds. What a route changes is told to
//! [`Delivery::changed`]; what the command line, another process or this one before a restart has changed is found by
//! looking at the store every [`LOOK`].

mod backoff;
mod plan;
mod poke;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::rt::time::{sleep, timeout};
use gatepass_core::clock::random_bytes;
use gatepass_core::{SiteId, StoreError, Timestamp, change};
use gatepass_http::metrics;
use gatepass_http::outbound::Outbound;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::BrokerState;
use plan::Plan;
use poke::Poked;

/// How often the store is asked which sites are behind.
const LOOK: Duration = Duration::from_secs(10);

/// How long a stop waits for pokes in flight.
const PARTING: Duration = Duration::from_secs(2);

/// Takes the word that something changed on a site.
#[derive(Debug, Default)]
pub struct Delivery {
    plan: Mutex<Plan>,
    told: Notify,
}

impl Delivery {
    /// Something changed on a site, and is in the store: the site is poked at once.
    pub fn changed(&self, site: SiteId, now: Timestamp) {
        self.with(|plan| plan.changed(site, now));
        self.told.notify_one();
    }

    fn with<T>(&self, change: impl FnOnce(&mut Plan) -> T) -> T {
        change(&mut self.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Pokes.
#[derive(Debug)]
pub struct Deliverer {
    state: actix_web::web::Data<BrokerState>,
    outbound: Outbound,
}

impl Deliverer {
    /// For what changes in `state`.
    ///
    /// # Errors
    /// When the machine's certificates cannot be read, which calls over HTTPS need.
    pub fn new(state: actix_web::web::Data<BrokerState>) -> Result<Self, reqwest::Error> {
        let outbound = Outbound::new(Arc::clone(&state.destinations))?;
        Ok(Self { state, outbound })
    }

    /// Pokes until `stop` comes, and then finishes what is in flight.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let this = Arc::new(self);
        let delivery = &this.state.delivery;
        let mut in_flight = JoinSet::new();
        let mut look = actix_web::rt::spawn(Arc::clone(&this).look());
        let mut stop = std::pin::pin!(stop);
        loop {
            let now = this.state.ambient.now();
            for site in delivery.with(|plan| plan.begin(now)) {
                in_flight.spawn_local(Arc::clone(&this).deliver(site));
            }
            let next = delivery.with(|plan| plan.next());
            let due = async {
                match next {
                    // What is due by a clock that has been set back is due at once; a short sleep keeps this from spinning.
                    Some(at) => sleep(now.age_at(at).clamp(Duration::from_millis(1), LOOK)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = &mut stop => break,
                () = delivery.told.notified() => {}
                () = due => {}
                Some(_) = in_flight.join_next() => {}
            }
        }
        look.abort();
        // What is not told now, is at the next start.
        let _ = timeout(PARTING, in_flight.join_all()).await;
        let _ = (&mut look).await;
    }

    /// Looks at the store now and again.
    async fn look(self: Arc<Self>) {
        let mut is_first = true;
        loop {
            match self.look_once(is_first).await {
                Ok(()) => is_first = false,
                // Whoever watches the store tells of its loss.
                Err(error) => tracing::debug!(%error, "which sites are behind is not known"),
            }
            sleep(LOOK).await;
        }
    }

    /// At first everything is due: what kept this process from reaching sites may be what it was restarted for.
    async fn look_once(&self, is_first: bool) -> Result<(), StoreError> {
        let (delivery, looked) = (&self.state.delivery, self.state.ambient.now());
        let behind = self.state.store.behind(plan::MAX_SITES).await?;
        let mut failing_since = None::<Timestamp>;
        for site in &behind {
            let known = if delivery.with(|plan| plan.knows(*site)) {
                change::Delivery::default()
            } else {
                self.state.store.progress(*site).await?.unwrap_or_default().delivery
            };
            failing_since = failing_since.into_iter().chain(known.failing_since).min();
            let now = self.state.ambient.now();
            delivery.with(|plan| plan.found_behind(*site, &known, !is_first, now));
        }
        let behind: HashSet<SiteId> = behind.into_iter().collect();
        let failing_since = delivery.with(|plan| {
            plan.forget_others(&behind, looked);
            failing_since.into_iter().chain(plan.failing_since()).min()
        });
        let now = self.state.ambient.now();
        metrics::delivery(behind.len(), failing_since.map(|since| since.age_at(now)).unwrap_or_default());
        delivery.told.notify_one();
        Ok(())
    }

    /// Pokes one site, and keeps what is news of it.
    async fn deliver(self: Arc<Self>, site: SiteId) {
        let (state, delivery) = (&self.state, &self.state.delivery);
        let poked = match self.poke(site).await {
            Ok(Some(poked)) => poked,
            Ok(None) => {
                delivery.with(|plan| plan.gone(site, state.ambient.now()));
                return;
            }
            Err(error) => {
                // Nothing is known of the site. It is tried again like one that failed, and nothing is kept of it.
                tracing::debug!(%site, %error, "a site was not poked");
                delivery.with(|plan| plan.failed(site, self.random(), state.ambient.now()));
                return;
            }
        };
        metrics::poked(poked.word());
        let now = state.ambient.now();
        let kept = match &poked {
            Poked::Reached(_) => {
                delivery.with(|plan| plan.reached(site, now));
                self.clear(site).await
            }
            Poked::Failed(why) => {
                tracing::debug!(%site, %why, "a poke came to nothing");
                let next = delivery.with(|plan| plan.failed(site, self.random(), now));
                let Some((since, next_try_at)) = next else { return };
                self.keep(site, since, why.described(), next_try_at).await
            }
        };
        if let Err(error) = kept {
            tracing::debug!(%site, %error, "how delivery to a site stands is not kept");
        }
    }

    /// `None` when there is no such site, or it is not paired.
    async fn poke(&self, site: SiteId) -> Result<Option<Poked>, Box<dyn std::error::Error>> {
        let BrokerState { store, ambient, keyring, issuer, .. } = &**self.state;
        let Some(site) = store.site(site).await? else { return Ok(None) };
        let signing = keyring.signing().await?;
        let request = poke::request(&site, signing.keyring.active(), issuer, ambient.rng(), ambient.now())?;
        let Some(request) = request else { return Ok(None) };
        Ok(Some(poke::send(&self.outbound, request).await))
    }

    /// A site was reached: forgets that it was not, if that was so.
    async fn clear(&self, site: SiteId) -> Result<(), StoreError> {
        let store = &self.state.store;
        let Some(progress) = store.progress(site).await? else { return Ok(()) };
        let change::Delivery { pulled_at, failing_since, error, next_try_at } = progress.delivery;
        if failing_since.is_none() && error.is_none() && next_try_at.is_none() {
            return Ok(());
        }
        tracing::info!(%site, "pokes reach the site again");
        store.note_delivery(site, &change::Delivery { pulled_at, ..change::Delivery::default() }).await
    }

    async fn keep(
        &self,
        site: SiteId,
        since: Timestamp,
        error: String,
        next_try_at: Timestamp,
    ) -> Result<(), StoreError> {
        let store = &self.state.store;
        let Some(progress) = store.progress(site).await? else { return Ok(()) };
        if progress.delivery.failing_since.is_none() {
            tracing::warn!(%site, %error, "no poke reaches the site; it is tried again, and the site asks by itself");
        }
        let delivery = change::Delivery {
            pulled_at: progress.delivery.pulled_at,
            // Another process may have seen it before.
            failing_since: progress.delivery.failing_since.or(Some(since)),
            error: Some(error),
            next_try_at: Some(next_try_at),
        };
        store.note_delivery(site, &delivery).await
    }

    /// For the wait alone, so that none is as good as any.
    fn random(&self) -> u64 {
        random_bytes(self.state.ambient.rng()).map(u64::from_ne_bytes).unwrap_or_default()
    }
}
