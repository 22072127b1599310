//! Several processes on one keyring, and one that has an old copy of it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gatepass_core::clock::{Clock, System, random_bytes};
use gatepass_core::event::{Actor, Context};
use gatepass_core::keyring::revoke_everywhere;
use gatepass_core::store::redis::{Options, Redis};
use gatepass_core::{Store, Timestamp};
use gatepass_keys::{Action, KeyId, KeyState, Keyring, KeyringError, KeyringFolder, Step, Wrapping};
use gatepass_tests::api::PanelApi;
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::{Result, ports};
use reqwest::StatusCode;
use serde_json::Value;

use crate::world::{SELDOM, TIMES, World, eventually, kid, readiness, ready};

/// What an operator does to a keyring, without asking whether it is due.
struct Keys(KeyringFolder);

impl Keys {
    fn of(broker: &Gatepass) -> Self {
        Self(KeyringFolder::new(broker.data_dir().join("keyring"), Wrapping::none()))
    }

    fn now(&self) -> Result<Keyring> {
        Ok(self.0.open()?.ok_or("there is no keyring")?)
    }

    fn next(keyring: &Keyring) -> Option<KeyId> {
        let mut next = keyring.entries().iter().filter(|key| key.state == KeyState::Next);
        next.next().map(|key| key.kid.clone())
    }

    fn change(&self, decide: impl FnOnce(&Keyring) -> Vec<Action>) -> Result<Keyring> {
        let now = u64::try_from(System.now().secs())?;
        let decide = |keyring: &Keyring| Ok::<_, KeyringError>(decide(keyring));
        Ok(self.0.change(random_bytes(&System)?, now, "a test", decide)?)
    }

    /// Lets the key sign that is published ahead of use.
    async fn promote(&self) -> Result<Keyring> {
        eventually("a key is published ahead of use", async || Ok(Self::next(&self.now()?).is_some()))
            .await?;
        self.change(|keyring| {
            Self::next(keyring).map(|next| Action::Take(Step::Promote(next))).into_iter().collect()
        })
    }
}

/// A second broker with the data folder of the first, or with another.
fn beside(world: &World, data: &Path) -> Result<(Gatepass, PanelApi)> {
    let folder = world.folder.path().join("beside");
    fs::create_dir_all(&folder)?;
    std::os::unix::fs::symlink(data, folder.join("data"))?;
    let port = ports::free_port()?;
    let flags = [&["--bridge-url", &world.code.bridge], TIMES].concat();
    let broker =
        Gatepass::start_role("broker", &folder, &world.redis.url(), port, &world.broker.url(), &flags)?;
    let api = PanelApi::new(&broker.address(), world.api.site(), world.api.key());
    Ok((broker, api))
}

pub async fn a_bridge_follows_a_rotation_without_a_private_key() -> Result {
    let world = World::start(TIMES, None).await?;
    let first = world.log_in().await?;
    let early = world.api.issue("mia").await?;
    let second = Keys::of(&world.broker).promote().await?.active_kid().to_string();
    assert_ne!(first, second);
    eventually("the new key signs", async || Ok(world.log_in().await? == second)).await?;
    assert_eq!(world.redeem(early.token()).await?.ok()?["subject"], "mia", "a token of the key before");
    assert!(!world.bridge.data_dir().exists());
    Ok(())
}

pub async fn the_schedule_publishes_promotes_and_removes() -> Result {
    // A lead of 2 s; what is retired goes when the longest token, 5 s, can no longer be shown: a poke's 60 s and 20 more.
    let world = World::start(TIMES, None).await?;
    let keys = Keys::of(&world.broker);
    eventually("there is a next key", async || Ok(Keys::next(&keys.now()?).is_some())).await?;
    let (before, next) = (keys.now()?.active_kid().clone(), Keys::next(&keys.now()?).ok_or("none")?);
    keys.change(|_| vec![Action::AskRotation])?;
    eventually("it is promoted", async || Ok(*keys.now()?.active_kid() == next)).await?;
    eventually("another is published", async || Ok(Keys::next(&keys.now()?).is_some())).await?;
    let retired = keys.now()?.entries().iter().any(|key| key.kid == before && key.state == KeyState::Retired);
    assert!(retired, "the key before is not retired");
    let trail = world.broker.command(&["audit", "tail", "--json", "-n", "50"])?;
    for kind in ["key.published", "key.activated", "key.retired"] {
        eventually(kind, async || {
            Ok(world.broker.command(&["audit", "tail", "--json", "-n", "50"])?.contains(kind))
        })
        .await
        .map_err(|error| format!("{error}: {trail}"))?;
    }
    Ok(())
}

