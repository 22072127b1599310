//! Who asks, and for which site: proven before a handler runs.

mod client;
mod site;

pub use client::Authenticated;
pub use site::OwnSite;
