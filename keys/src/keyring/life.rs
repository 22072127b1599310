//! What a key lives through: `next` → `active` → `retired` → `removed`, and aside from it `revoked`.

use serde::{Deserialize, Serialize};

use super::rfc3339;
use crate::KeyId;

/// What a key is for at the moment. Keys move down this list and never up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
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

impl KeyState {
    /// The name, as it is written in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Removed => "removed",
            Self::Revoked => "revoked",
        }
    }

    /// Whether its public half is handed out, so that what it signs is believed.
    pub fn is_published(self) -> bool {
        matches!(self, Self::Next | Self::Active | Self::Retired)
    }
}

/// What the keyring knows of one key. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// The key.
    pub kid: KeyId,
    /// What it is for.
    pub state: KeyState,
    /// When it was made, and published.
    #[serde(with = "rfc3339")]
    pub created_at: u64,
    /// When it began to sign.
    #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<u64>,
    /// When it ceased to sign.
    #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<u64>,
    /// When it was removed or revoked.
    #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<u64>,
    /// Why it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl KeyEntry {
    /// A key that was just made.
    pub(super) fn new(kid: KeyId, state: KeyState, now: u64) -> Self {
        let activated_at = (state == KeyState::Active).then_some(now);
        Self { kid, state, created_at: now, activated_at, retired_at: None, ended_at: None, reason: None }
    }
}

/// One step that a key has taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyChange {
    /// The revision of the keyring that the step was written in.
    pub revision: u64,
    /// When, in seconds since 1970.
    #[serde(with = "rfc3339")]
    pub at: u64,
    /// Which key.
    pub kid: KeyId,
    /// What it was; nothing if it was made by this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<KeyState>,
    /// What it is from then on.
    pub to: KeyState,
    /// Who did it, in free text.
    pub by: String,
    /// Why, if it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
