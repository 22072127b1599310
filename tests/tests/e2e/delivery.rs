//! Sites are told at once that something changed, and none stands in another's way.

use std::time::{Duration, Instant};

use gatepass_keys::KeySet;
use gatepass_keys::VerificationKey;
use gatepass_keys::token::poke::Unverified;
use gatepass_tests::fake_poke::Poking;
use gatepass_tests::fake_site::{FakeSite, PairingCode};
use gatepass_tests::follower::Follower;
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::redis::Redis;
use gatepass_tests::{PanelApi, Result, api};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Long enough for a machine that has much to do; a poke takes milliseconds.
const SOON: Duration = Duration::from_secs(8);

/// A Gatepass, and a site.
pub struct Poked {
    // Dropped, and so stopped, in this order; the folder last.
    pub site: FakeSite,
    pub gatepass: Gatepass,
    redis: Option<Redis>,
    pub code: PairingCode,
    pub api: PanelApi,
    _folder: TempDir,
}

impl Poked {
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// On SQLite, with more flags.
    pub async fn start_with(flags: &[&str]) -> Result<Self> {
        Self::launch(tempfile::tempdir()?, None, flags).await
    }

    async fn on_redis() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let redis = Redis::start(&folder.path().join("redis"))?;
        Self::launch(folder, Some(redis), &[]).await
    }

    async fn launch(folder: TempDir, redis: Option<Redis>, flags: &[&str]) -> Result<Self> {
        let store = redis.as_ref().map_or_else(|| "sqlite".to_owned(), Redis::url);
        let gatepass = Gatepass::start_with(folder.path(), &store, flags)?;
        let (site, code) = FakeSite::paired_with(&gatepass, &[]).await?;
        let api = PanelApi::new(&gatepass.url(), &code.site, &gatepass.add_client("panel")?);
        Ok(Self { site, gatepass, redis, code, api, _folder: folder })
    }

    pub async fn follower(&self) -> Result<Follower> {
        match &self.redis {
            Some(redis) => Follower::in_redis(&redis.url(), &self.code.site).await,
            None => Follower::in_sqlite(&self.gatepass.data_dir(), &self.code.site),
        }
    }

    /// What the site's record says of delivery.
    pub async fn progress(&self) -> Result<Value> {
        let path = format!("/v1/sites/{}", self.code.site);
        Ok(self.api.call(Method::GET, &path, None).await?.ok()?["progress"].clone())
    }

    /// Waits until something can be said of delivery.
    async fn wait_for_progress(&self, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        let began = Instant::now();
        loop {
            let progress = self.progress().await?;
            if is_so(&progress) {
                return Ok(progress);
            }
            if began.elapsed() > 3 * SOON {
                return Err(format!("the progress stays {progress}").into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

pub async fn every_change_pokes_the_site_at_once_with_a_token_of_its_own() -> Result {
    let poked = Poked::start().await?;
    let endpoint = &poked.site.pokes;
    let follower = &mut poked.follower().await?;
    let mut slowest = Duration::ZERO;
    let changes = [
        (Method::PUT, "", Some(api::member("mia"))),
        (Method::PATCH, "/membership", Some(json!({ "status": "canceled" }))),
        (Method::DELETE, "/sessions", None),
        (Method::POST, "/sync", None),
        (Method::DELETE, "", None),
    ];
    for (method, path, body) in changes {
        let seen = endpoint.count();
        let path = format!("/members/mia{path}");
        let began = Instant::now();
        poked.api.site_call(method.clone(), &path, body.as_ref()).await?.ok()?;
        assert!(endpoint.wait_for(seen, SOON).await, "no poke after {method} {path}");
        slowest = slowest.max(began.elapsed());
        follower.follow(7, &[]).await?;
    }
    println!("the slowest poke came {slowest:?} after the call began");
    let seen = endpoint.count();
    let line = json!({ "subject": "ben", "email": "ben@example.com", "membership": { "status": "active" } });
    poked.api.import(line.to_string()).await?.ok()?;
    assert!(endpoint.wait_for(seen, SOON).await, "no poke after an import");

    let keys: Value =
        reqwest::get(format!("{}/.well-known/jwks.json", poked.gatepass.url())).await?.json().await?;
    let jwks = keys["keys"].as_array().ok_or("no keys")?.iter();
    let keys: Vec<VerificationKey> =
        jwks.map(|key| serde_json::from_value(key.clone())).collect::<std::result::Result<_, _>>()?;
    let (keys, now) = (KeySet::new(keys), gatepass_core::Clock::now(&gatepass_core::clock::System).secs());
    let mut ids = std::collections::HashSet::new();
    for token in endpoint.tokens() {
        let poke = Unverified::parse(&token)?;
        let claims = poke.verify(&keys, &poked.gatepass.url(), &poked.code.site, now)?.into_claims();
        assert!(ids.insert(claims.id), "a token was used again");
    }
    Ok(())
}

pub async fn what_changes_nothing_pokes_nobody() -> Result {
    let poked = Poked::start().await?;
    let member = api::member("mia");
    poked.api.put("mia", &member).await?.ok()?;
    assert!(poked.site.pokes.wait_for(0, SOON).await);
    poked.follower().await?.follow(7, &[]).await?;
    // A look at the store may have come in between.
    let seen = poked.site.pokes.count();
    for _ in 0..20 {
        poked.api.put("mia", &member).await?.ok()?;
        poked.api.patch_membership("mia", &json!({ "status": "active" })).await?.ok()?;
    }
    assert!(!poked.site.pokes.wait_for(seen, Duration::from_secs(1)).await);
    Ok(())
}

pub async fn many_changes_at_once_are_few_pokes() -> Result {
    const CHANGES: usize = 200;
    let poked = Poked::start().await?;
    poked.site.pokes.answer(Poking::Silent);
    poked.api.put("first", &api::member("first")).await?.ok()?;
    assert!(poked.site.pokes.wait_for(0, SOON).await);
    poked.site.pokes.answer(Poking::Pulled);
    for number in 0..CHANGES {
        poked.api.put_status(&format!("mia-{number}"), "active").await?;
    }
    // The first is in flight, for up to ten seconds; then there is another one, for all of them.
    assert!(poked.site.pokes.wait_for(1, 4 * SOON).await, "nothing after the first");
    assert_eq!(poked.follower().await?.pull().await?.len(), CHANGES + 1);
    assert!(poked.site.pokes.count() < CHANGES / 10, "{} pokes", poked.site.pokes.count());
    Ok(())
}

pub async fn sites_that_do_not_answer_delay_no_other() -> Result {
    const SILENT: usize = 8;
    let poked = Poked::start().await?;
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        let (site, code) = FakeSite::paired_with(&poked.gatepass, &[]).await?;
        site.pokes.answer(Poking::Silent);
        poked.api.for_site(&code.site).put_status("mia", "active").await?;
        silent.push(site);
    }
    for site in &silent {
        assert!(site.pokes.wait_for(0, SOON).await);
    }
    let seen = poked.site.pokes.count();
    poked.api.put_status("mia", "active").await?;
    assert!(poked.site.pokes.wait_for(seen, SOON).await);
    Ok(())
}

pub async fn a_broken_site_is_told_of_tried_again_more_and_more_seldom_and_forgiven() -> Result {
    let poked = Poked::start().await?;
    poked.site.pokes.answer(Poking::Broken);
    poked.api.put_status("mia", "active").await?;
    let failing = poked.wait_for_progress(|progress| !progress["failing_since"].is_null()).await?;
    assert_eq!(
        failing["error"],
        "the answer is not the plugin's (HTTP status 500); redirects are not followed"
    );
    assert!(failing["next_try_at"].is_string(), "{failing}");
    let since = failing["failing_since"].clone();

    tokio::time::sleep(Duration::from_secs(6)).await;
    let tried = poked.site.pokes.count();
    assert!((2..=9).contains(&tried), "{tried} pokes in seven seconds");
    let shown = poked.gatepass.command(&["site", "show", &poked.code.site])?;
    let shown: Value = serde_json::from_str(&shown)?;
    assert_eq!(shown["progress"]["failing_since"], since, "{shown}");
    assert_eq!((&shown["progress"]["position"], &shown["progress"]["pulled"]), (&json!(1), &json!(0)));

    poked.site.pokes.answer(Poking::Pulled);
    poked.api.put_status("ben", "active").await?;
    let well = poked.wait_for_progress(|progress| progress["failing_since"].is_null()).await?;
    assert!(well["error"].is_null() && well["next_try_at"].is_null(), "{well}");
    poked.follower().await?.pull().await?;
    assert_eq!(poked.progress().await?["pulled"], 2);
    Ok(())
}

pub async fn whatever_a_site_answers_is_read_briefly_and_followed_nowhere() -> Result {
    for (poking, error) in [
        (Poking::Redirected, "HTTP status 307"),
        (Poking::Endless, "HTTP status 200"),
        (Poking::Dripping, "no answer in 10 seconds"),
        (Poking::NotPulled, "could not pull: bridge_unreachable"),
    ] {
        let poked = Poked::start().await?;
        poked.site.pokes.answer(poking);
        poked.api.put_status("mia", "active").await?;
        let failing = poked.wait_for_progress(|progress| progress["error"].is_string()).await?;
        let said = failing["error"].as_str().unwrap_or_default();
        assert!(said.contains(error), "{poking:?}: {said}");
        assert_eq!(poked.site.pokes.followed(), 0, "{poking:?}");
    }
    Ok(())
}

pub async fn what_another_process_or_a_crash_left_is_delivered() -> Result {
    delivers_what_was_left(Poked::start().await?).await
}

pub async fn what_another_process_or_a_crash_left_is_delivered_from_redis() -> Result {
    delivers_what_was_left(Poked::on_redis().await?).await
}

async fn delivers_what_was_left(mut poked: Poked) -> Result {
    // The command line writes beside the running server.
    let file = poked.gatepass.data_dir().join("members.ndjson");
    let line = json!({ "subject": "mia", "email": "mia@example.com", "membership": { "status": "active" } });
    std::fs::write(&file, line.to_string())?;
    poked.gatepass.command(&["member", "import", &poked.code.site, &file.to_string_lossy()])?;
    assert!(poked.site.pokes.wait_for(0, 3 * SOON).await, "what the command line wrote is not told");
    assert_eq!(poked.follower().await?.follow(7, &[]).await?, 1);

    // Killed right after the answer; the poke may or may not have gone out, so it is the one after the restart that counts.
    poked.api.put_status("ben", "active").await?;
    poked.gatepass.service().kill()?;
    let seen = poked.site.pokes.count();
    poked.gatepass.restart()?;
    assert!(poked.site.pokes.wait_for(seen, 3 * SOON).await, "what was written before the crash is not told");
    assert_eq!(poked.follower().await?.pull().await?.len(), 2);
    Ok(())
}

pub async fn a_site_at_a_private_address_is_not_poked() -> Result {
    let folder = tempfile::tempdir()?;
    let gatepass = Gatepass::start(folder.path(), "sqlite")?;
    let (site, code) = FakeSite::paired_with(&gatepass, &[]).await?;
    let key = gatepass.add_client("panel")?;
    drop(gatepass);
    // The same store, where this machine's own addresses are no longer allowed.
    let flags = ["--bridge-url", "https://bridge.example"];
    let gatepass = Gatepass::start_with(folder.path(), "sqlite", &flags)?;
    let panel = PanelApi::new(&gatepass.address(), &code.site, &key);
    panel.put_status("mia", "active").await?;
    let began = Instant::now();
    let error = loop {
        let read = panel.call(Method::GET, &format!("/v1/sites/{}", code.site), None).await?.ok()?;
        if let Some(error) = read["progress"]["error"].as_str() {
            break error.to_owned();
        }
        assert!(began.elapsed() < 2 * SOON, "{read}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(error.contains("no public address") && !error.contains("127.0.0.1"), "{error}");
    assert_eq!(site.pokes.count(), 0);
    Ok(())
}

pub async fn a_stop_does_not_wait_for_a_site_that_does_not_answer() -> Result {
    let mut poked = Poked::start().await?;
    poked.site.pokes.answer(Poking::Silent);
    poked.api.put_status("mia", "active").await?;
    assert!(poked.site.pokes.wait_for(0, SOON).await);
    let began = Instant::now();
    poked.gatepass.service().stop();
    assert!(began.elapsed() < Duration::from_secs(8), "it took {:?}", began.elapsed());
    Ok(())
}
