//! `/.well-known/jwks.json`: the keys that handoff tokens verify with (RFC 7517 section 5).

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};

use crate::BrokerState;

pub(super) async fn jwks(state: web::Data<BrokerState>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .json(state.keyring.key_set().to_jwks())
}