pub async fn of_two_brokers_on_one_keyring_one_rotates_and_the_other_signs_with_the_new_key() -> Result {
    let world = World::start(TIMES, None).await?;
    let (other, api) = beside(&world, &world.broker.data_dir())?;
    ready(&other).await?;
    let first = kid(api.issue("mia").await?.token())?;
    assert_eq!(first, world.log_in().await?);
    let second = Keys::of(&world.broker).promote().await?.active_kid().to_string();
    let began = std::time::Instant::now();
    eventually("the other broker signs with the new key", async || {
        Ok(kid(api.issue("mia").await?.token())? == second)
    })
    .await?;
    println!("the other broker followed within {:?}", began.elapsed());
    let issued = api.issue("mia").await?;
    assert_eq!(world.redeem(issued.token()).await?.ok()?["subject"], "mia");
    Ok(())
}

pub async fn a_broker_with_an_old_copy_says_so_and_signs_nothing() -> Result {
    let world = World::start(TIMES, None).await?;
    let keys = Keys::of(&world.broker);
    eventually("a key is published ahead of use", async || Ok(Keys::next(&keys.now()?).is_some())).await?;
    // A backup, or a mount that no longer follows.
    let copy = world.folder.path().join("copy");
    fs::create_dir_all(copy.join("keyring"))?;
    for file in fs::read_dir(world.broker.data_dir().join("keyring"))? {
        let file = file?;
        fs::copy(file.path(), copy.join("keyring").join(file.file_name()))?;
    }
    let (other, api) = beside(&world, &copy)?;
    ready(&other).await?;
    api.issue("mia").await?;

    let second = keys.promote().await?.active_kid().to_string();
    eventually("the first broker signs with the new key", async || Ok(world.log_in().await? == second))
        .await?;
    eventually("the other says that it is stale", async || {
        Ok(readiness(&other).await? == (503, "keyring_stale".to_owned()))
    })
    .await?;
    let body = serde_json::json!({ "subject": "mia" });
    let refused = api.site_call(reqwest::Method::POST, "/handoffs", Some(&body)).await?;
    assert_eq!((refused.status, refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "keyring_stale"));
    let changed = fs::read(copy.join("keyring/keyring.json"))?;

    // Nor does it change anything in its copy; and with the right folder it goes on by itself.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(fs::read(copy.join("keyring/keyring.json"))?, changed);
    for file in fs::read_dir(world.broker.data_dir().join("keyring"))? {
        let file = file?;
        fs::copy(file.path(), copy.join("keyring").join(file.file_name()))?;
    }
    ready(&other).await?;
    assert_eq!(kid(api.issue("mia").await?.token())?, second);
    Ok(())
}

pub async fn a_keyring_that_cannot_be_read_verifies_and_signs_nothing() -> Result {
    let world = World::start(SELDOM, None).await?;
    let issued = world.api.issue("mia").await?;
    let index = world.broker.data_dir().join("keyring/keyring.json");
    fs::write(&index, "{")?;
    eventually("the broker says so", async || {
        Ok(readiness(&world.broker).await? == (503, "keyring_stale".to_owned()))
    })
    .await?;
    let body = serde_json::json!({ "subject": "mia" });
    let refused = world.api.site_call(reqwest::Method::POST, "/handoffs", Some(&body)).await?;
    assert_eq!((refused.status, refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "keyring_stale"));
    assert_eq!(world.redeem(issued.token()).await?.ok()?["subject"], "mia");
    Ok(())
}

