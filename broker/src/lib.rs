//! The panel-facing service: API keys, sites, members, handoffs.
//!
//! `extract/` proves who asks and what for; `routes/` translate between HTTP and the use cases of `gatepass-core`
//! and hold no rule of their own. What they change, `delivery/` tells the sites.

mod asking;
pub mod delivery;
pub mod error;
pub mod extract;
pub mod import;
pub mod keyring;
mod places;
pub mod routes;
pub mod state;
mod uses;
mod waits;

pub use routes::routes;
pub use state::BrokerState;
