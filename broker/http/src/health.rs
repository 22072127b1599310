//! `/healthz`: the process lives. `/readyz`: it can do its work.

use std::sync::Arc;

use actix_web::{HttpResponse, Route, web};
use gatepass_core::Store;
use serde_json::json;

use crate::Problem;

/// Both routes.
pub fn routes(config: &mut web::ServiceConfig) {
    for path in ["/healthz", "/readyz"] {
        let route = |method: Route| if path == "/healthz" { method.to(healthz) } else { method.to(readyz) };
        config.service(web::resource(path).route(route(web::get())).route(route(web::head())));
    }
}

async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

async fn readyz(store: web::Data<Arc<dyn Store>>) -> Result<HttpResponse, Problem> {
    store.ping().await?;
    Ok(HttpResponse::Ok().json(json!({ "status": "ok" })))
}
