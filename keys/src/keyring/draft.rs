//! A change while it is thought out: what the keys will be. Nothing here is written anywhere.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::index::Index;
use super::{Action, KeyChange, KeyEntry, KeyState, KeyringError, MAX_PUBLISHED, Step};
use crate::{KeyId, SignedKeySet, SigningKey, VerificationKey};

/// How many changes are remembered.
const CHANGES: usize = 100;
/// How many keys that were removed are remembered. Revoked ones all are.
const REMOVED: usize = 100;
/// Every set younger than this is kept, in seconds, for whoever is in the middle of something with it.
const RECENT: u64 = 2 * 60 * 60;
/// Of so many signers the last set is kept: with a key a month, whoever slept for two years finds the way.
const SIGNERS: usize = 24;
/// How many sets are kept at most.
const SETS: usize = 60;

/// Secrets drawn from one. Each is a hash of the seed and a number, so that none tells of another.
pub(super) struct Draws {
    seed: Zeroizing<[u8; 32]>,
    drawn: u64,
}

impl Draws {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self { seed: Zeroizing::new(seed), drawn: 0 }
    }

    pub(super) fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        Sha256::new()
            .chain_update(b"gatepass keyring")
            .chain_update(*self.seed)
            .chain_update(self.drawn.to_be_bytes())
            .finalize()
            .into()
    }
}

/// An index that is being changed, and the keys made for it.
pub(super) struct Draft<'a> {
    index: Index,
    made: Vec<SigningKey>,
    draws: &'a mut Draws,
    now: u64,
    by: &'a str,
}

impl<'a> Draft<'a> {
    /// Begins. Whatever comes of it is the index's next revision.
    ///
    /// A clock that was put back counts as no time passed: else a key could be retired in the past, and removed at once
    /// by whoever has the right time.
    pub(super) fn new(mut index: Index, draws: &'a mut Draws, now: u64, by: &'a str) -> Self {
        index.revision += 1;
        let now = index.changes.iter().map(|change| change.at).fold(now, u64::max);
        Self { index, made: Vec::new(), draws, now, by }
    }

    /// Carries out one action, or says why it cannot be.
    pub(super) fn take(&mut self, action: Action) -> Result<(), KeyringError> {
        match action {
            Action::Take(Step::Publish) => self.publish(),
            Action::Take(Step::Promote(kid)) => {
                self.expect(&kid, KeyState::Next, "promoted")?;
                self.promote(&kid);
                Ok(())
            }
            Action::Take(Step::Remove(kid)) => {
                self.expect(&kid, KeyState::Retired, "removed")?;
                self.set(&kid, KeyState::Removed, None);
                Ok(())
            }
            Action::AskRotation => {
                self.index.rotation_asked = true;
                Ok(())
            }
            Action::Revoke { kid, reason } => self.revoke(&kid, &reason),
            Action::ReplaceAll { reason } => {
                let published: Vec<KeyId> = self.index.published().map(|entry| entry.kid.clone()).collect();
                for kid in published {
                    self.set(&kid, KeyState::Revoked, Some(&reason));
                }
                self.index.rotation_asked = false;
                self.make(KeyState::Active);
                self.make(KeyState::Next);
                Ok(())
            }
            Action::RaiseRevision(revision) => {
                self.index.revision = self.index.revision.max(revision);
                Ok(())
            }
        }
    }

    /// Makes a key.
    pub(super) fn make(&mut self, state: KeyState) {
        let key = SigningKey::generate(self.draws.draw());
        self.add(key, state);
    }

    /// Takes a key that is there already.
    pub(super) fn add(&mut self, key: SigningKey, state: KeyState) {
        let entry = KeyEntry::new(key.kid().clone(), state, self.now);
        self.note(&entry.kid, None, state, None);
        self.index.keys.push(entry);
        self.made.push(key);
    }

    fn publish(&mut self) -> Result<(), KeyringError> {
        if self.index.in_state(KeyState::Next).next().is_some() {
            return Err(KeyringError::Refused("there is a next key already".to_owned()));
        }
        if self.index.published().count() >= MAX_PUBLISHED {
            let reason = format!("{MAX_PUBLISHED} keys are published; wait until one is removed");
            return Err(KeyringError::Refused(reason));
        }
        self.make(KeyState::Next);
        Ok(())
    }

    fn promote(&mut self, kid: &KeyId) {
        let retiring: Vec<KeyId> =
            self.index.in_state(KeyState::Active).map(|entry| entry.kid.clone()).collect();
        for active in retiring {
            self.set(&active, KeyState::Retired, None);
        }
        self.set(kid, KeyState::Active, None);
        self.index.rotation_asked = false;
    }

