//! What the service has: made once, shared by all workers.

use std::sync::Arc;

use gatepass_core::Store;
use gatepass_core::client::Client;
use gatepass_core::site::LIFETIME_SECS;
use gatepass_http::Ambient;
use gatepass_http::cache::{ShortMemory, SiteMemory};
use gatepass_http::destinations::Destinations;
use url::Url;

use crate::asking::Asker;
use crate::delivery::Delivery;
use crate::keyring::SharedKeyring;
use crate::places::Places;
use crate::uses::Uses;
use crate::waits::Waits;

/// The state of the broker.
#[derive(Debug)]
pub struct BrokerState {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ambient: Ambient,
    pub(crate) keyring: Arc<SharedKeyring>,
    pub(crate) issuer: String,
    pub(crate) bridge_url: Url,
    /// In seconds.
    pub(crate) jwks_max_age: u32,
    /// The longest life of a token, in seconds; a site's policy counts up to it.
    pub(crate) max_token_lifetime: u32,
    pub(crate) clients: ShortMemory<String, Client>,
    pub(crate) uses: Uses,
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
    /// `destinations` the addresses at which sites may be called. Tokens live for up to 300 seconds, and caches may keep
    /// the key set for as long.
    ///
    /// # Errors
    /// When the machine's certificates cannot be read, which calling panels over HTTPS needs.
    pub fn new(
        store: Arc<dyn Store>,
        ambient: Ambient,
        keyring: Arc<SharedKeyring>,
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
            jwks_max_age: 300,
            max_token_lifetime: *LIFETIME_SECS.end(),
            clients,
            uses: Uses::default(),
            sites,
            destinations,
            asker,
            delivery,
            waits,
            bulk,
        })
    }

    /// The same with other times, in seconds: for how long caches may keep the key set, and the longest life of a token.
    #[must_use]
    pub fn with_times(self, jwks_max_age: u32, max_token_lifetime: u32) -> Self {
        Self { jwks_max_age, max_token_lifetime, ..self }
    }

    /// Ends what requests wait for, because the server stops.
    pub fn end_waits(&self) {
        self.waits.end();
    }
}
