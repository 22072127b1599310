//! From where the bridge of this process has the issuer's keys.

use std::sync::Arc;

use async_trait::async_trait;
use gatepass_broker::keyring::SharedKeyring;
use gatepass_http::{Code, Problem};
use gatepass_keys::PublishedKeys;
use gatepass_wp_bridge::keys::{Kept, NotTold, RemoteKeys, Source};

use crate::config::Config;
use crate::error::Failure;
use crate::instance::Instance;

/// The keyring of this process.
#[derive(Debug)]
struct Beside(Arc<SharedKeyring>);

#[async_trait]
impl Source for Beside {
    fn current(&self) -> Option<Arc<PublishedKeys>> {
        Some(self.0.published())
    }

    async fn look(&self) -> Result<(), NotTold> {
        self.0.reload().await.map_err(|_| NotTold)
    }
}

/// The keyring beside it, or else what the broker publishes.
pub(super) fn source(
    config: &Config,
    instance: &Instance,
    keyring: Option<&Arc<SharedKeyring>>,
) -> Result<Arc<dyn Source>, Failure> {
    if let Some(keyring) = keyring {
        return Ok(Arc::new(Beside(Arc::clone(keyring))));
    }
    let url = match &config.jwks_url {
        Some(url) => url.clone(),
        None => instance.published_keys()?,
    };
    let remote = RemoteKeys::new(url, Kept::within(&config.data_dir));
    Ok(Arc::new(remote.map_err(|error| Failure::Failed(format!("cannot make HTTPS calls: {error}")))?))
}

/// Without any keys no token can be verified.
pub(super) fn are_known(keys: &dyn Source) -> Result<(), Problem> {
    match keys.current() {
        Some(_) => Ok(()),
        None => Err(Problem::new(Code::KeysUnavailable)),
    }
}
