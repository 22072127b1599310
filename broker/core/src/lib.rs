//! What Gatepass is about, without a wire: sites, members, handoffs, API keys, events, the clock, the use cases
//! and the stores that keep them.
//!
//! Read [`handoff`] and [`store`] first: the first says what can become of a token, the second who decides it.
//! The use cases [`issue`] and [`redeem`] are plain functions over a store, a time and keys; HTTP lives elsewhere.

pub mod cause;
pub mod change;
pub mod client;
pub mod clock;
pub mod event;
pub mod handoff;
pub mod heartbeat;
pub mod id;
pub mod issue;
pub mod keyring;
pub mod limit;
pub mod member;
pub mod membership;
pub mod pairing;
pub mod redeem;
pub mod reference;
pub mod roster;
pub mod secret;
pub mod site;
pub mod site_key;
pub mod store;
pub mod trail;
pub mod validate;

pub use clock::{Clock, Rng, Timestamp};
pub use id::{Attempt, ClientId, HandoffId, RequestId, SiteId, Subject, Tenant};
pub use store::{Store, StoreError};
