//! What the service has: made once, shared by all workers.

use std::sync::Arc;

use gatepass_core::Store;
use gatepass_core::client::Client;
use gatepass_http::Ambient;
use gatepass_http::cache::{ShortMemory, SiteMemory};
use gatepass_http::destinations::Destinations;
use gatepass_keys::Keyring;
use url::Url;

use crate::asking::Asker;
use crate::delivery::Delivery;
use crate::places::Places;
use crate::waits::Waits;

/// The state of the broker.
#[derive(Debug)]
pub struct BrokerState {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ambient: Ambient,
    pub(crate) keyring: Keyring,
    pub(crate) issuer: String,
    pub(crate) bridge_url: Url,
    pub(crate) clients: ShortMemory<String, Client>,
    pub(crate) sites: SiteMemory,
    pub(crate) destinations: Arc<Destinations>,
    pub(crate) asker: Asker,
    pub(crate) delivery: Delivery,
    pub(crate) waits: Waits,
    /// For imports and exports.
    pub(crate) bulk: Arc<Places>,
}

impl BrokerState {
    /// From its parts. `issuer` is the public URL that tokens carry, `bridge_url` where sites call, and
    /// `destinations` the addresses at which sites may be called.
    ///
    /// # Errors
    /// When the machine's certificates cannot be read, which calling panels over HTTPS needs.
    pub fn new(
        store: Arc<dyn Store>,
        ambient: Ambient,
        keyring: Keyring,
        issuer: String,
        bridge_url: Url,
        sites: SiteMemory,
        destinations: Arc<Destinations>,
    ) -> Result<Self, reqwest::Error> {
        let asker = Asker::new(Arc::clone(&destinations))?;
        let (clients, delivery, waits) = (ShortMemory::new(10_000), Delivery::default(), Waits::default());
        let bulk = Places::new(8, 2);
        Ok(Self {
            store,
            ambient,
            keyring,
            issuer,
            bridge_url,
            clients,
            sites,
            destinations,
            asker,
            delivery,
            waits,
            bulk,
        })
    }
    /// Ends what requests wait for, because the server stops.
    pub fn end_waits(&self) {
        self.waits.end();
    }
}