pub async fn a_revocation_that_nobody_finished_is_finished_by_a_broker() -> Result {
    // A bridge that fetches seldom: it knows the key still, and the store alone refuses.
    let world = World::start(SELDOM, None).await?;
    let issued = world.api.issue("mia").await?;
    let (revoked, reason): (KeyId, _) = (kid(issued.token())?.parse()?, "a test".to_owned());
    let keyring = Keys::of(&world.broker).change(|_| vec![Action::Revoke { kid: revoked, reason }])?;
    eventually("the token of the revoked key is refused", async || {
        let body = serde_json::json!({
            "token": issued.token(), "attempt": gatepass_tests::wordpress::new_attempt()?,
            "client_ip": null, "preview": true,
        });
        let answer = world.site.ask(&world.code, "/wp/v1/redemptions", &body).await?;
        assert_ne!(answer.code(), "handoff_invalid", "the bridge has forgotten the key");
        Ok(answer.code() == "handoff_revoked")
    })
    .await?;
    assert_eq!(world.log_in().await?, keyring.active_kid().to_string());
    eventually("it is announced", async || {
        Ok(world.broker.command(&["audit", "tail", "--json", "--kind", "key.revoked"])?.contains("a test"))
    })
    .await
}

pub async fn a_key_that_is_revoked_on_the_site_is_replaced_before_anything_is_issued() -> Result {
    let world = World::start(TIMES, None).await?;
    let store: Arc<dyn Store> = Arc::new(Redis::connect(&world.redis.url(), &Options::default()).await?);
    let keys = Keys::of(&world.broker);
    // More than once, so that the broker surely has the keyring of before at least once.
    for _ in 0..5 {
        eventually("there is a next key", async || Ok(Keys::next(&keys.now()?).is_some())).await?;
        let signs = kid(world.api.issue("mia").await?.token())?;
        let (kid_of_before, reason): (KeyId, _) = (signs.parse()?, "a test".to_owned());
        let revoked = kid_of_before.clone();
        let keyring = keys.change(|_| vec![Action::Revoke { kid: revoked, reason }])?;
        let context = Context::new("revoking".parse()?, Actor::Operator);
        let told = revoke_everywhere(&store, &kid_of_before, System.now(), &context).await?;
        assert!(told.sites.is_empty(), "{told:?}");
        let issued = world.api.issue("mia").await?;
        assert_eq!(kid(issued.token())?, keyring.active_kid().to_string());
        assert_eq!(world.redeem(issued.token()).await?.ok()?["subject"], "mia");
    }
    Ok(())
}

pub async fn no_token_lives_longer_than_the_operator_lets_it() -> Result {
    let world = World::start(&["--max-token-lifetime", "30"], None).await?;
    let issue =
        async |body: Value| world.api.site_call(reqwest::Method::POST, "/handoffs", Some(&body)).await;
    let too_long = issue(serde_json::json!({ "subject": "mia", "ttl": 31 })).await?;
    assert_eq!(
        (too_long.code(), &too_long.body["errors"][0]["field"]),
        ("validation_failed", &Value::from("ttl"))
    );
    issue(serde_json::json!({ "subject": "mia", "ttl": 30 })).await?.ok()?;
    // The site's own policy says 60.
    let issued = issue(serde_json::json!({ "subject": "mia" })).await?.ok()?;
    let expires_at: Timestamp = serde_json::from_value(issued["expires_at"].clone())?;
    assert!(System.now().age_at(expires_at) <= Duration::from_secs(30), "{issued}");
    Ok(())
}

pub async fn a_site_gets_the_signed_sets_that_lead_from_its_own_to_the_present_one() -> Result {
    let world = World::start(TIMES, None).await?;
    let proof = || world.site.proof(&world.site.claims(&world.code));
    let sets = async |after: u64| -> Result<Value> {
        let path = format!("/wp/v1/key-sets?after={after}");
        world.site.get(&world.code, &path, Some(&proof())).await?.ok()
    };
    let keyring = Keys::of(&world.broker).promote().await?;
    let mut pinned = keyring.signed_sets()[0].clone();
    eventually("the bridge has the new set", async || {
        Ok(sets(0).await?["version"].as_u64() >= Some(keyring.revision()))
    })
    .await?;
    let answer = sets(pinned.version).await?;
    let signed = answer["key_sets"].as_array().ok_or("no sets")?;
    assert!(!signed.is_empty());
    for set in signed {
        let set = gatepass_keys::SignedKeySet::parse(set.as_str().ok_or("no text")?)?;
        assert!(set.version > pinned.version);
        set.verify(&pinned.key_set())?;
        pinned = set;
    }
    assert_eq!(Some(pinned.version), answer["version"].as_u64());
    assert!(
        pinned
            .keys
            .iter()
            .any(|(key, state)| *state == KeyState::Active && key.kid() == keyring.active_kid())
    );
    assert_eq!(sets(pinned.version).await?["key_sets"], serde_json::json!([]));

    // Every answer that a site hears anyway says the version.
    let changes = world.site.changes(&world.code, 0, None).await?.ok()?;
    assert_eq!(changes["keys_version"].as_u64(), Some(pinned.version));
    let redeemed = world.redeem(world.api.issue("mia").await?.token()).await?.ok()?;
    assert_eq!(redeemed["keys_version"].as_u64(), Some(pinned.version));
    let wrong = world.site.get(&world.code, "/wp/v1/key-sets?after=x", Some(&proof())).await?;
    assert_eq!(wrong.code(), "validation_failed");
    let nobody = world.site.get(&world.code, "/wp/v1/key-sets?after=0", None).await?;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    Ok(())
}

