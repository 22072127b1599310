//! `keyring.json`: which keys there are, and what each is for.

use serde::{Deserialize, Serialize};

use super::{KeyChange, KeyEntry, KeyState};
use crate::{KeyId, KeySet, SignedKeySet};

/// The version this program writes. It reads also 1, which has no revision, no times and no signed sets.
pub(super) const VERSION: u64 = 2;

/// The file. `active` says again what the states say, for people and for `jq`; they have to agree.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    version: u64,
    /// Grows with every write; the version of the published key set.
    pub(super) revision: u64,
    active: KeyId,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) rotation_asked: bool,
    pub(super) keys: Vec<KeyEntry>,
    pub(super) changes: Vec<KeyChange>,
    /// Signed key sets, by version.
    #[serde(rename = "key_sets", with = "as_text")]
    pub(super) sets: Vec<SignedKeySet>,
}

/// Why an index was refused.
pub(super) enum IndexError {
    Version(u64),
    Malformed(String),
}

impl Index {
    /// A new keyring's index, as yet without keys; what is made of it has revision `above` + 1.
    pub(super) fn empty(kid: KeyId, above: u64) -> Self {
        Self {
            version: VERSION,
            revision: above,
            active: kid,
            rotation_asked: false,
            keys: Vec::new(),
            changes: Vec::new(),
            sets: Vec::new(),
        }
    }

    /// Reads an index. The version is looked at first: only then do we know what the rest means. `written_at` (in
    /// seconds since 1970) stands in for the times that version 1 does not have.
    pub(super) fn parse(json: &[u8], written_at: u64) -> Result<Self, IndexError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        let malformed = |error: serde_json::Error| IndexError::Malformed(error.to_string());
        let Versioned { version } = serde_json::from_slice(json).map_err(malformed)?;
        let index = match version {
            1 => serde_json::from_slice::<v1::Index>(json).map_err(malformed)?.upgrade(written_at),
            VERSION => serde_json::from_slice(json).map_err(malformed)?,
            other => return Err(IndexError::Version(other)),
        };
        let checked = if version == VERSION { index.check() } else { index.check_states() };
        checked.map_err(|reason| IndexError::Malformed(reason.to_owned()))?;
        Ok(index)
    }

    fn check_states(&self) -> Result<(), &'static str> {
        let mut kids: Vec<&KeyId> = self.keys.iter().map(|entry| &entry.kid).collect();
        kids.sort();
        if !kids.is_sorted_by(|a, b| a < b) {
            return Err("a key is listed twice");
        }
        let mut active = self.in_state(KeyState::Active);
        match (active.next(), active.next()) {
            (Some(entry), None) if entry.kid == self.active => {}
            (Some(_), None) => return Err("`active` is not the key whose state is active"),
            (None, _) => return Err("no key is active"),
            (Some(_), Some(_)) => return Err("more than one key is active"),
        }
        if self.in_state(KeyState::Next).count() > 1 {
            return Err("more than one key is next");
        }
        Ok(())
    }

    /// What a file of ours always fulfils. The newest set is signed: whoever changes a state and has not the private
    /// key of who was active then is found out.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        self.check_states()?;
        if !self.sets.is_sorted_by(|a, b| a.version < b.version) {
            return Err("the key sets are not in order");
        }
        let newest = self.sets.last().ok_or("there is no signed key set")?;
        if newest.version != self.revision {
            return Err("the newest key set is not that of this revision");
        }
        if !newest.agrees_with(&self.keys) {
            return Err("the states are not those of the signed key set");
        }
        let known = KeySet::new(self.sets.iter().flat_map(|set| set.keys.iter().map(|(key, _)| key.clone())));
        newest.verify(&known).map_err(|_| "the signature of the key set does not hold")
    }

    /// The file's text.
    pub(super) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|json| json + "\n")
    }

    /// The key that signs.
    pub(super) fn active(&self) -> &KeyId {
        &self.active
    }

    /// Says which key signs, after its state was set.
    pub(super) fn name_active(&mut self) {
        let active = self.in_state(KeyState::Active).next().map(|entry| entry.kid.clone());
        if let Some(active) = active {
            self.active = active;
        }
    }

    /// The keys in a state.
    pub(super) fn in_state(&self, state: KeyState) -> impl Iterator<Item = &KeyEntry> {
        self.keys.iter().filter(move |entry| entry.state == state)
    }

    /// The keys whose signatures are believed.
    pub(super) fn published(&self) -> impl Iterator<Item = &KeyEntry> {
        self.keys.iter().filter(|entry| entry.state.is_published())
    }
}

mod as_text {
    //! Signed sets as what was signed.

    use std::collections::BTreeMap;

    use serde::{Deserialize as _, Deserializer, Serializer, de};

    use crate::SignedKeySet;

    pub(super) fn serialize<S: Serializer>(sets: &[SignedKeySet], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(sets.iter().map(|set| set.jws.as_str()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<SignedKeySet>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let mut known = BTreeMap::new();
        texts.iter().map(|jws| SignedKeySet::parse_with(jws, &mut known).map_err(de::Error::custom)).collect()
    }
}

mod v1 {
    //! What earlier releases wrote.

    use serde::Deserialize;

    use super::super::rfc3339;
    use super::{KeyEntry, KeyId, KeyState, VERSION};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Index {
        #[expect(dead_code, reason = "looked at before")]
        version: u64,
        active: KeyId,
        keys: Vec<Entry>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Entry {
        kid: KeyId,
        state: KeyState,
        #[serde(default, with = "rfc3339::option")]
        created_at: Option<u64>,
    }

    impl Index {
        pub(super) fn upgrade(self, written_at: u64) -> super::Index {
            let keys = self.keys.into_iter().map(|Entry { kid, state, created_at }| {
                let created_at = created_at.unwrap_or(written_at);
                KeyEntry {
                    kid,
                    state,
                    created_at,
                    activated_at: (state == KeyState::Active).then_some(created_at),
                    retired_at: (state == KeyState::Retired).then_some(written_at),
                    ended_at: (!state.is_published()).then_some(written_at),
                    reason: None,
                }
            });
            super::Index {
                version: VERSION,
                revision: 1,
                active: self.active,
                rotation_asked: false,
                keys: keys.collect(),
                changes: Vec::new(),
                sets: Vec::new(),
            }
        }
    }
}
