//! The trails that are looked at, and what people call them.

use std::collections::BTreeMap;

use gatepass_core::client::Listed;
use gatepass_core::trail::Trail;
use gatepass_core::{ClientId, Store};

use crate::args::{Place, Sought};
use crate::error::Failure;

/// Trails by name, and API keys by name.
pub(super) struct Places {
    names: BTreeMap<Trail, String>,
    clients: BTreeMap<ClientId, String>,
}

impl Places {
    /// All trails, or those that were asked for.
    pub(super) async fn find(store: &dyn Store, sought: &Sought) -> Result<Self, Failure> {
        let mut names = BTreeMap::new();
        let trails = match &sought.site {
            Some(Place::Id(id)) => vec![Trail::Site(*id)],
            _ => store.trails().await?,
        };
        for trail in trails {
            let (tenant, name) = match &trail {
                Trail::Site(id) => match store.site(*id).await? {
                    Some(site) if sought.site.as_ref().is_none_or(|place| place.is(&site)) => {
                        (site.tenant, site.origin.to_string())
                    }
                    _ => continue,
                },
                Trail::Tenant(_) if sought.site.is_some() => continue,
                Trail::Tenant(tenant) => (tenant.clone(), trail.to_string()),
            };
            if sought.tenant.as_ref().is_none_or(|wanted| *wanted == tenant) {
                names.insert(trail, name);
            }
        }
        if names.is_empty() && sought.site.is_some() {
            return Err(Failure::Failed("there is no such site; see gatepass site list".to_owned()));
        }
        let listed = store.clients().await?.into_iter();
        let clients = listed.map(|Listed { client, .. }| (client.id, client.name)).collect();
        Ok(Self { names, clients })
    }

    pub(super) fn trails(&self) -> Vec<Trail> {
        self.names.keys().cloned().collect()
    }

    pub(super) fn name(&self, trail: &Trail) -> String {
        self.names.get(trail).cloned().unwrap_or_else(|| trail.to_string())
    }

    pub(super) fn client(&self, id: ClientId) -> String {
        self.clients.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// How wide their names are.
    pub(super) fn width(&self) -> usize {
        self.names.values().map(|name| name.chars().count()).max().unwrap_or(0)
    }
}
