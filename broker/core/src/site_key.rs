//! A site's own key and its renewal: WordPress makes a new one, proves itself with the old one, and answers the
//! challenge with the new. For a while both prove which site it is, so that an answer that is lost, or a request that is
//! on its way, costs nothing.

use std::time::Duration;

use gatepass_keys::{KeyId, VerificationKey};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::site::{Paired, Site};

/// For how long the key before still proves which site it is.
pub const SITE_KEY_OVERLAP: Duration = Duration::from_secs(3600);

/// The key that a site had before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousKey {
    /// The key.
    pub key: VerificationKey,
    /// Until when it proves which site it is.
    pub until: Timestamp,
}

impl Paired {
    /// The keys that prove which site it is at `now`, the present one first.
    pub fn keys_at(&self, now: Timestamp) -> impl Iterator<Item = &VerificationKey> {
        let previous = self.previous.as_ref().filter(move |previous| now < previous.until);
        std::iter::once(&self.key).chain(previous.map(|previous| &previous.key))
    }

    /// Whether this key proves which site it is at `now`.
    pub fn is_proven_by(&self, kid: &KeyId, now: Timestamp) -> bool {
        self.keys_at(now).any(|key| key.kid() == kid)
    }

    /// Since when it has its key.
    pub fn key_since(&self) -> Timestamp {
        self.key_since.unwrap_or(self.paired_at)
    }
}

/// A new key for a site, after the challenge was answered with it.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// The key that proved which site asks.
    pub proven_by: KeyId,
    /// The key to take.
    pub key: VerificationKey,
}

/// What came of renewing a site's key.
#[derive(Debug, Clone)]
pub enum KeyRenewal {
    /// It is the site's key from now on; the one before proves for a while.
    Renewed(Box<Site>),
    /// It is the site's key already.
    Known(Box<Site>),
    /// Not taken: the site has another key by now than the one that asks. Of two who renew at once the second comes to
    /// this, and so does a thief with a key of before.
    Superseded,
    /// There is no such site (any more), it is not paired, or the key proves nothing for it (any more).
    NotPaired,
}

impl Renewal {
    /// The pairing to be written, or why none is.
    pub(crate) fn decide(&self, site: &Site, now: Timestamp) -> Result<Paired, KeyRenewal> {
        let proven = site.paired.as_ref().filter(|paired| paired.is_proven_by(&self.proven_by, now));
        let paired = proven.ok_or(KeyRenewal::NotPaired)?;
        if paired.key == self.key {
            return Err(KeyRenewal::Known(Box::new(site.clone())));
        }
        if *paired.key.kid() != self.proven_by {
            return Err(KeyRenewal::Superseded);
        }
        let previous = PreviousKey { key: paired.key.clone(), until: now.plus(SITE_KEY_OVERLAP) };
        Ok(Paired { key: self.key.clone(), key_since: Some(now), previous: Some(previous), ..paired.clone() })
    }

    /// What the trail says of it.
    pub(crate) fn described(&self) -> String {
        format!("{}, before it {}", self.key.kid(), self.proven_by)
    }
}

/// What came of revoking a site's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SiteKeyRevocation {
    /// Revoked, with the one before it: the site is not paired any more, and all that was issued for it is void.
    Revoked(KeyId),
    /// The site is not paired.
    NotPaired,
    /// There is no such site.
    SiteNotFound,
}
