//! `gatepass member`: what WordPress is to know of customers. The store is written directly; a running Gatepass finds
//! what changed and tells the sites.

mod bulk;
mod one;
mod shown;

use gatepass_core::event::Context;
use gatepass_core::roster::{self, Filter};
use gatepass_core::site::Site;
use gatepass_core::trail::Retention;
use gatepass_core::{SiteId, Store, Subject};

use crate::args::{MemberCommand, OfSite, OneMember, Place};
use crate::config::Config;
use crate::error::Failure;
use crate::{open, operator, output};

pub(crate) use shown::failed;

/// How many members are read at a time.
const PAGE: usize = 500;

/// What every command has at hand.
struct Desk<'a> {
    config: &'a Config,
    store: &'a dyn Store,
    context: Context,
}

pub(crate) async fn run(config: &Config, command: MemberCommand) -> Result<(), Failure> {
    let store = open::store(config, Retention::NONE).await?;
    let desk = Desk { config, store: &*store, context: operator::context()? };
    match command {
        MemberCommand::Import { site, file } => bulk::import(&desk, &desk.site(&site).await?, &file).await,
        MemberCommand::Export { site } => bulk::export(&desk, desk.site(&site).await?.id).await,
        MemberCommand::List { site, status, sync } => {
            list(&desk, desk.site(&site).await?.id, Filter { status, sync }).await
        }
        MemberCommand::Show { member } => {
            let (site, subject) = desk.member(member).await?;
            one::show(&desk, site, &subject).await
        }
        MemberCommand::Remove { member } => {
            let (site, subject) = desk.member(member).await?;
            one::remove(&desk, site, &subject).await
        }
        MemberCommand::Sync { member } => {
            let (site, subject) = desk.member(member).await?;
            one::try_again(&desk, site, &subject).await
        }
        MemberCommand::Sessions { member } => {
            let (site, subject) = desk.member(member).await?;
            one::sessions(&desk, site, &subject).await
        }
        MemberCommand::EndSessions { member } => {
            let (site, subject) = desk.member(member).await?;
            one::end_sessions(&desk, site, &subject).await
        }
    }
}

impl Desk<'_> {
    async fn site(&self, OfSite { site, tenant }: &OfSite) -> Result<Site, Failure> {
        let none = || Failure::Failed("there is no such site; see gatepass site list".to_owned());
        if let Place::Id(id) = site {
            return self.store.site(*id).await?.ok_or_else(none);
        }
        let mut after = None;
        loop {
            let page = self.store.sites(tenant, after, 200).await?;
            let last = page.last().ok_or_else(none)?.id;
            if let Some(found) = page.into_iter().find(|candidate| site.is(candidate)) {
                return Ok(found);
            }
            after = Some(last);
        }
    }

    async fn member(&self, OneMember { site, subject }: OneMember) -> Result<(SiteId, Subject), Failure> {
        Ok((self.site(&site).await?.id, subject))
    }
}

/// With `--json` one object a line: they may be many.
async fn list(desk: &Desk<'_>, site: SiteId, filter: Filter) -> Result<(), Failure> {
    let (mut after, mut rows) = (0, Vec::new());
    loop {
        let page = roster::page(desk.store, site, filter, after, PAGE).await?;
        for member in &page.members {
            if desk.config.json {
                output::line(&shown::value(member).to_string())?;
            } else {
                rows.push(shown::row(member));
            }
        }
        match page.next {
            Some(next) => after = next,
            None if desk.config.json => return Ok(()),
            None => return output::line(&output::table(shown::HEAD, &rows)),
        }
    }
}
