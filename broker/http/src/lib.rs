//! What both services share on the wire: problems, request ids, strict bodies, health, and a server that stops
//! gracefully. A route of either service reads like the use case that it translates.

pub mod ambient;
pub mod answer;
mod bearer;
pub mod body;
mod bucket;
pub mod cache;
pub mod client_address;
pub mod code;
pub mod connections;
pub mod destinations;
pub mod health;
pub mod load;
pub mod measured;
pub mod metrics;
pub mod outbound;
pub mod problem;
pub mod regulars;
pub mod request_id;
mod seldom;
pub mod server;
pub mod strangers;
mod strict;
pub mod watch;

pub use ambient::Ambient;
pub use bearer::bearer;
pub use body::{Json, Stream, Then};
pub use client_address::{ClientAddress, TrustedProxies};
pub use code::{Code, Page};
pub use problem::Problem;
pub use request_id::RequestIdOf;
