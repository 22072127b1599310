//! The panel API, `/v1`.

mod events;
mod field;
mod handoffs;
mod key_set;
mod members;
mod sites;

use actix_web::web;

/// Every route of the broker.
pub fn routes(config: &mut web::ServiceConfig) {
    use web::{delete, get, patch, post, put};
    // One resource a path, so that another method is answered 405 and not 404.
    let at = web::resource::<&str>;
    config
        .service(at("/.well-known/jwks.json").route(get().to(key_set::jwks)))
        .service(at("/v1/sites").route(get().to(sites::list)).route(post().to(sites::create)))
        .service(
            at("/v1/sites/{site}")
                .route(get().to(sites::read))
                .route(patch().to(sites::update))
                .route(delete().to(sites::remove)),
        )
        .service(at("/v1/sites/{site}/pairing-code").route(post().to(sites::pairing_code)))
        .service(at("/v1/sites/{site}/events").route(get().to(events::read)))
        .service(at("/v1/sites/{site}/handoffs").route(post().to(handoffs::create)))
        .service(at("/v1/sites/{site}/handoffs/{id}").route(get().to(handoffs::read)))
        .service(at("/v1/sites/{site}/handoffs/{id}/revoke").route(post().to(handoffs::revoke)))
        .service(at("/v1/sites/{site}/members").route(get().to(members::list)))
        .service(at("/v1/sites/{site}/members:import").route(post().to(members::import)))
        .service(at("/v1/sites/{site}/members:export").route(get().to(members::export)))
        .service(
            at("/v1/sites/{site}/members/{subject}")
                .route(get().to(members::get))
                .route(put().to(members::put))
                .route(delete().to(members::remove)),
        )
        .service(
            at("/v1/sites/{site}/members/{subject}/membership").route(patch().to(members::change_membership)),
        )
        .service(at("/v1/sites/{site}/members/{subject}/sync").route(post().to(members::try_again)))
        .service(
            at("/v1/sites/{site}/members/{subject}/sessions")
                .route(get().to(members::sessions))
                .route(delete().to(members::end_sessions)),
        );
}
