//! Heartbeats: what is kept of them, and how little a stolen site key can write.

use std::sync::Arc;
use std::time::Duration;

use gatepass_core::SiteId;
use gatepass_core::heartbeat::{Heard, Heartbeat};
use gatepass_core::limit::{Bucket, Limited};
use gatepass_core::site::{Site, Versions};
use gatepass_core::trail::{Reading, Trail};
use gatepass_keys::SigningKey;

use crate::pairing::{proven, put_code};
use crate::stage::{Stage, T0, after, context, new_site};

const MINUTE: u64 = 60_000;

/// A paired site.
async fn paired(stage: &Stage) -> SiteId {
    let site = stage.site().await;
    put_code(&*stage.store, site, "code", true, T0).await;
    stage.store.pair(site, &proven("code", 1), T0, &context()).await.unwrap();
    site
}

/// What the site says that key 1 paired.
pub fn heartbeat() -> Heartbeat {
    Heartbeat {
        kid: SigningKey::generate([1; 32]).kid().clone(),
        url: "https://example.com/".parse().unwrap(),
        landing_url: proven("code", 1).paired.landing_url,
        versions: Versions {
            plugin: "1.0".into(),
            wordpress: "6.8".into(),
            php: "8.2".into(),
            keys: "3".into(),
        },
        checks: serde_json::from_str(r#"{"rest_api": "good", "https": "critical"}"#).unwrap(),
    }
}

fn moved(number: u64) -> Heartbeat {
    let landing_url = format!("https://example.com/enter-{number}?action=gatepass").parse().unwrap();
    Heartbeat { landing_url, ..heartbeat() }
}

async fn hear(stage: &Stage, site: SiteId, heartbeat: &Heartbeat, millis: u64) -> Heard {
    stage.store.hear(site, heartbeat, after(millis), &context()).await.unwrap()
}

async fn read(stage: &Stage, site: SiteId) -> Site {
    stage.store.site(site).await.unwrap().unwrap()
}

pub async fn what_a_site_says_is_kept_and_the_same_again_every_five_minutes(stage: &Stage) {
    let site = paired(stage).await;
    let trail = stage.trail(site).await;
    assert!(read(stage, site).await.pulse.seen.is_none());
    let newer = Heartbeat { versions: Versions::default(), ..heartbeat() };
    for (millis, said, heard, seen_at) in [
        (1, heartbeat(), Heard::Kept, 1),
        (2, heartbeat(), Heard::Known, 1),
        (5 * MINUTE, heartbeat(), Heard::Known, 1),
        (5 * MINUTE + 1, heartbeat(), Heard::Kept, 5 * MINUTE + 1),
        (5 * MINUTE + 2, newer.clone(), Heard::Kept, 5 * MINUTE + 2),
        (60 * MINUTE, newer.clone(), Heard::Kept, 60 * MINUTE),
        // The clock was put back.
        (10 * MINUTE, newer, Heard::Kept, 10 * MINUTE),
    ] {
        assert_eq!(hear(stage, site, &said, millis).await, heard, "at {millis}");
        let seen = read(stage, site).await.pulse.seen.unwrap();
        assert_eq!(seen.at, after(seen_at), "at {millis}");
        assert_eq!((seen.versions, seen.checks), (said.versions, said.checks));
    }
    assert_eq!(stage.trail(site).await, trail, "that a site lives is no event");
}

pub async fn a_landing_page_that_has_moved_is_taken_and_told_to_the_trail(stage: &Stage) {
    let site = paired(stage).await;
    let before = read(stage, site).await;
    hear(stage, site, &heartbeat(), 1).await;
    assert_eq!(hear(stage, site, &moved(1), 2).await, Heard::Kept);
    let mut expected = before.paired.unwrap();
    expected.landing_url = moved(1).landing_url;
    assert_eq!(read(stage, site).await.paired, Some(expected), "and nothing else has changed");
    let event = stage.store.events(&Trail::Site(site), Reading::After(0), 100).await.unwrap().pop().unwrap();
    assert_eq!((event.kind.as_str(), event.at), ("site.updated", after(2)));
    assert!(event.context.note.unwrap().contains("https://example.com/enter-1?action=gatepass"));

    // It goes on by its key.
    put_code(&*stage.store, site, "again", false, after(3)).await;
    let again = gatepass_core::pairing::Proven { replaces: Some(heartbeat().kid), ..proven("again", 2) };
    stage.store.pair(site, &again, after(3), &context()).await.unwrap();
    assert_eq!(read(stage, site).await.paired, Some(again.paired));
}

pub async fn a_copy_is_refused_and_told_to_the_trail_once_in_ten_minutes(stage: &Stage) {
    let site = paired(stage).await;
    let before = read(stage, site).await;
    let told = async || {
        let trail = stage.trail(site).await;
        trail.iter().filter(|line| *line == "site.heartbeat_refused: identity_conflict").count()
    };
    for (url, millis, times) in [
        ("https://staging.example.com/", 0, 1),
        ("https://example.com:8443/", 1, 1),
        ("http://127.0.0.1/", 10 * MINUTE - 1, 1),
        ("https://example.com.evil.test/", 10 * MINUTE, 2),
        ("https://mia@example.com/", 20 * MINUTE, 3),
        ("https://example.com/staging", 30 * MINUTE, 4),
    ] {
        let copy = Heartbeat { url: url.parse().unwrap(), ..moved(1) };
        assert_eq!(hear(stage, site, &copy, millis).await, Heard::Elsewhere, "{url}");
        assert_eq!(told().await, times, "{url} at {millis}");
    }
    let after_all = read(stage, site).await;
    assert_eq!((after_all.paired, after_all.pulse.seen), (before.paired, None), "nothing of it is kept");
    let event = stage.store.events(&Trail::Site(site), Reading::After(0), 100).await.unwrap().into_iter().nth(3).unwrap();
    assert!(event.context.note.unwrap().contains("https://staging.example.com"));
    assert_eq!(hear(stage, site, &heartbeat(), 1).await, Heard::Kept, "the real one goes on");
}

pub async fn only_the_key_of_the_pairing_is_heard(stage: &Stage) {
    let site = paired(stage).await;
    let trail = stage.trail(site).await;
    let other = Heartbeat { kid: SigningKey::generate([2; 32]).kid().clone(), ..moved(1) };
    assert_eq!(hear(stage, site, &other, 1).await, Heard::NotPaired);
    let unpaired = stage.site_of("default", "https://unpaired.example").await;
    let unknown = new_site("default", "https://x.example").id;
    for nowhere in [unpaired, unknown] {
        assert_eq!(hear(stage, nowhere, &heartbeat(), 1).await, Heard::NotPaired);
    }
    assert_eq!(stage.trail(site).await, trail);
    stage.store.remove_site(site, T0, &context()).await.unwrap();
    assert_eq!(hear(stage, site, &heartbeat(), 1).await, Heard::NotPaired);
    assert!(stage.store.site(site).await.unwrap().is_none());
}

pub async fn a_site_changes_only_so_often(stage: &Stage) {
    let site = paired(stage).await;
    for number in 0..10 {
        assert_eq!(hear(stage, site, &moved(number), 0).await, Heard::Kept);
    }
    let full = Heard::Limited(Limited { bucket: Bucket::Site, retry_after: Duration::from_secs(6) });
    let before = (read(stage, site).await, stage.trail(site).await);
    for number in 10..20 {
        assert_eq!(hear(stage, site, &moved(number), 0).await, full);
    }
    assert_eq!((read(stage, site).await, stage.trail(site).await), before, "not a word was written");
    assert_eq!(hear(stage, site, &moved(9), 0).await, Heard::Known, "the same again is no change");
    assert_eq!(hear(stage, site, &moved(10), 6_000).await, Heard::Kept);
    assert_eq!(hear(stage, site, &moved(11), 6_000).await, full);
}

pub async fn of_racing_heartbeats_one_is_written(stage: &Stage) {
    let site = paired(stage).await;
    for round in 0..10 {
        let mut racers = tokio::task::JoinSet::new();
        for number in 0..16 {
            let store = Arc::clone(if number % 2 == 0 { &stage.store } else { &stage.other });
            let now = after(round * MINUTE);
            racers.spawn(async move { store.hear(site, &moved(round), now, &context()).await.unwrap() });
        }
        let heard = racers.join_all().await;
        let count = |what| heard.iter().filter(|heard| **heard == what).count();
        assert_eq!((count(Heard::Kept), count(Heard::Known)), (1, 15), "{heard:?}");
    }
    let trail = stage.trail(site).await;
    assert_eq!(trail.iter().filter(|line| *line == "site.updated").count(), 10);
}