pub async fn a_machine_without_the_keyring_makes_no_pairing_code_and_no_keyring() -> Result {
    let world = World::start(TIMES, None).await?;
    let site = world.code.site.as_str();
    for command in [
        ["site", "pairing-code", site, "--replace"].as_slice(),
        &["site", "move", site, "http://127.0.0.1:9", "--yes"],
        &["site", "add", "http://127.0.0.1:9"],
    ] {
        let refused = world.bridge.command(command).err().ok_or("taken")?.to_string();
        assert!(refused.contains("made where the keyring is"), "{command:?}: {refused}");
    }
    assert!(!world.bridge.data_dir().join("keyring").exists());
    world.log_in().await?;
    assert!(!world.broker.command(&["site", "list"])?.contains("127.0.0.1:9 "));
    Ok(())
}

pub async fn a_pairing_code_of_before_a_rotation_still_pairs() -> Result {
    let world = World::start(TIMES, None).await?;
    let keys = Keys::of(&world.broker);
    eventually("a key is published ahead of use", async || Ok(Keys::next(&keys.now()?).is_some())).await?;
    let promised = keys.now()?.key_set().digest();
    let site = gatepass_tests::fake_site::FakeSite::start()?;
    let code = world.broker.add_site(&site.url, &[])?.pairing_code;
    let code = gatepass_tests::fake_site::PairingCode::read(&code)?;
    // Another key signs, and yet another is published: the set is no longer the one that was promised.
    keys.promote().await?;
    eventually("another key is published", async || Ok(Keys::next(&keys.now()?).is_some())).await?;
    let present = keys.now()?;
    assert_ne!(present.key_set().digest(), promised);
    eventually("the bridge has the new set", async || {
        let path = "/wp/v1/key-sets?after=0";
        let proof = world.site.proof(&world.site.claims(&world.code));
        let version = &world.site.get(&world.code, path, Some(&proof)).await?.ok()?["version"];
        Ok(version.as_u64() >= Some(present.revision()))
    })
    .await?;
    let mut body = site.pairing(&code);
    body["keys_fingerprint"] = serde_json::json!(promised);
    let answer = site.post(&code, "/wp/v1/pairings", None, &body).await?.ok()?;
    assert!(answer["key_set"]["version"].as_u64() < Some(present.revision()));
    let set: gatepass_keys::JwkSet = serde_json::from_value(answer["key_set"].clone())?;
    let keys = set
        .keys
        .iter()
        .map(gatepass_keys::VerificationKey::from_jwk)
        .collect::<std::result::Result<Vec<_>, _>>()?;
    assert_eq!(gatepass_keys::KeySet::new(keys).digest(), promised);
    let keys = answer["key_set"]["keys"].as_array().ok_or("no keys")?;
    assert_eq!(keys.iter().filter(|key| key["status"] == "active").count(), 1, "{answer}");

    // Whoever is promised nothing gets the present set.
    body["keys_fingerprint"] = Value::Null;
    let answer = site.post(&code, "/wp/v1/pairings", None, &body).await?.ok()?;
    assert!(answer["key_set"]["version"].as_u64() >= Some(present.revision()));
    Ok(())
}

pub async fn no_other_process_of_the_user_looks_into_the_keys() -> Result {
    let mut world = World::start(TIMES, None).await?;
    let pid = world.broker.service().pid();
    let limits = fs::read_to_string(format!("/proc/{pid}/limits"))?;
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).ok_or("no such limit")?;
    let words: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{core}");
    Ok(())
}