    fn revoke(&mut self, kid: &KeyId, reason: &str) -> Result<(), KeyringError> {
        let state = self.state(kid)?;
        if state == KeyState::Revoked {
            return Err(KeyringError::Refused(format!("the key {kid} is revoked already")));
        }
        self.set(kid, KeyState::Revoked, Some(reason));
        if state == KeyState::Active {
            let next = self.index.in_state(KeyState::Next).next().map(|entry| entry.kid.clone());
            match next {
                Some(next) => self.promote(&next),
                None => self.make(KeyState::Active),
            }
        }
        Ok(())
    }

    fn state(&self, kid: &KeyId) -> Result<KeyState, KeyringError> {
        let entry = self.index.keys.iter().find(|entry| entry.kid == *kid);
        let unknown = || KeyringError::Refused(format!("there is no key {kid}"));
        entry.map(|entry| entry.state).ok_or_else(unknown)
    }

    fn expect(&self, kid: &KeyId, wanted: KeyState, done: &str) -> Result<(), KeyringError> {
        let state = self.state(kid)?;
        if state == wanted {
            return Ok(());
        }
        let (state, wanted) = (state.as_str(), wanted.as_str());
        Err(KeyringError::Refused(format!(
            "the key {kid} is {state}; only one that is {wanted} can be {done}"
        )))
    }

    fn set(&mut self, kid: &KeyId, to: KeyState, reason: Option<&str>) {
        let Some(entry) = self.index.keys.iter_mut().find(|entry| entry.kid == *kid) else { return };
        let from = entry.state;
        entry.state = to;
        match to {
            KeyState::Next => {}
            KeyState::Active => entry.activated_at = Some(self.now),
            KeyState::Retired => entry.retired_at = Some(self.now),
            KeyState::Removed | KeyState::Revoked => entry.ended_at = Some(self.now),
        }
        entry.reason = reason.map(str::to_owned);
        self.note(kid, Some(from), to, reason);
    }

    fn note(&mut self, kid: &KeyId, from: Option<KeyState>, to: KeyState, reason: Option<&str>) {
        self.index.changes.push(KeyChange {
            revision: 0,
            at: self.now,
            kid: kid.clone(),
            from,
            to,
            by: self.by.to_owned(),
            reason: reason.map(str::to_owned),
        });
    }

    /// Ends: signs the set, by the key that was active before (`None`: there was none, so by the one that is), and
    /// forgets what is old. `publics` are the public halves known before.
    pub(super) fn seal(
        self,
        signer: Option<&SigningKey>,
        publics: &[VerificationKey],
    ) -> Result<(Index, Vec<SigningKey>), KeyringError> {
        let Self { mut index, made, now, .. } = self;
        index.name_active();
        for change in &mut index.changes {
            // Written by this change, whose revision may have been raised in the middle.
            if change.revision == 0 {
                change.revision = index.revision;
            }
        }
        let public = |kid: &KeyId| {
            let made = made.iter().find(|key| key.kid() == kid).map(SigningKey::public);
            made.or_else(|| publics.iter().find(|key| key.kid() == kid).cloned())
        };
        let keys: Vec<_> =
            index.published().filter_map(|entry| public(&entry.kid).map(|key| (key, entry.state))).collect();
        let first = made.iter().find(|key| key.kid() == index.active());
        let no_signer = || KeyringError::Refused("there is no key to sign the set".to_owned());
        let signer = signer.or(first).ok_or_else(no_signer)?;
        index.sets.push(SignedKeySet::sign(signer, index.revision, now, keys));
        forget(&mut index, now);
        // What would not be read is not written.
        index.check().map_err(|reason| KeyringError::Refused(reason.to_owned()))?;
        Ok((index, made))
    }
}

fn forget(index: &mut Index, now: u64) {
    let spare = index.changes.len().saturating_sub(CHANGES);
    index.changes.drain(..spare);
    let mut spare = index.in_state(KeyState::Removed).count().saturating_sub(REMOVED);
    index.keys.retain(|entry| {
        let forgotten = entry.state == KeyState::Removed && spare > 0;
        spare -= usize::from(forgotten);
        !forgotten
    });
    let newest_first: Vec<(u64, KeyId, bool)> = index
        .sets
        .iter()
        .rev()
        .map(|set| (set.version, set.signer().clone(), now.saturating_sub(set.issued_at) < RECENT))
        .collect();
    let mut signers: Vec<&KeyId> = Vec::new();
    let mut kept: Vec<u64> = Vec::new();
    for (version, signer, _) in &newest_first {
        if !signers.contains(&signer) && signers.len() < SIGNERS {
            signers.push(signer);
            kept.push(*version);
        }
    }
    // The one before the newest holds the public half of the newest's signer, whatever has become of that.
    let others = newest_first.iter().enumerate().filter(|(age, (_, _, recent))| *age == 1 || *recent);
    for (_, (version, _, _)) in others {
        if !kept.contains(version) && kept.len() < SETS {
            kept.push(*version);
        }
    }
    index.sets.retain(|set| kept.contains(&set.version));
}
