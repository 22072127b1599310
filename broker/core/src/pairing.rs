//! Pairing: how a WordPress site and Gatepass come to know each other's keys by one pasted string.
//!
//! The operator hands the site's owner a string with a one-time secret in it. The site makes its own key, shows the
//! secret, and answers a challenge fetched from the *registered* origin with that key: whoever has the string but
//! not the site gets nothing, and whoever has the site but not the string neither.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use gatepass_keys::{KeyId, KeySet};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;
use zeroize::Zeroizing;

use crate::clock::{NoRandomness, Rng, Timestamp, random_bytes};
use crate::event::Context;
use crate::id::{InvalidId, SiteId};
use crate::site::{Paired, Site};
use crate::store::{Sites, StoreError};

/// How long a pairing string can be used.
pub const PAIRING_LIFETIME: Duration = Duration::from_secs(30 * 60);

const PREFIX: &str = "gp_pair_";

/// The one-time secret inside a pairing string: 256 random bits. Never printed by `Debug`.
pub struct PairingSecret(Zeroizing<String>);

impl PairingSecret {
    /// A new one.
    pub fn generate(rng: &dyn Rng) -> Result<Self, NoRandomness> {
        let bytes = Zeroizing::new(random_bytes::<32>(rng)?);
        Ok(Self(Zeroizing::new(BASE64URL_NOPAD.encode(bytes.as_slice()))))
    }

    /// SHA-256 in base64url: what a store keeps and compares.
    pub fn hash(&self) -> String {
        BASE64URL_NOPAD.encode(&Sha256::digest(self.0.as_bytes()))
    }
}

impl std::str::FromStr for PairingSecret {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.len() == 43 && BASE64URL_NOPAD.decode(text.as_bytes()).is_ok() {
            Ok(Self(Zeroizing::new(text.to_owned())))
        } else {
            Err(InvalidId { expected: "43 characters of base64url" })
        }
    }
}

impl std::fmt::Debug for PairingSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PairingSecret(…)")
    }
}

/// What a pairing string carries, in JSON behind `gp_pair_` and base64url.
#[derive(Serialize, Deserialize)]
struct Contents<'a> {
    /// Version of this shape.
    v: u32,
    /// Where the site calls.
    bridge: &'a str,
    /// Whose tokens the site will take.
    issuer: &'a str,
    /// Which site this is for.
    site: String,
    /// The one-time secret.
    secret: &'a str,
    /// Digest of the key set ([`KeySet::digest`]): pins the issuer's keys before the first call.
    keys: String,
}

/// A pairing string, ready to be shown once.
pub struct PairingString(Zeroizing<String>);

impl PairingString {
    /// Puts one together. `bridge` is the address that the site will call, `issuer` the `iss` of tokens.
    pub fn new(bridge: &Url, issuer: &str, site: SiteId, secret: &PairingSecret, keys: &KeySet) -> Self {
        let contents = Contents {
            v: 1,
            bridge: bridge.as_str().trim_end_matches('/'),
            issuer,
            site: site.to_string(),
            secret: &secret.0,
            keys: keys.digest(),
        };
        let json = Zeroizing::new(serde_json::to_vec(&contents).unwrap_or_default());
        Self(Zeroizing::new(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&json))))
    }

    /// The string itself, for the one time that it is shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PairingString {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PairingString(…)")
    }
}

/// What a store keeps of a pairing string. A site has at most one: a new one voids the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingCode {
    /// Hash of its secret.
    pub secret_hash: String,
    /// Until when.
    pub expires_at: Timestamp,
    /// Whether the operator allows it to replace a pairing without the site's old key.
    pub replace: bool,
}

/// What the pairing step is given, after the challenge was answered.
#[derive(Debug, Clone)]
pub struct Proven {
    /// Hash of the secret that was shown.
    pub secret_hash: String,
    /// The key of the site before, if the site proved that it still has it.
    pub replaces: Option<KeyId>,
    /// What the site is from now on.
    pub paired: Paired,
}

/// What came of pairing.
#[derive(Debug, Clone)]
pub enum Pairing {
    /// Paired; the code is used up and every handoff issued before is void.
    Paired(Box<Site>),
    /// No such code: unknown, used, replaced by a newer one, or too old.
    CodeInvalid,
    /// The site is paired already, and neither its old key nor the operator's word allows a new one.
    ReplaceRequired,
    /// There is no such site.
    SiteNotFound,
}

/// Makes a pairing string for `site`, voiding the one before.
///
/// # Errors
/// When the store does not answer, or the system gives no randomness.
#[expect(clippy::too_many_arguments, reason = "time, randomness and keys are given, not taken")]
pub async fn make_code(
    store: &dyn Sites,
    rng: &dyn Rng,
    keys: &KeySet,
    bridge: &Url,
    issuer: &str,
    site: SiteId,
    replace: bool,
    now: Timestamp,
    context: &Context,
) -> Result<Option<(PairingString, Timestamp)>, MakeCodeError> {
    let secret = PairingSecret::generate(rng)?;
    let expires_at = now.plus(PAIRING_LIFETIME);
    let code = PairingCode { secret_hash: secret.hash(), expires_at, replace };
    let known = store.put_pairing_code(site, &code, now, context).await?;
    Ok(known.then(|| (PairingString::new(bridge, issuer, site, &secret, keys), expires_at)))
}

/// Why no pairing string was made.
#[derive(Debug, thiserror::Error)]
pub enum MakeCodeError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gave no randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// The bytes that a site signs with its new key to answer `nonce`.
pub fn challenge_message(site: SiteId, nonce: &str) -> String {
    format!("gatepass-pairing-challenge\n{site}\n{nonce}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::System;

    #[test]
    fn a_pairing_string_and_its_secret_do_not_show_themselves() {
        let secret = PairingSecret::generate(&System).unwrap();
        assert!(!format!("{secret:?}").contains(&*secret.0));
        let (bridge, site) =
            ("https://gatepass.example".parse().unwrap(), SiteId::generate(Timestamp::from_secs(1), &System));
        let keys = KeySet::new([]);
        let string = PairingString::new(&bridge, "https://gatepass.example", site.unwrap(), &secret, &keys);
        assert!(!format!("{string:?}").contains(string.expose().trim_start_matches(PREFIX)));
    }
}
