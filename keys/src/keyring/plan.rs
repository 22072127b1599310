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
/// and never hastens one: ages are counted from the times written, and none is negative.
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
    // A stable sort: at one time the removals go first, and make room.
    steps.sort_by_key(|planned| planned.at);
    steps
}
