//! The panel API, `/v1`.

mod handoffs;
mod key_set;
mod members;
mod sites;

use actix_web::web;

/// Every route of the broker.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(key_set::jwks)
        .service(handoffs::create)
        .service(handoffs::read)
        .service(handoffs::revoke)
        .service(members::put)
        .service(members::get)
        .service(sites::create)
        .service(sites::list)
        .service(sites::read)
        .service(sites::update)
        .service(sites::remove)
        .service(sites::pairing_code)
        .service(sites::events);
}
