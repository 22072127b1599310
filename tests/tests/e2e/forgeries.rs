//! Floods of what anybody can make up: what they cost the store, by Redis's own count, and whom they hold up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gatepass_core::SiteId;
use gatepass_core::client::ApiKey;
use gatepass_core::clock::{Clock, System};
use gatepass_keys::token::{handoff, site};
use gatepass_tests::fake_site::{FakeSite, PairingCode};
use gatepass_tests::forge::{Forge, new_id, strange_key};
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::raw::{Connection, request};
use gatepass_tests::redis::Redis;
use gatepass_tests::wordpress::new_attempt;
use gatepass_tests::{PanelApi, Result, api};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// How many connections a flood comes over.
const CONNECTIONS: usize = 32;
/// How many requests are made up at a time: they must not grow old before they are sent.
const BATCH: usize = 5_000;

/// How many requests a flood has: 5,000, or 100,000 with `GATEPASS_TEST_LONG`.
fn flood_size() -> usize {
    if std::env::var_os("GATEPASS_TEST_LONG").is_some() { 100_000 } else { BATCH }
}

/// A Gatepass on a Redis, a panel and a paired site, all without WordPress.
struct Parts {
    // Dropped, and so stopped, in this order; the folder last.
    site: FakeSite,
    gatepass: Gatepass,
    redis: Redis,
    code: PairingCode,
    api: PanelApi,
    _folder: TempDir,
}

impl Parts {
    async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let redis = Redis::start(&folder.path().join("redis"))?;
        let flags = ["--log", "warn"];
        let gatepass = Gatepass::start_with(&folder.path().join("gatepass"), &redis.url(), &flags)?;
        let (site, code) = FakeSite::paired_with(&gatepass, &[]).await?;
        let api = PanelApi::new(&gatepass.url(), &code.site, &gatepass.add_client("panel")?);
        api.put("mia", &api::member("mia")).await?.ok()?;
        Ok(Self { site, gatepass, redis, code, api, _folder: folder })
    }

    /// Redeems a handoff as the plugin does.
    async fn log_in(&self) -> Result {
        let issued = self.api.issue("mia").await?;
        let body = presented(issued.token())?;
        let proof = self.site.proof(&self.site.claims(&self.code));
        self.site.post(&self.code, "/wp/v1/redemptions", Some(&proof), &body).await?.ok()?;
        Ok(())
    }

    /// Sends a flood. Gives how often each answer came, and how long it took.
    async fn flood(&self, requests: Vec<String>) -> Result<(BTreeMap<String, usize>, Duration)> {
        let (requests, url) = (Arc::new(requests), self.gatepass.url());
        let began = Instant::now();
        let mut senders = JoinSet::new();
        for nth in 0..CONNECTIONS {
            let (requests, url) = (Arc::clone(&requests), url.clone());
            senders.spawn(async move {
                let mut connection = Connection::open(&url).await?;
                let mut answers = BTreeMap::<String, usize>::new();
                for request in requests.iter().skip(nth).step_by(CONNECTIONS) {
                    let answer = connection.ask(request).await?;
                    if answer.closes() {
                        connection = Connection::open(&url).await?;
                    }
                    let problem: Value = serde_json::from_str(&answer.body)?;
                    let code = problem["code"].as_str().unwrap_or_default();
                    *answers.entry(format!("{} {code}", answer.status)).or_default() += 1;
                }
                Result::Ok(answers)
            });
        }
        let mut all = BTreeMap::new();
        while let Some(answers) = senders.join_next().await {
            for (answer, count) in answers?? {
                *all.entry(answer).or_default() += count;
            }
        }
        Ok((all, began.elapsed()))
    }
}

/// The body of a redemption.
fn presented(token: &str) -> Result<Value> {
    Ok(json!({ "token": token, "attempt": new_attempt()?, "client_ip": "192.0.2.1" }))
}

fn redemption(proof: &str, token: &str) -> Result<String> {
    Ok(request("POST", "/wp/v1/redemptions", Some(proof), &presented(token)?.to_string()))
}

fn preview(proof: &str, token: &str) -> Result<String> {
    let mut body = presented(token)?;
    body["preview"] = json!(true);
    Ok(request("POST", "/wp/v1/redemptions", Some(proof), &body.to_string()))
}

