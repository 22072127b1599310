//! The bridge has the issuer's keys over HTTP.

use std::time::{Duration, Instant};

use gatepass_tests::fake_jwks::{FakeJwks, Served, published};
use gatepass_tests::forge::strange_key;
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::redis::Redis;
use gatepass_tests::{Result, ports};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::{SELDOM, TIMES, World, eventually, readiness, ready};

pub async fn a_bridge_redeems_without_a_private_key() -> Result {
    let world = World::start(TIMES, None).await?;
    world.log_in().await?;
    assert!(world.broker.data_dir().join("keyring").is_dir());
    assert!(!world.bridge.data_dir().exists(), "the bridge made a data folder");
    // Each serves what is its own, and nothing else.
    let status = async |url: String| reqwest::Client::builder().no_proxy().build()?.get(url).send().await;
    for (url, expected) in [
        (format!("{}/wp/v1/changes", world.broker.address()), 404),
        (format!("{}/v1/sites", world.broker.address()), 401),
        (format!("{}/wp/v1/changes", world.bridge.address()), 401),
        (format!("{}/v1/sites", world.bridge.address()), 404),
        (format!("{}/.well-known/jwks.json", world.bridge.address()), 404),
    ] {
        assert_eq!(status(url.clone()).await?.status().as_u16(), expected, "{url}");
    }
    Ok(())
}

pub async fn invented_key_ids_cost_one_fetch_a_second_and_hide_no_fresh_key() -> Result {
    let (known, fresh) = (strange_key()?, strange_key()?);
    let jwks = FakeJwks::start(Served::Body(published(1, &[&known])))?;
    let world = World::start(SELDOM, Some(&jwks)).await?;
    assert!(world.takes(&known).await?);
    assert_eq!(jwks.fetched(), 1, "a key that is known was fetched again");

    let (began, before) = (Instant::now(), jwks.fetched());
    let invent = async || -> Result {
        while began.elapsed() < Duration::from_secs(4) {
            assert!(!world.takes(&strange_key()?).await?);
        }
        Ok(())
    };
    let rotate = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        jwks.serves(Served::Body(published(2, &[&known, &fresh])));
        // The very first token of a fresh key, in the midst of invented ones.
        assert!(world.takes(&fresh).await?, "a fresh key was hidden by invented ones");
        Result::Ok(())
    };
    tokio::try_join!(invent(), invent(), invent(), invent(), invent(), invent(), rotate)?;
    let fetches = u64::try_from(jwks.fetched() - before)?;
    let seconds = began.elapsed().as_secs();
    println!("{fetches} fetches in {:?}", began.elapsed());
    assert!(fetches <= seconds + 2, "{fetches} fetches in {seconds} s");
    assert!(fetches >= 2, "no fetch for an unknown key");
    Ok(())
}

