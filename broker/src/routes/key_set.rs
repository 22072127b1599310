//! `/.well-known/jwks.json`: the keys that handoff tokens verify with (RFC 7517 section 5), their version, and the signed
//! key sets by which sites follow.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, EntityTag, Header as _, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::BrokerState;

pub(super) async fn jwks(state: web::Data<BrokerState>, request: HttpRequest) -> HttpResponse {
    let now = state.keyring.now();
    let tag = EntityTag::new_strong(now.tag.clone());
    let is_known = match IfNoneMatch::parse(&request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(&tag)),
        Err(_) => false,
    };
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((CACHE_CONTROL, format!("public, max-age={}", state.jwks_max_age)))
        .insert_header((ETAG, tag.to_string()));
    if is_known {
        return response.finish();
    }
    response.insert_header((CONTENT_TYPE, "application/json")).body(now.json.clone())
}