/// Tokens that a proven site shows and that are no good, one of each kind.
fn bad_tokens(forge: &Forge, elsewhere: SiteId) -> Result<Vec<String>> {
    let varied = |change: &dyn Fn(&mut handoff::HandoffClaims)| {
        let mut claims = forge.claims("mia")?;
        change(&mut claims);
        Result::Ok(forge.token(&claims))
    };
    let good = forge.token(&forge.claims("mia")?);
    let other = forge.token(&forge.claims("eve")?);
    let (signed, _) = good.rsplit_once('.').ok_or("no token")?;
    let (_, signature) = other.rsplit_once('.').ok_or("no token")?;
    Ok(vec![
        format!("{signed}.{signature}"),
        handoff::sign(&strange_key()?, &forge.claims("mia")?).expose().to_owned(),
        varied(&|claims| {
            claims.issued_at -= 3600;
            claims.expires_at -= 3600;
        })?,
        varied(&|claims| claims.audience = elsewhere.to_string())?,
        varied(&|claims| "https://evil.test".clone_into(&mut claims.issuer))?,
        format!("{good}{}", "A".repeat(3000)),
        new_id()?.to_string(),
        String::new(),
    ])
}

/// Proofs that are not this site's, one of each kind, all naming a site that there is.
fn bad_proofs(site: &FakeSite, code: &PairingCode) -> Result<Vec<String>> {
    let claims = || site.claims(code);
    let mut stale = claims();
    stale.issued_at -= 3600;
    stale.expires_at -= 3600;
    let foreign = site::SiteClaims { audience: "https://evil.test".to_owned(), ..claims() };
    let good = site.proof(&claims());
    let (signed, _) = good.rsplit_once('.').ok_or("no proof")?;
    let stranger = site::sign(&strange_key()?, &claims()).expose().to_owned();
    let (_, signature) = stranger.rsplit_once('.').ok_or("no proof")?;
    Ok(vec![
        format!("{signed}.{signature}"),
        stranger.clone(),
        site.proof(&stale),
        site.proof(&foreign),
        "garbage".to_owned(),
        "A".repeat(3000),
    ])
}

pub async fn forged_stale_and_foreign_tokens_cost_no_store_access() -> Result {
    let parts = Parts::start().await?;
    let forge =
        Forge::open(&parts.gatepass.data_dir(), &parts.redis.url(), &parts.gatepass.url(), &parts.code.site)
            .await?;
    let elsewhere = SiteId::generate(System.now(), &System)?;
    let idle_for = Duration::from_secs(2);
    let before = total(&parts.redis.calls()?);
    tokio::time::sleep(idle_for).await;
    let idle = total(&parts.redis.calls()?) - before;

    let (mut answers, mut took) = (BTreeMap::<String, usize>::new(), Duration::ZERO);
    let before = parts.redis.calls()?;
    for _ in 0..flood_size() / BATCH {
        let mut kinds = Vec::new();
        for _ in 0..10 {
            let proof = parts.site.proof(&parts.site.claims(&parts.code));
            for token in bad_tokens(&forge, elsewhere)? {
                kinds.extend([redemption(&proof, &token)?, preview(&proof, &token)?]);
            }
            let token = forge.token(&forge.claims("mia")?);
            for proof in bad_proofs(&parts.site, &parts.code)? {
                kinds.push(redemption(&proof, &token)?);
            }
        }
        let began = Instant::now();
        let (some, _) = parts.flood(kinds.into_iter().cycle().take(BATCH).collect()).await?;
        took += began.elapsed();
        for (answer, count) in some {
            *answers.entry(answer).or_default() += count;
        }
    }
    let after = parts.redis.calls()?;

    let mut expected = vec![
        "400 handoff_invalid",
        "401 site_proof_expired",
        "401 site_proof_invalid",
        "410 handoff_expired",
    ];
    expected.sort_unstable();
    assert_eq!(answers.keys().collect::<Vec<_>>(), expected);
    let secs = took.as_secs() + 1;
    let idle = idle * secs / idle_for.as_secs();
    let cost = (total(&after) - total(&before)).saturating_sub(idle);
    eprintln!("{} bad tokens in {took:?}: {cost} commands of Redis", answers.values().sum::<usize>());
    // The one site is looked up once a second. Once a minute each cause becomes a line of the trail.
    let (look_ups, trail) = (2 * secs, (1 + secs / 60) * 8 * 6);
    assert!(cost <= look_ups + trail, "{cost} commands, idle would be {idle}: {:?}", grown(&before, &after));
    parts.log_in().await
}

