//! Carrying out what [`plan`] says is due. Any number of brokers may do so at once: who comes second finds, under the
//! keyring's lock, that there is nothing to do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatepass_core::clock::random_bytes;
use gatepass_keys::{Action, Keyring, KeyringError, Planned, RotationPolicy, Step, plan};
use tokio::task::spawn_blocking;

use super::Place;

/// How long to wait after a step that could not be taken.
const PAUSE: Duration = Duration::from_secs(20);

/// What the trail says of who did it.
const BY: &str = "the schedule";

/// When to go on.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    not_before: Option<Instant>,
}

impl Schedule {
    /// Takes one step, if one is due. Whether it was taken.
    pub(super) async fn run(&mut self, place: &Place, keyring: &Keyring) -> bool {
        if self.not_before.is_some_and(|at| Instant::now() < at)
            || due(keyring, &place.policy, place.secs()).is_none()
        {
            return false;
        }
        match step(place).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the keys are not rotated as they should be");
                self.not_before = Some(Instant::now() + PAUSE);
                false
            }
        }
    }
}

fn due(keyring: &Keyring, policy: &RotationPolicy, now: u64) -> Option<Step> {
    let first = plan(keyring.entries(), policy, keyring.rotation_asked(), now).into_iter().next();
    first.filter(|Planned { at, .. }| *at <= now).map(|planned| planned.step)
}

async fn step(place: &Place) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (folder, policy, now) = (Arc::clone(&place.folder), place.policy, place.secs());
    let seed = random_bytes(place.ambient.rng())?;
    spawn_blocking(move || {
        let decide = |keyring: &Keyring| {
            Ok::<_, KeyringError>(due(keyring, &policy, now).map(Action::Take).into_iter().collect())
        };
        folder.change(seed, now, BY, decide)
    })
    .await??;
    Ok(())
}
