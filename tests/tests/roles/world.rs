//! A broker and a bridge on one Redis, and a site.

use std::time::{Duration, Instant};

use gatepass_core::{Clock, clock::System};
use gatepass_keys::SigningKey;
use gatepass_keys::token::handoff::{HandoffClaims, sign};
use gatepass_tests::api::{self, Answer};
use gatepass_tests::fake_jwks::FakeJwks;
use gatepass_tests::fake_site::{FakeSite, PairingCode};
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::redis::Redis;
use gatepass_tests::wordpress::new_attempt;
use gatepass_tests::{PanelApi, Result, forge, ports};
use serde_json::json;
use tempfile::TempDir;

/// Short times, so that a test need not wait for them.
pub const TIMES: &[&str] = &["--jwks-max-age", "1", "--jwks-refresh", "1", "--clock-skew", "0"];
/// So that nothing is fetched but for an unknown key.
pub const SELDOM: &[&str] = &["--jwks-refresh", "3600"];

pub struct World {
    pub broker: Gatepass,
    pub bridge: Gatepass,
    pub site: FakeSite,
    pub code: PairingCode,
    pub api: PanelApi,
    pub redis: Redis,
    pub folder: TempDir,
}

impl World {
    /// With these flags for both; the bridge fetches from the broker, or from somebody else.
    pub async fn start(flags: &[&str], jwks: Option<&FakeJwks>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let redis = Redis::start(&folder.path().join("redis"))?;
        let (ours, theirs) = (ports::free_port()?, ports::free_port()?);
        let (public_url, bridge_url) =
            (format!("http://127.0.0.1:{ours}"), format!("http://127.0.0.1:{theirs}"));
        let flags = [&["--bridge-url", &bridge_url], flags].concat();
        let of_bridge = match jwks {
            Some(jwks) => [&flags[..], &["--jwks-url", &jwks.url]].concat(),
            None => flags.clone(),
        };
        let start = |role: &str, port, flags: &[&str]| {
            let folder = folder.path().join(role);
            Gatepass::start_role(role, &folder, &redis.url(), port, &public_url, flags)
        };
        let broker = start("broker", ours, &flags)?;
        let bridge = start("bridge", theirs, &of_bridge)?;
        ready(&bridge).await?;
        let (site, code) = FakeSite::paired_with(&broker, &[]).await?;
        let api = PanelApi::new(&public_url, &code.site, &broker.add_client("panel")?);
        api.put("mia", &api::member("mia")).await?.ok()?;
        Ok(Self { broker, bridge, site, code, api, redis, folder })
    }

    /// What the bridge makes of a token.
    pub async fn redeem(&self, token: &str) -> Result<Answer> {
        let body = json!({ "token": token, "attempt": new_attempt()?, "client_ip": null });
        self.site.ask(&self.code, "/wp/v1/redemptions", &body).await
    }

    /// A login from end to end; the id of the key that signed.
    pub async fn log_in(&self) -> Result<String> {
        let issued = self.api.issue("mia").await?;
        let answer = self.redeem(issued.token()).await?.ok()?;
        assert_eq!(answer["subject"], "mia");
        kid(issued.token())
    }

    /// A token as the broker would have signed it with this key. No store knows of it: a bridge that takes the key
    /// answers that it is too old, and one that does not, that it is no token.
    pub fn token(&self, key: &SigningKey) -> Result<String> {
        let now = System.now().secs();
        let claims = HandoffClaims {
            issuer: self.broker.url(),
            audience: self.code.site.clone(),
            subject: "mia".to_owned(),
            id: forge::new_id()?,
            issued_at: now,
            expires_at: now + 60,
        };
        Ok(sign(key, &claims).expose().to_owned())
    }

    /// Whether the bridge takes a key for the issuer's.
    pub async fn takes(&self, key: &SigningKey) -> Result<bool> {
        let answer = self.redeem(&self.token(key)?).await?;
        match answer.code() {
            "handoff_expired" => Ok(true),
            "handoff_invalid" => Ok(false),
            _ => Err(format!("{}: {}", answer.status, answer.body).into()),
        }
    }
}

/// The key that a token names.
pub fn kid(token: &str) -> Result<String> {
    Ok(gatepass_keys::token::handoff::Unverified::parse(token)?.kid().to_string())
}

/// What `/readyz` says: a status and the problem's code.
pub async fn readiness(gatepass: &Gatepass) -> Result<(u16, String)> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let answer = Answer::read(http.get(format!("{}/readyz", gatepass.address())).send().await?).await?;
    Ok((answer.status.as_u16(), answer.code().to_owned()))
}

/// Waits until it is ready.
pub async fn ready(gatepass: &Gatepass) -> Result {
    eventually("it is ready", async || Ok(readiness(gatepass).await?.0 == 200)).await
}

/// Waits until something is so, for longer than it should ever take.
pub async fn eventually(what: &str, is_so: impl AsyncFn() -> Result<bool>) -> Result {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so().await? {
        if Instant::now() > deadline {
            return Err(format!("after 30 s it is not so that {what}").into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
