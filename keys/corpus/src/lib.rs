//! Hostile tokens as data, each with the cause it must be refused for, in `tokens.toml`.
//!
//! They are made here rather than in a test of `gatepass-keys`, because more than one reader of tokens has to come
//! to the same verdict: the crate itself, the fuzzer that starts from them, and the plugin's reader in PHP.

mod arithmetic;
mod basics;
mod case;
mod maker;

use gatepass_keys::KeySet;
use gatepass_keys::token::{TokenError, handoff, poke, site};

pub use basics::{
    BRIDGE, HANDOFF_ID, ISSUER, NOW, SITE, another_key, b64, claims, expected, key, signed, signed_by, unb64,
};
pub use case::{Case, Kind};
pub use maker::{NEUTRAL, NEUTRAL_KEY_SIGNATURE, small_order_r};

/// Every case, in the order of the file.
pub fn cases() -> Vec<Case> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Corpus {
        case: Vec<Case>,
    }
    toml::from_str::<Corpus>(include_str!("../tokens.toml")).unwrap().case
}

impl Case {
    /// The token, or whatever the case presents instead.
    pub fn token(&self) -> String {
        maker::make(self)
    }
}

/// What the bridge decides of a text, as of [`NOW`], with [`key`] the one that is trusted.
///
/// # Errors
/// The cause of a refusal.
pub fn judge(kind: Kind, token: &str) -> Result<(), TokenError> {
    match kind {
        Kind::Handoff => {
            handoff::Unverified::parse(token)?.verify(&KeySet::new([key().public()]), &expected()).map(drop)
        }
        Kind::Site => site::Unverified::parse(token)?.verify(&key().public(), BRIDGE, NOW).map(drop),
        Kind::Poke => poke::Unverified::parse(token)?
            .verify(&KeySet::new([key().public()]), ISSUER, SITE, NOW)
            .map(drop),
    }
}
