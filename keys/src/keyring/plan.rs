//! What is to be done with the keys, and when: a pure function of the keyring, the policy and the time.
//!
//! Two promises hold whatever the order of events. A key signs only after every verifier that keeps to the policy
//! can have it; and it is removed only after the last token that it can have signed is dead. Who carries the steps
//! out (the schedule of a broker, or somebody at a command line) decides nothing.

use super::{KeyEntry, KeyState};
use crate::KeyId;

/// The most keys that are published at a time. Verifiers refuse sets of more than twice as many.
pub const MAX_PUBLISHED: usize = 30;

/// How keys are rotated. All in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationPolicy {
    /// How long a key signs; `None`: until somebody asks for a rotation.
    pub lifetime: Option<u64>,
    /// How long a key must have been published before it signs: as long as a verifier may hold an older set, and by
    /// how much clocks may differ.
    pub lead: u64,
    /// How long a retired key must go on verifying: the life of the longest token, and by how much clocks may differ.
    pub tail: u64,
}

/// How long what depends on keys takes to end. All in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    /// The longest life of anything signed, by the signer's clock, with all that a verifier adds.
    pub token_life: u64,
    /// For how long a cache may keep the published keys.
    pub jwks_max_age: u64,
    /// How often a verifier asks for them.
    pub jwks_refresh: u64,
    /// The most by which the clocks of any two machines differ.
    pub clock_skew: u64,
}

impl Delays {
    /// The shortest times that keep both promises. `lifetime` is that of a key.
    pub fn policy(&self, lifetime: Option<u64>) -> RotationPolicy {
        let Self { token_life, jwks_max_age, jwks_refresh, clock_skew } = *self;
        RotationPolicy {
            lifetime,
            // Who published and who promotes may be two machines.
            lead: jwks_max_age.saturating_add(jwks_refresh).saturating_add(clock_skew),
            // Likewise who retired and who removes; and on top of it who signed and who verifies.
            tail: token_life.saturating_add(clock_skew).saturating_add(clock_skew),
        }
    }
}

/// One thing to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make the key that will sign next, and publish it.
    Publish,
    /// Let this key sign, and retire the one that did.
    Promote(KeyId),
    /// Believe this key no more.
    Remove(KeyId),
}

/// A step, and when it is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// What.
    pub step: Step,
    /// From when on, in seconds since 1970. Due is what is not after now.
    pub at: u64,
}

/// What comes next, by time; of one time in the order in which it is to be done.
///
/// `rotation_asked`: somebody wants the next key to sign as soon as it may. A clock that was put back delays steps,
/// and never hastens one: ages are counted from the times written, and before the last of these nothing is done.
pub fn plan(keys: &[KeyEntry], policy: &RotationPolicy, rotation_asked: bool, now: u64) -> Vec<Planned> {
    let mut steps = Vec::new();
    let removals = keys.iter().filter(|key| key.state == KeyState::Retired).map(|key| {
        // One without a time was retired by nobody we know: its time begins when that is seen.
        let at = key.retired_at.unwrap_or(now).saturating_add(policy.tail);
        Planned { step: Step::Remove(key.kid.clone()), at }
    });
    steps.extend(removals);
    let next = keys.iter().filter(|key| key.state == KeyState::Next).min_by_key(|key| key.created_at);
    if let Some(next) = next {
        let ripe = next.created_at.saturating_add(policy.lead);
        let active = keys.iter().find(|key| key.state == KeyState::Active);
        let worn = match (active, policy.lifetime) {
            (None, _) => Some(0),
            _ if rotation_asked => Some(0),
            (Some(_), None) => None,
            (Some(active), Some(lifetime)) => {
                Some(active.activated_at.unwrap_or(active.created_at).saturating_add(lifetime))
            }
        };
        steps.extend(worn.map(|at| Planned { step: Step::Promote(next.kid.clone()), at: at.max(ripe) }));
    } else {
        let published = keys.iter().filter(|key| key.state.is_published()).count();
        let room = if published < MAX_PUBLISHED { Some(now) } else { steps.iter().map(|step| step.at).min() };
        steps.extend(room.map(|at| Planned { step: Step::Publish, at: at.max(now) }));
    }
    let last = keys.iter().map(last_seen).max().unwrap_or_default();
    for planned in &mut steps {
        planned.at = planned.at.max(last);
    }
    // A stable sort: at one time the removals go first, and make room.
    steps.sort_by_key(|planned| planned.at);
    steps
}

/// The last time that is written of a key.
fn last_seen(key: &KeyEntry) -> u64 {
    let later = [key.activated_at, key.retired_at, key.ended_at];
    later.into_iter().flatten().fold(key.created_at, u64::max)
}
