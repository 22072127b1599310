//! The panel-facing service: API keys, sites, members, handoffs.
//!
//! `extract/` proves who asks and what for; `routes/` translate between HTTP and the use cases of `gatepass-core`
//! and hold no rule of their own.

pub mod error;
pub mod extract;
pub mod routes;
pub mod state;

pub use routes::routes;
pub use state::BrokerState;
