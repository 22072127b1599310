//! What the service has: made once, shared by all workers.

use std::sync::Arc;

use gatepass_core::Store;
use gatepass_http::Ambient;
use gatepass_http::cache::SiteMemory;
use gatepass_http::destinations::Destinations;
use gatepass_http::regulars::Regulars;
use gatepass_http::strangers::Strangers;
use url::Url;

use crate::challenge::Challenger;
use crate::keys::{Keys, Source};
use crate::tally::Tally;

/// The state of the bridge.
#[derive(Debug)]
pub struct BridgeState {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ambient: Ambient,
    pub(crate) keys: Keys,
    pub(crate) issuer: String,
    /// This bridge's own address, which is the audience of the sites' proofs.
    pub(crate) bridge: String,
    pub(crate) challenger: Challenger,
    pub(crate) sites: SiteMemory,
    /// Who shows a pairing code is a stranger.
    pub(crate) pairing: Strangers,
    /// How often a site may ask for changes: enough to pull a hundred thousand members as fast as any WordPress makes
    /// users of them.
    pub(crate) pulls: Regulars,
    /// How often it may say what it has applied.
    pub(crate) acks: Regulars,
    /// How often it may ask for its key to be renewed, for which it is called.
    pub(crate) renewals: Regulars,
    pub(crate) tally: Tally,
}

impl BridgeState {
    /// From its parts. `keys` is where the issuer's public keys come from, `destinations` are the addresses at which sites may be called.
    ///
    /// # Errors
    /// When the machine's certificates cannot be read, which calling sites over HTTPS needs.
    pub fn new(
        store: Arc<dyn Store>,
        ambient: Ambient,
        keys: Arc<dyn Source>,
        issuer: String,
        bridge_url: &Url,
        sites: SiteMemory,
        destinations: Arc<Destinations>,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            store,
            ambient,
            keys: Keys::new(keys),
            issuer,
            bridge: bridge_url.as_str().trim_end_matches('/').to_owned(),
            challenger: Challenger::new(destinations)?,
            sites,
            pairing: Strangers::default(),
            pulls: Regulars::new(50_000, 300),
            acks: Regulars::new(200_000, 300),
            renewals: Regulars::new(60_000_000, 10),
            tally: Tally::default(),
        })
    }

    /// The issuer's public keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Writes the refusals that were only counted into the trail. To be called every minute, and before the end.
    pub async fn flush_tally(&self) {
        self.tally.flush(&*self.store, self.ambient.now()).await;
    }
}
