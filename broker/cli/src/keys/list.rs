//! What there is, and what comes.

use gatepass_core::Timestamp;
use gatepass_keys::{KeyEntry, KeyState, Planned, Step, plan};
use serde_json::{Value, json};

use super::present;
use crate::config::Config;
use crate::error::Failure;
use crate::{open, output};

pub(super) fn list(config: &Config) -> Result<(), Failure> {
    let keyring = present(&open::keyring_folder(config))?;
    let now = open::now();
    let planned = plan(keyring.entries(), &config.keys.policy(), keyring.rotation_asked(), now);
    let about = |kid| planned.iter().find(|planned| step(&planned.step).1 == Some(kid));
    let keys: Vec<Value> = keyring
        .entries()
        .iter()
        .map(|entry| {
            let mut key = json!(entry);
            if let (Some(key), Some(planned)) = (key.as_object_mut(), about(&entry.kid)) {
                key.insert("planned".to_owned(), shown(planned));
            }
            key
        })
        .collect();
    let steps: Vec<Value> = planned.iter().map(shown).collect();
    let answer = json!({
        "revision": keyring.revision(), "rotation_asked": keyring.rotation_asked(), "keys": keys, "planned": steps,
    });
    output::answer(config, &answer, || {
        let rows: Vec<_> = keyring
            .entries()
            .iter()
            .map(|entry| {
                let since = since(entry);
                let comes = about(&entry.kid).map(|planned| said(planned, now));
                [
                    entry.kid.to_string(),
                    entry.state.as_str().to_owned(),
                    age(now.saturating_sub(since)),
                    time(since),
                    comes.or_else(|| entry.reason.clone()).unwrap_or_default(),
                ]
            })
            .collect();
        let mut table = output::table(["KID", "STATE", "FOR", "SINCE", "NEXT"], &rows);
        for planned in planned.iter().filter(|planned| planned.step == Step::Publish) {
            table = format!("{table}\nA new key {}.", said(planned, now));
        }
        table
    })
}

/// Since when it is what it is.
fn since(entry: &KeyEntry) -> u64 {
    let since = match entry.state {
        KeyState::Next => None,
        KeyState::Active => entry.activated_at,
        KeyState::Retired => entry.retired_at,
        KeyState::Removed | KeyState::Revoked => entry.ended_at,
    };
    since.unwrap_or(entry.created_at)
}

fn step(step: &Step) -> (&'static str, Option<&gatepass_keys::KeyId>) {
    match step {
        Step::Publish => ("publish", None),
        Step::Promote(kid) => ("promote", Some(kid)),
        Step::Remove(kid) => ("remove", Some(kid)),
    }
}

fn shown(planned: &Planned) -> Value {
    let (step, kid) = step(&planned.step);
    json!({ "step": step, "kid": kid, "at": time(planned.at) })
}

fn said(planned: &Planned, now: u64) -> String {
    let what = match planned.step {
        Step::Publish => "is published",
        Step::Promote(_) => "signs",
        Step::Remove(_) => "is removed",
    };
    if planned.at <= now {
        return format!("{what} as soon as a broker runs, or with gatepass keys rotate");
    }
    format!("{what} in {}, {}", age(planned.at - now), time(planned.at))
}

pub(super) fn time(seconds: u64) -> String {
    Timestamp::from_secs(seconds.try_into().unwrap_or(i64::MAX)).to_string()
}

/// A span in its greatest unit.
pub(super) fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
