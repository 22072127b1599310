//! What a process does of what Gatepass does, and at which addresses.

use std::net::SocketAddr;

use actix_web::web;
use gatepass_broker::BrokerState;
use gatepass_wp_bridge::BridgeState;

use crate::config::{Config, StoreChoice};
use crate::error::Failure;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It serves panels, and sites.
    Both,
    /// It serves panels: it has the private keys, and signs.
    Broker,
    /// It serves sites: it has public keys only.
    Bridge,
}

impl Role {
    pub(super) const fn is_broker(self) -> bool {
        matches!(self, Self::Both | Self::Broker)
    }

    pub(super) const fn is_bridge(self) -> bool {
        matches!(self, Self::Both | Self::Bridge)
    }

    /// Whether the settings are enough for it.
    pub(super) fn check(self, config: &Config) -> Result<(), Failure> {
        let name = match self {
            Self::Both => return Ok(()),
            Self::Broker => "broker",
            Self::Bridge => "bridge",
        };
        if matches!(config.store, StoreChoice::Sqlite) {
            return Err(Failure::Usage(format!(
                "gatepass {name} shares its store with other machines, which needs Redis: --store redis://…, \
                 or gatepass serve for one machine"
            )));
        }
        if self == Self::Bridge && config.public_url.is_none() {
            return Err(Failure::Usage(
                "gatepass bridge takes the tokens of the broker at --public-url: say which".to_owned(),
            ));
        }
        Ok(())
    }
}

/// The services of this process.
#[derive(Clone)]
pub(super) struct Services {
    pub(super) broker: Option<web::Data<BrokerState>>,
    pub(super) bridge: Option<web::Data<BridgeState>>,
}

/// Some of them at an address.
pub(super) struct Door {
    pub(super) address: SocketAddr,
    pub(super) services: Services,
    /// Whom they serve.
    pub(super) whom: &'static str,
}

impl Services {
    pub(super) fn configure(&self, app: &mut web::ServiceConfig) {
        if let Some(broker) = &self.broker {
            app.app_data(broker.clone()).configure(gatepass_broker::routes);
        }
        if let Some(bridge) = &self.bridge {
            app.app_data(bridge.clone()).configure(gatepass_wp_bridge::routes);
        }
    }

    /// Where they are served: a first address, and perhaps a second one.
    pub(super) fn doors(self, config: &Config) -> (Door, Option<Door>) {
        let (listen, for_sites) = (config.listen, config.bridge_listen);
        match (&self.broker, &self.bridge, for_sites) {
            (Some(_), Some(_), Some(address)) => {
                let panels = Self { bridge: None, ..self.clone() };
                let sites = Self { broker: None, ..self };
                let sites = Door { address, services: sites, whom: "sites" };
                (Door { address: listen, services: panels, whom: "panels" }, Some(sites))
            }
            (Some(_), Some(_), None) => {
                (Door { address: listen, services: self, whom: "panels and sites" }, None)
            }
            (Some(_), None, _) => (Door { address: listen, services: self, whom: "panels" }, None),
            (None, _, _) => {
                (Door { address: for_sites.unwrap_or(listen), services: self, whom: "sites" }, None)
            }
        }
    }
}
