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
use self::finding::{Finding, State};
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
        for site in sites(&*store, &args).await? {
            findings.extend(site::look(&site, &to_sites).await);
        }
    }
    output::answer(config, &findings, || Finding::lines(&findings))?;
    match findings.iter().filter(|finding| finding.state == State::Failed).count() {
        0 => Ok(()),
        1 => Err(Failure::Failed("1 check failed".to_owned())),
        failed => Err(Failure::Failed(format!("{failed} checks failed"))),
    }
}

/// The sites that are named; without a name all that are paired.
async fn sites(store: &dyn Store, args: &DoctorArgs) -> Result<Vec<Site>, Failure> {
    let mut named = Vec::new();
    for name in &args.sites {
        let unknown = || Failure::Failed(format!("there is no site {name}; see gatepass site list"));
        let site = if let Ok(id) = name.parse::<SiteId>() {
            store.site(id).await?
        } else {
            let origin =
                name.parse::<Origin>().map_err(|error| Failure::Usage(format!("{name}: {error}")))?;
            all(store, &args.tenant).await?.into_iter().find(|site| site.origin == origin)
        };
        named.push(site.ok_or_else(unknown)?);
    }
    if args.sites.is_empty() {
        named = all(store, &args.tenant).await?;
        named.retain(|site| site.paired.is_some());
    }
    Ok(named)
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
