//! The WordPress-facing service: pairing, redemption, and what WordPress made of it. It holds public keys only.
//!
//! The files mirror the broker's: `extract/` proves which site asks, `routes/` translate, and the rules are in
//! `gatepass-core`.

pub mod challenge;
pub mod error;
pub mod extract;
pub mod keys;
pub mod routes;
pub mod state;
pub mod tally;

pub use routes::routes;
pub use state::BridgeState;