pub async fn strangers_who_invent_names_neither_load_the_store_nor_lock_anybody_out() -> Result {
    let parts = Arc::new(Parts::start().await?);
    // In quiet times what is new works at once; what is seen is remembered to be there.
    parts.log_in().await?;

    let mut made_up = Vec::new();
    for _ in 0..BATCH / 4 {
        let id = SiteId::generate(System.now(), &System)?;
        let code = PairingCode { site: id.to_string(), ..parts.code.clone() };
        let proof = parts.site.proof(&parts.site.claims(&code));
        made_up.push(redemption(&proof, "x")?);
        made_up.push(request("GET", "/v1/sites", Some(ApiKey::generate(&System)?.expose()), ""));
        made_up.push(request("POST", "/wp/v1/pairings", None, &parts.site.pairing(&code).to_string()));
        made_up.push(request("GET", "/readyz", None, ""));
    }
    let before = parts.redis.calls()?;
    let (flooding, enough) = (Arc::clone(&parts), Arc::new(AtomicBool::new(false)));
    let is_enough = Arc::clone(&enough);
    let flood = tokio::spawn(async move {
        let (mut answers, mut took, mut sent) = (BTreeMap::<String, usize>::new(), Duration::ZERO, 0);
        while sent < flood_size() || !is_enough.load(Ordering::SeqCst) {
            let (some, time) = flooding.flood(made_up.clone()).await?;
            (took, sent) = (took + time, sent + made_up.len());
            for (answer, count) in some {
                *answers.entry(answer).or_default() += count;
            }
        }
        Result::Ok((answers, took))
    });
    let honest = honest_people(&parts).await;
    enough.store(true, Ordering::SeqCst);
    let (answers, took) = flood.await??;
    honest?;
    let cost = total(&parts.redis.calls()?) - total(&before);
    eprintln!("{} made-up names in {took:?}: {cost} commands of Redis", answers.values().sum::<usize>());

    // Per second one stranger has 20 look-ups of each kind after the first 100. The rest is what the honest
    // do: pairing, lists of sites, look-ups once a second.
    let secs = took.as_secs() + 2;
    assert!(cost <= 3 * (100 + 20 * secs) + 8 * secs + 200, "{cost} commands in {took:?}: {answers:?}");
    let known =
        ["200 ", "401 site_proof_invalid", "401 unauthorized", "404 pairing_code_invalid", "503 overloaded"];
    assert_eq!(answers.keys().collect::<Vec<_>>(), known);
    assert!(answers["503 overloaded"] > answers["401 unauthorized"], "{answers:?}");
    Ok(())
}

/// What must go on while strangers invent names.
async fn honest_people(parts: &Parts) -> Result {
    let url = parts.gatepass.url();
    // A newcomer, who has another address than those who flood.
    let newcomer = [127, 0, 0, 2].into();
    let mut site = FakeSite::start()?;
    site.call_from(newcomer)?;
    let code = PairingCode::read(&parts.gatepass.add_site(&site.url, &[])?.pairing_code)?;
    site.pair(&code).await?.ok()?;
    let proof = site.proof(&site.claims(&code));
    let answer = site.post(&code, "/wp/v1/redemptions", Some(&proof), &presented("x")?).await?;
    assert_eq!(answer.code(), "handoff_invalid", "the new site is locked out");
    let list = request("GET", "/v1/sites", Some(&parts.gatepass.add_client("new")?), "");
    let answer = Connection::open_from(newcomer, &url).await?.ask(&list).await?;
    assert_eq!(answer.status, 200, "the new panel is locked out");

    // Who is known goes on as before, from the very address that the flood comes from.
    let (mut panel, list) =
        (Connection::open(&url).await?, request("GET", "/v1/sites", Some(parts.api.key()), ""));
    for _ in 0..50 {
        assert_eq!(panel.ask(&list).await?.status, 200, "the panel is locked out");
        let proof = parts.site.proof(&parts.site.claims(&parts.code));
        let answer = panel.ask(redemption(&proof, "x")?).await?;
        assert_eq!(answer.status, 400, "the site is locked out: {}", answer.body);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn total(calls: &BTreeMap<String, u64>) -> u64 {
    calls.values().sum()
}

/// Which commands were called, for a failure's report.
fn grown(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let more =
        |(name, calls): (&String, &u64)| (name.clone(), calls - before.get(name).copied().unwrap_or(0));
    after.iter().map(more).filter(|(_, calls)| *calls > 0).collect()
}
