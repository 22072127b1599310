//! All parts, with times so short that a rotation takes seconds.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use gatepass_tests::api::member;
use gatepass_tests::fake_site::{FakeSite, PairingCode};
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::redis::Redis;
use gatepass_tests::{PanelApi, Result, WordPress, ports};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::tally::Tally;

/// Caches of a second, and tokens of five.
const FLAGS: &[&str] = &[
    "--jwks-max-age",
    "1",
    "--jwks-refresh",
    "1",
    "--clock-skew",
    "1",
    "--max-token-lifetime",
    "5",
    "--limit-api-key",
    "0",
    "--limit-member",
    "0",
    "--limit-address",
    "0",
];
/// How long a site may take to pin the newest set once nothing happens any more.
const CATCH_UP: Duration = Duration::from_secs(30);

/// Two sites of one tenant: a WordPress, and one that only speaks the plugin's side of the wire, which is faster.
#[derive(Debug)]
pub struct World {
    // Dropped, and so stopped, in this order; the folder last.
    pub wordpress: WordPress,
    pub site: FakeSite,
    /// On one keyring.
    pub brokers: [Gatepass; 2],
    /// Without one.
    pub bridges: [Gatepass; 2],
    _redis: Redis,
    pub code: PairingCode,
    key: String,
    wordpress_site: String,
    pub tally: Tally,
    /// One command of an operator at a time.
    operator: Mutex<()>,
    _folder: TempDir,
}

impl World {
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("gatepass-rotation.").tempdir()?;
        let place = folder.path();
        let redis = Redis::start(&place.join("redis"))?;
        let (for_panels, for_sites) = (ports::free_port()?, ports::free_port()?);
        let public_url = format!("http://127.0.0.1:{for_panels}");
        let bridge_url = format!("http://127.0.0.1:{for_sites}");
        let flags = [&["--bridge-url", &bridge_url], FLAGS].concat();
        let start = |role: &str, port| {
            Gatepass::start_role(role, &place.join(role), &redis.url(), port, &public_url, &flags)
        };
        let (broker, bridge) = (start("broker", for_panels)?, start("bridge", for_sites)?);
        let (second_broker, second_bridge) = (broker.beside(&flags)?, bridge.beside(&flags)?);
        let wordpress = WordPress::start(&place.join("wordpress"))?;
        let registered = broker.add_site(wordpress.url(), &[])?;
        wordpress.pair(&registered.pairing_code)?;
        let site = FakeSite::start()?;
        let code = PairingCode::read(&broker.add_site(&site.url, &[])?.pairing_code)?;
        site.pair(&code).await?.ok()?;
        let key = broker.add_client("rotation")?;
        Ok(Self {
            wordpress,
            site,
            brokers: [broker, second_broker],
            bridges: [bridge, second_bridge],
            _redis: redis,
            code,
            key,
            wordpress_site: registered.id,
            tally: Tally::default(),
            operator: Mutex::default(),
            _folder: folder,
        })
    }

    /// The panel's API for WordPress, at one of the brokers.
    pub fn api(&self, broker: usize) -> PanelApi {
        PanelApi::new(&self.brokers[broker].address(), &self.wordpress_site, &self.key)
    }

    /// The same for the site that is none.
    pub fn plain_api(&self, broker: usize) -> PanelApi {
        self.api(broker).for_site(&self.code.site)
    }

    /// What an operator types, off the threads that the clicks are on.
    pub async fn command(self: &std::sync::Arc<Self>, arguments: &[&str]) -> Result<String> {
        let world = std::sync::Arc::clone(self);
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        tokio::task::spawn_blocking(move || {
            let _one = world.operator.lock();
            world.operate(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
        })
        .await?
    }

    fn operate(&self, arguments: &[&str]) -> Result<String> {
        self.brokers[0].command(&[arguments, FLAGS].concat())
    }

    /// The logs of all processes.
    pub fn logs(&self) -> [PathBuf; 2] {
        [self.brokers[0].log(), self.bridges[0].log()]
    }

    /// `gatepass keys list --json`.
    fn keys(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.operate(&["keys", "list", "--json"])?)?)
    }

    /// The key that signs.
    pub fn active_key(&self) -> Result<String> {
        let keys = self.keys()?;
        let all = keys["keys"].as_array().cloned().unwrap_or_default();
        let active = all.iter().find(|key| key["state"] == "active").and_then(|key| key["kid"].as_str());
        Ok(active.ok_or(format!("no key is active: {keys}"))?.to_owned())
    }

    /// What is wrong if WordPress does not come to pin the newest key set by itself.
    pub async fn pinned_is_behind(&self) -> Result<Option<String>> {
        let since = Instant::now();
        loop {
            let pinned: u64 = self
                .wordpress
                .eval("echo ( new Gatepass_Store() )->connection()->keys_version();")?
                .trim()
                .parse()?;
            let published = self.keys()?["revision"].as_u64().unwrap_or_default();
            if pinned == published {
                return Ok(None);
            }
            if since.elapsed() > CATCH_UP {
                return Ok(Some(format!(
                    "WordPress has pinned version {pinned}, and {published} is published"
                )));
            }
            // Whatever makes WordPress ask; here a change of a member.
            let mut wanted = member("latecomer");
            wanted["membership"]["plan"] = json!(format!("after {:?}", since.elapsed()));
            self.api(0).put_and_wait("latecomer", &wanted, 5).await?.ok()?;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}