pub async fn a_bridge_goes_on_while_the_broker_is_away() -> Result {
    let mut world = World::start(TIMES, None).await?;
    // One bridge has a folder, the other has none.
    let folder = world.folder.path().join("kept");
    std::fs::create_dir_all(folder.join("data"))?;
    let port = ports::free_port()?;
    let start = |folder: &std::path::Path, port, public_url: &str| {
        let bridge_url = format!("http://127.0.0.1:{port}");
        let flags = [&["--bridge-url", &bridge_url], TIMES].concat();
        Gatepass::start_role("bridge", folder, &world.redis.url(), port, public_url, &flags)
    };
    let mut kept = start(&folder, port, &world.broker.url())?;
    ready(&kept).await?;
    eventually("the keys are on disk", async || Ok(kept.data_dir().join("jwks.json").is_file())).await?;

    let tokens =
        [world.api.issue("mia").await?, world.api.issue("mia").await?, world.api.issue("mia").await?];
    world.broker.service().stop();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(readiness(&world.bridge).await?.0, 200);
    assert_eq!(world.redeem(tokens[0].token()).await?.ok()?["subject"], "mia");
    // A key that it does not know may be the issuer's all the same.
    let unknown = world.redeem(&world.token(&strange_key()?)?).await?;
    assert_eq!((unknown.status, unknown.code()), (StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable"));

    kept.restart()?;
    ready(&kept).await?;
    let through_kept =
        gatepass_tests::fake_site::PairingCode { bridge: kept.address(), ..world.code.clone() };
    let body = json!({ "token": tokens[1].token(), "attempt": gatepass_tests::wordpress::new_attempt()?, "client_ip": null });
    assert_eq!(world.site.ask(&through_kept, "/wp/v1/redemptions", &body).await?.ok()?["subject"], "mia");

    // Without a folder there is nothing to go on with, until the broker is back.
    world.bridge.restart()?;
    assert_eq!(readiness(&world.bridge).await?, (503, "keys_unavailable".to_owned()));
    let refused = world.redeem(tokens[2].token()).await?;
    assert_eq!((refused.status, refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable"));
    world.broker.restart()?;
    ready(&world.bridge).await?;
    assert_eq!(world.redeem(tokens[2].token()).await?.ok()?["subject"], "mia");
    Ok(())
}

pub async fn what_is_no_key_set_of_the_issuer_changes_nothing() -> Result {
    let (known, other) = (strange_key()?, strange_key()?);
    let jwks = FakeJwks::start(Served::Body(published(7, &[&known])))?;
    let world = World::start(SELDOM, Some(&jwks)).await?;
    let vary = |change: &dyn Fn(&mut Value)| -> Result<Served> {
        let mut set: Value = serde_json::from_str(&published(8, &[&other]))?;
        change(&mut set);
        Ok(Served::Body(set.to_string()))
    };
    let good: Value = serde_json::from_str(&published(8, &[&other]))?;
    let key = good["keys"][0].clone();
    let many = (0..65)
        .map(|_| Ok(serde_json::from_str::<Value>(&published(8, &[&strange_key()?]))?["keys"][0].clone()));
    let many = many.collect::<Result<Vec<Value>>>()?;
    let rsa = json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB", "use": "sig" });
    for (why, served) in [
        ("too large", vary(&|set| set["padding"] = json!("x".repeat(256 * 1024)))?),
        ("too many keys", vary(&|set| set["keys"] = json!(many))?),
        ("no keys", vary(&|set| set["keys"] = json!([]))?),
        ("an RSA key beside it", vary(&|set| set["keys"] = json!([key, rsa]))?),
        ("another curve", vary(&|set| set["keys"][0]["crv"] = json!("X25519"))?),
        ("for encryption", vary(&|set| set["keys"][0]["use"] = json!("enc"))?),
        ("another key's id", vary(&|set| set["keys"][0]["kid"] = json!(known.kid()))?),
        (
            "a key of small order",
            vary(&|set| set["keys"][0] = json!({ "kty": "OKP", "crv": "Ed25519", "x": "A".repeat(43) }))?,
        ),
        ("no version", vary(&|set| set["version"] = Value::Null)?),
        ("an older version", Served::Body(published(6, &[&other]))),
        ("a redirect", Served::Redirect(published(8, &[&other]))),
        ("not JSON", Served::Body("<p>Please wait…</p>".to_owned())),
        ("an error", Served::Status(500, published(8, &[&other]))),
        ("not modified, though nothing was asked", Served::Status(304, String::new())),
    ] {
        let before = jwks.fetched();
        jwks.serves(served);
        let answer = world.redeem(&world.token(&other)?).await?;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable"),
            "{why}"
        );
        assert_eq!(jwks.fetched(), before + 1, "{why}");
        assert!(world.takes(&known).await?, "{why}: the last good copy is gone");
        assert_eq!(readiness(&world.bridge).await?.0, 200, "{why}");
    }
    jwks.serves(Served::Body(published(8, &[&other])));
    assert!(world.takes(&other).await?, "what is good is not taken");
    assert!(!world.takes(&known).await?, "a key that is no longer published is still taken");
    Ok(())
}

pub async fn a_bridge_that_never_had_keys_says_so() -> Result {
    let folder = tempfile::tempdir()?;
    let redis = Redis::start(&folder.path().join("redis"))?;
    let jwks = FakeJwks::start(Served::Status(503, String::new()))?;
    let (port, public_url) = (ports::free_port()?, "http://127.0.0.1:9".to_owned());
    let flags = ["--jwks-url", &jwks.url];
    let bridge = Gatepass::start_role("bridge", folder.path(), &redis.url(), port, &public_url, &flags)?;
    assert_eq!(readiness(&bridge).await?, (503, "keys_unavailable".to_owned()));
    jwks.serves(Served::Body(published(1, &[&strange_key()?])));
    ready(&bridge).await
}

pub async fn the_published_keys_are_asked_for_by_their_tag() -> Result {
    let flags = [TIMES, &["--jwks-max-age", "77"]].concat();
    let world = World::start(&flags[2..], None).await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{}/.well-known/jwks.json", world.broker.url());
    let whole = http.get(&url).send().await?;
    let header = |answer: &reqwest::Response, name: &str| {
        answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    assert_eq!(header(&whole, "cache-control"), "public, max-age=77");
    let tag = header(&whole, "etag");
    assert!(tag.starts_with('"'), "{tag} is no strong tag");
    for (asked, expected) in
        [(tag.as_str(), 304), ("*", 304), ("\"other\"", 200), (&format!("\"x\", {tag}"), 304)]
    {
        let answer = http.get(&url).header("if-none-match", asked).send().await?;
        assert_eq!(answer.status().as_u16(), expected, "{asked}");
        assert_eq!(
            (header(&answer, "etag"), header(&answer, "cache-control")),
            (tag.clone(), "public, max-age=77".to_owned())
        );
        assert_eq!(answer.text().await?.is_empty(), expected == 304, "{asked}");
    }
    Ok(())
}

pub async fn a_role_says_what_it_needs() -> Result {
    let folder = tempfile::tempdir()?;
    let started = |role: &str, store: &str, flags: &[&str]| {
        let program = gatepass_tests::fixtures::built("GATEPASS_BIN", "gatepass")?;
        let mut command = std::process::Command::new(program);
        command.args([role, "--store", store]).args(flags).current_dir(folder.path());
        let output = command.output()?;
        Result::Ok((output.status.code(), String::from_utf8(output.stderr)?))
    };
    for role in ["broker", "bridge"] {
        let (status, said) = started(role, "sqlite", &[])?;
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains("redis://"), "{said}");
    }
    let (status, said) = started("bridge", "redis://127.0.0.1:9", &[])?;
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("--public-url"), "{said}");
    assert!(!folder.path().join("gatepass-data").exists());
    Ok(())
}
