//! A planned rotation, which ends nothing.

use std::time::Duration;

use gatepass_keys::{Action, Keyring, Planned, Step, plan};
use serde_json::json;

use super::{At, list, told};
use crate::args::Consent;
use crate::error::Failure;
use crate::{open, output};

/// How often it is looked whether the time has come.
const LOOK: Duration = Duration::from_millis(500);

pub(super) async fn rotate(at: &At<'_>, wait: bool, consent: Consent) -> Result<(), Failure> {
    if consent.dry_run {
        return planned(at, &at.keyring()?);
    }
    let before = at.keyring()?.active_kid().clone();
    let mut keyring = step(at, true).await?;
    told::tell(at, &keyring, &[]).await?;
    while wait && *keyring.active_kid() == before {
        tokio::time::sleep(LOOK).await;
        let revision = keyring.revision();
        keyring = step(at, false).await?;
        if keyring.revision() != revision {
            told::tell(at, &keyring, &[]).await?;
        }
    }
    if *keyring.active_kid() == before {
        return planned(at, &keyring);
    }
    let active = keyring.active_kid();
    eprintln!("{active} signs from now on. What {before} signed stays good until it expires.");
    let answer = json!({ "active": active, "retired": before, "revision": keyring.revision() });
    if at.config.json { output::answer(at.config, &answer, String::new) } else { Ok(()) }
}

/// Carries out what is due, under the lock; with `ask`, the promotion first is asked for.
async fn step(at: &At<'_>, ask: bool) -> Result<Keyring, Failure> {
    let (policy, now) = (at.config.keys.policy(), open::now());
    let decide = |keyring: &Keyring| {
        let asked = ask || keyring.rotation_asked();
        let due =
            plan(keyring.entries(), &policy, asked, now).into_iter().filter(|planned| planned.at <= now);
        let mut actions: Vec<Action> = due.map(|planned| Action::Take(planned.step)).collect();
        if actions.iter().any(|action| matches!(action, Action::Take(Step::Promote(_)))) {
            // The one after it is published in the same breath, if there is room.
            let room = keyring.key_set().iter().count() < gatepass_keys::MAX_PUBLISHED;
            actions.extend(room.then_some(Action::Take(Step::Publish)));
        } else if ask && !keyring.rotation_asked() {
            actions.push(Action::AskRotation);
        }
        Ok(actions)
    };
    at.change(decide).await
}

fn planned(at: &At<'_>, keyring: &Keyring) -> Result<(), Failure> {
    let now = open::now();
    let planned = plan(keyring.entries(), &at.config.keys.policy(), true, now);
    let promotion = planned.iter().find(|planned| matches!(planned.step, Step::Promote(_)));
    let (kid, when) = match promotion {
        Some(Planned { step: Step::Promote(kid), at }) => (Some(kid), Some(*at)),
        _ => (None, None),
    };
    match (kid, when) {
        (Some(kid), Some(when)) if when <= now => eprintln!("{kid} can sign at once."),
        (Some(kid), Some(when)) => eprintln!(
            "{kid} signs in {}, at {}: by then every verifier has it. A running broker sees to it, or --wait.",
            list::age(when - now),
            list::time(when)
        ),
        _ => eprintln!("A new key is published first; it signs when every verifier has it."),
    }
    let answer = json!({ "next": kid, "signs_at": when.map(list::time), "revision": keyring.revision() });
    if at.config.json { output::answer(at.config, &answer, String::new) } else { Ok(()) }
}
