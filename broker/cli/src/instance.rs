//! Under which addresses this Gatepass is known. `serve` writes them into the data folder, so that the command line
//! beside it makes pairing codes that lead to the right place without being told again.

use std::path::Path;

use gatepass_core::site::is_loopback;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::Config;
use crate::error::Failure;

const FILE: &str = "instance.json";

/// The addresses.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Instance {
    /// For panels; the issuer of tokens.
    pub(crate) public_url: Url,
    /// For sites.
    pub(crate) bridge_url: Url,
}

impl Instance {
    /// From the settings alone.
    pub(crate) fn configured(config: &Config) -> Result<Self, Failure> {
        let public_url = match &config.public_url {
            Some(url) => url.clone(),
            None => local_url(config.listen)?,
        };
        let bridge_url = match (&config.bridge_url, config.bridge_listen) {
            (Some(url), _) => url.clone(),
            (None, Some(address)) => local_url(address)?,
            (None, None) => public_url.clone(),
        };
        Ok(Self { public_url, bridge_url })
    }

    /// From the settings where they say so, else as the server was last started, else by default.
    pub(crate) fn known(config: &Config) -> Result<Self, Failure> {
        let path = config.data_dir.join(FILE);
        let saved = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        match saved {
            Some(saved) if config.public_url.is_none() => Ok(Self {
                bridge_url: config.bridge_url.clone().unwrap_or(saved.bridge_url),
                public_url: saved.public_url,
            }),
            _ => Self::configured(config),
        }
    }

    /// Without a slash at the end: the `iss` of tokens is compared letter by letter.
    pub(crate) fn issuer(&self) -> String {
        self.public_url.as_str().trim_end_matches('/').to_owned()
    }

    /// Where the issuer publishes its keys.
    pub(crate) fn published_keys(&self) -> Result<Url, Failure> {
        let url = format!("{}/.well-known/jwks.json", self.issuer());
        Url::parse(&url).map_err(|error| Failure::Usage(format!("{url}: {error}")))
    }

    pub(crate) fn save(&self, data_dir: &Path) -> Result<(), Failure> {
        let path = data_dir.join(FILE);
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        std::fs::write(&path, json)
            .map_err(|error| Failure::Failed(format!("cannot write {}: {error}", path.display())))
    }
}

fn local_url(address: std::net::SocketAddr) -> Result<Url, Failure> {
    let url = Url::parse(&format!("http://{address}/")).map_err(|error| Failure::Usage(error.to_string()))?;
    if is_loopback(&url) {
        Ok(url)
    } else {
        Err(Failure::Usage(format!(
            "{address} can be reached from outside: say under which HTTPS address, with --public-url https://…"
        )))
    }
}
