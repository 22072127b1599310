//! What the service has: made once, shared by all workers.

use std::sync::Arc;

use gatepass_core::client::Client;
use gatepass_core::site::Site;
use gatepass_core::{SiteId, Store};
use gatepass_http::Ambient;
use gatepass_http::cache::ShortMemory;
use gatepass_keys::Keyring;
use url::Url;

/// The state of the broker.
#[derive(Debug)]
pub struct BrokerState {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ambient: Ambient,
    pub(crate) keyring: Keyring,
    pub(crate) issuer: String,
    pub(crate) bridge_url: Url,
    pub(crate) clients: ShortMemory<String, Client>,
    pub(crate) sites: ShortMemory<SiteId, Arc<Site>>,
}

impl BrokerState {
    /// From its parts. `issuer` is the public URL that tokens carry, `bridge_url` where sites call.
    pub fn new(
        store: Arc<dyn Store>,
        ambient: Ambient,
        keyring: Keyring,
        issuer: String,
        bridge_url: Url,
    ) -> Self {
        let (clients, sites) = (ShortMemory::new(10_000), ShortMemory::new(10_000));
        Self { store, ambient, keyring, issuer, bridge_url, clients, sites }
    }
}
