//! `keyring.json`: which keys there are, and what each is for.

use serde::{Deserialize, Serialize};

use crate::KeyId;

/// The version this program writes and reads.
pub(super) const VERSION: u64 = 1;

/// What a key is for at the moment. Keys move down this list and never up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// Published ahead of use.
    Next,
    /// Signs.
    Active,
    /// Signs no more, still verifies what it signed.
    Retired,
    /// Verifies no more.
    Removed,
    /// Lost or stolen: nothing it signed is believed.
    Revoked,
}

/// One key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kid: KeyId,
    state: State,
    /// RFC 3339. Absent for a keyring's first key: no clock is at hand when it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
}

/// The file. `active` says again what the states say, for people and for `jq`; they have to agree.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    version: u64,
    active: KeyId,
    keys: Vec<Entry>,
}

/// Why an index was refused.
pub(super) enum IndexError {
    Version(u64),
    Malformed(String),
}

impl Index {
    /// A new keyring's index.
    pub(super) fn of_one(kid: KeyId) -> Self {
        let entry = Entry { kid: kid.clone(), state: State::Active, created_at: None };
        Self { version: VERSION, active: kid, keys: vec![entry] }
    }

    /// Reads an index. The version is looked at first: only then do we know what the rest means.
    pub(super) fn parse(json: &[u8]) -> Result<Self, IndexError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        let malformed = |error: serde_json::Error| IndexError::Malformed(error.to_string());
        let Versioned { version } = serde_json::from_slice(json).map_err(malformed)?;
        if version != VERSION {
            return Err(IndexError::Version(version));
        }
        let index: Self = serde_json::from_slice(json).map_err(malformed)?;
        index.check().map_err(|reason| IndexError::Malformed(reason.to_owned()))?;
        Ok(index)
    }

    fn check(&self) -> Result<(), &'static str> {
        let mut kids: Vec<&KeyId> = self.keys.iter().map(|entry| &entry.kid).collect();
        kids.sort();
        if kids.is_sorted_by(|a, b| a < b) { Ok(()) } else { Err("a key is listed twice") }?;
        let mut active = self.keys.iter().filter(|entry| entry.state == State::Active);
        match (active.next(), active.next()) {
            (Some(entry), None) if entry.kid == self.active => Ok(()),
            (Some(_), None) => Err("`active` is not the key whose state is active"),
            (None, _) => Err("no key is active"),
            (Some(_), Some(_)) => Err("more than one key is active"),
        }
    }

    /// The file's text.
    pub(super) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|json| json + "\n")
    }

    /// The key that signs.
    pub(super) fn active(&self) -> &KeyId {
        &self.active
    }

    /// The keys whose signatures are believed.
    pub(super) fn published(&self) -> impl Iterator<Item = &KeyId> {
        self.keys.iter().filter_map(|entry| match entry.state {
            State::Next | State::Active | State::Retired => Some(&entry.kid),
            State::Removed | State::Revoked => None,
        })
    }
}
