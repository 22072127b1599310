//! `gatepass doctor`: looks at a deployment and its sites from the outside, as panels and browsers meet them, and says
//! of each thing that is not well what to do. It changes nothing and needs no server that runs.
//!
//! To add a check: what it looks at goes into [`deployment`] or into [`site::Seen`], what it says into the list of
//! checks there.

mod call;
mod deployment;
mod finding;
mod site;

use gatepass_core::clock::System;
use gatepass_core::site::{Origin, Site, is_loopback};
use gatepass_core::{Clock, SiteId, Store, Tenant};
use gatepass_http::destinations::Destinations;
use ipnet::IpNet;

use self::call::Caller;
use self::finding::{Finding, State, Verdict};
use crate::args::DoctorArgs;
use crate::config::Config;
use crate::error::Failure;
use crate::instance::Instance;
use crate::output;

/// Looks at the deployment, and at these sites or else at all that are paired.
pub(crate) async fn run(config: &Config, args: DoctorArgs) -> Result<(), Failure> {
    let instance = Instance::known(config)?;
    // One's own addresses may be anywhere; sites only where they may be called.
    let everywhere: Vec<IpNet> = ["0.0.0.0/0", "::/0"].iter().filter_map(|all| all.parse().ok()).collect();
    let own = Caller::new(Destinations::new(everywhere))?;
    let to_sites = Destinations::new(config.allow_private_networks.clone());
    let to_sites = if is_loopback(&instance.bridge_url) { to_sites.and_loopback() } else { to_sites };
    let to_sites = Caller::new(to_sites)?;

    let (mut findings, store) = deployment::look(config, &instance, &own, System.now()).await;
    if let Some(store) = store {
        let keys_version = store.keyring_revision().await.ok();
        for name in names(&args) {
            match sites(&*store, &args.tenant, name).await {
                Ok(sites) => {
                    for site in sites {
                        findings.extend(site::look(&site, keys_version, &to_sites).await);
                    }
                }
                // One name that is wrong takes nothing from what is known of the others.
                Err(error) => findings.extend(Finding::new(
                    name.unwrap_or("sites"),
                    "registered",
                    Verdict::failed(error.to_string(), "gatepass site list names the sites"),
                )),
            }
        }
    }
    output::answer(config, &findings, || Finding::lines(&findings))?;
    match findings.iter().filter(|finding| finding.state == State::Failed).count() {
        0 => Ok(()),
        1 => Err(Failure::Failed("1 check failed".to_owned())),
        failed => Err(Failure::Failed(format!("{failed} checks failed"))),
    }
}

/// What is to be looked at: each name, or `None` for all sites that are paired.
fn names(args: &DoctorArgs) -> Vec<Option<&str>> {
    if args.sites.is_empty() {
        return vec![None];
    }
    args.sites.iter().map(|name| Some(name.as_str())).collect()
}

/// The site of this name; without a name all that are paired.
async fn sites(store: &dyn Store, tenant: &Tenant, name: Option<&str>) -> Result<Vec<Site>, Failure> {
    let Some(name) = name else {
        let mut sites = all(store, tenant).await?;
        sites.retain(|site| site.paired.is_some());
        return Ok(sites);
    };
    let site = if let Ok(id) = name.parse::<SiteId>() {
        store.site(id).await?
    } else {
        let origin = name.parse::<Origin>().map_err(|error| Failure::Failed(format!("{name}: {error}")))?;
        all(store, tenant).await?.into_iter().find(|site| site.origin == origin)
    };
    site.map(|site| vec![site]).ok_or_else(|| Failure::Failed(format!("there is no site {name}")))
}

async fn all(store: &dyn Store, tenant: &Tenant) -> Result<Vec<Site>, Failure> {
    let mut sites = Vec::new();
    loop {
        let page = store.sites(tenant, sites.last().map(|site: &Site| site.id), 200).await?;
        if page.is_empty() {
            return Ok(sites);
        }
        sites.extend(page);
    }
}
