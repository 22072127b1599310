//! Which site asks: proven before a handler runs.

mod site;

pub use site::ProvenSite;
