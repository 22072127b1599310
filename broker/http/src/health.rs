//! `/healthz`: the process lives. `/readyz`: it can do its work. Anybody may ask, as often as they like: the store is
//! asked once a second, and what else there is to be looked at is known already.

use std::sync::Arc;

use actix_web::{HttpResponse, Route, web};
use gatepass_core::{Store, Timestamp};
use serde_json::json;
use tokio::sync::Mutex;

use crate::cache::LIFETIME;
use crate::{Ambient, Code, Problem};

/// What besides the store has to be well, told at once.
type Condition = Box<dyn Fn() -> Result<(), Problem> + Send + Sync>;

/// Whether the store answers, as it was at most a second ago, and all else is well.
pub struct Readiness {
    store: Arc<dyn Store>,
    last: Mutex<Option<(Timestamp, bool)>>,
    conditions: Vec<Condition>,
}

impl Readiness {
    /// Up to the store alone.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, last: Mutex::new(None), conditions: Vec::new() }
    }

    /// And up to this.
    #[must_use]
    pub fn and(mut self, condition: impl Fn() -> Result<(), Problem> + Send + Sync + 'static) -> Self {
        self.conditions.push(Box::new(condition));
        self
    }

    async fn check(&self, ambient: &Ambient) -> Result<(), Problem> {
        self.check_store(ambient).await?;
        self.conditions.iter().try_for_each(|condition| condition())
    }

    /// Who comes while the store is being asked waits for its answer.
    async fn check_store(&self, ambient: &Ambient) -> Result<(), Problem> {
        let mut last = self.last.lock().await;
        match *last {
            Some((at, ready)) if is_fresh(at, ambient.now()) => {
                if ready {
                    Ok(())
                } else {
                    Err(Problem::new(Code::StoreUnavailable))
                }
            }
            _ => {
                let answer = self.store.ping().await;
                *last = Some((ambient.now(), answer.is_ok()));
                Ok(answer?)
            }
        }
    }
}

impl std::fmt::Debug for Readiness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Readiness")
    }
}

/// Of a time ahead nothing is known: the clock was put back.
fn is_fresh(at: Timestamp, now: Timestamp) -> bool {
    u128::try_from(now.millis() - at.millis()).is_ok_and(|age| age < LIFETIME.as_millis())
}

/// Both paths.
pub(crate) const PATHS: [&str; 2] = ["/healthz", "/readyz"];

/// Both routes.
pub fn routes(config: &mut web::ServiceConfig) {
    for path in PATHS {
        let route = |method: Route| if path == "/healthz" { method.to(healthz) } else { method.to(readyz) };
        config.service(web::resource(path).route(route(web::get())).route(route(web::head())));
    }
}

async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

async fn readyz(
    readiness: web::Data<Readiness>,
    ambient: web::Data<Ambient>,
) -> Result<HttpResponse, Problem> {
    readiness.check(&ambient).await?;
    Ok(HttpResponse::Ok().json(json!({ "status": "ok" })))
}
