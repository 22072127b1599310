//! All parts together.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::api::{Member, PanelApi};
use crate::browser::Browser;
use crate::demo::{self, Demo};
use crate::forge::Forge;
use crate::gatepass::Gatepass;
use crate::process::tail;
use crate::redis::Redis;
use crate::wordpress::{Release, WordPress};
use crate::{Handoff, Result};

/// A panel, a Gatepass on Redis, and a WordPress that is paired with it.
#[derive(Debug)]
pub struct Stack {
    // Dropped, and so stopped, in this order; the folder last.
    /// The demo panel.
    pub demo: Demo,
    /// The WordPress site.
    pub wordpress: WordPress,
    /// `gatepass serve`.
    pub gatepass: Gatepass,
    /// Its store.
    pub redis: Redis,
    /// The panel API for that site, with an API key of the default tenant.
    pub api: PanelApi,
    folder: TempDir,
}

impl Stack {
    /// Starts everything; takes about two seconds.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// The same, with more flags for `gatepass serve`.
    #[expect(clippy::unused_async, reason = "every other way to get a part is async; this may become so")]
    pub async fn start_with(flags: &[&str]) -> Result<Self> {
        Self::launch(flags, false, Release::default())
    }

    /// The same, where the site knows the panel's start page: handoffs must be bound to a browser. Only here the
    /// demo panel's button works.
    #[expect(clippy::unused_async, reason = "as above")]
    pub async fn bound() -> Result<Self> {
        Self::launch(&[], true, Release::default())
    }

    /// The same as [`start`](Self::start), with WordPress in this release.
    #[expect(clippy::unused_async, reason = "as above")]
    pub async fn on(release: Release) -> Result<Self> {
        Self::launch(&[], false, release)
    }

    fn launch(flags: &[&str], bound: bool, release: Release) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("gatepass-test.").tempdir()?;
        let place = folder.path();
        let redis = Redis::start(&place.join("redis"))?;
        let gatepass = Gatepass::start_with(&place.join("gatepass"), &redis.url(), flags)?;
        let wordpress = WordPress::start_release(&place.join("wordpress"), release)?;

        let panel_port = Demo::reserve()?;
        let panel_url = demo::url(panel_port);
        let renew_url = format!("{panel_url}#renew");
        let start_url = demo::start_url(panel_port);
        let mut links = vec!["--panel-url", &panel_url, "--renew-url", &renew_url];
        if bound {
            links.extend(["--panel-start-url", &start_url]);
        }
        let site = gatepass.add_site(wordpress.url(), &links)?;
        wordpress.pair(&site.pairing_code)?;
        let key = gatepass.add_client("e2e")?;
        let demo = Demo::start(&place.join("demo"), panel_port, &gatepass.url(), &site.id, &key)?;
        let api = PanelApi::new(&gatepass.url(), &site.id, &key);
        Ok(Self { demo, wordpress, gatepass, redis, api, folder })
    }

    /// A fresh Chromium (about a second).
    pub async fn browser(&self) -> Result<Browser> {
        Browser::start().await
    }

    /// Puts an active member under this subject. Tests that share a stack each need a subject of their own.
    pub async fn member(&self, subject: &str) -> Result<Member> {
        self.api.put_status(subject, "active").await
    }

    /// The same, and issues a handoff for it.
    pub async fn handoff(&self, subject: &str) -> Result<(Member, Handoff)> {
        let member = self.member(subject).await?;
        let handoff = self.api.issue(subject).await?;
        Ok((member, handoff))
    }

    /// What an attacker would have to forge.
    pub async fn forge(&self) -> Result<Forge> {
        Forge::open(&self.gatepass.data_dir(), &self.redis.url(), &self.gatepass.url(), self.api.site()).await
    }

    /// Every log of every part.
    pub fn logs(&self) -> Vec<PathBuf> {
        let mut logs = self.wordpress.logs();
        logs.extend([self.gatepass.log(), self.demo.log(), self.folder.path().join("redis/redis.log")]);
        logs
    }

    /// The logs in which a text stands.
    pub fn logs_that_contain(&self, text: &str) -> Vec<PathBuf> {
        self.logs()
            .into_iter()
            .filter(|log| fs::read_to_string(log).is_ok_and(|said| said.contains(text)))
            .collect()
    }

    /// The ends of all logs, for a failure's report.
    pub fn report(&self) -> String {
        let mut report = String::new();
        for log in self.logs().into_iter().filter(|log| fs::metadata(log).is_ok_and(|file| file.len() > 0)) {
            let _ = write!(report, "---- {}\n{}\n", log.display(), tail(&log));
        }
        report
    }
}
