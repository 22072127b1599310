//! API keys of panels. The key is shown once; only its hash is kept, and everywhere else it goes by its client id.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::clock::{NoRandomness, Rng, Timestamp, random_bytes};
use crate::id::{ClientId, InvalidId, Tenant};

const PREFIX: &str = "gpk_";

/// An API key: `gpk_` and 256 random bits in base64url. Never printed by `Debug`.
pub struct ApiKey(Zeroizing<String>);

/// SHA-256 of an API key, in base64url. The key has 256 random bits, so nothing slower is needed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ApiKeyHash(String);

impl ApiKey {
    /// A new key.
    pub fn generate(rng: &dyn Rng) -> Result<Self, NoRandomness> {
        let bytes = Zeroizing::new(random_bytes::<32>(rng)?);
        Ok(Self(Zeroizing::new(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(bytes.as_slice())))))
    }

    /// The key itself, for the one time that it is shown.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> ApiKeyHash {
        ApiKeyHash(BASE64URL_NOPAD.encode(&Sha256::digest(self.0.as_bytes())))
    }
}

impl ApiKeyHash {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for ApiKey {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let well_formed = text
            .strip_prefix(PREFIX)
            .is_some_and(|body| body.len() == 43 && BASE64URL_NOPAD.decode(body.as_bytes()).is_ok());
        if well_formed {
            Ok(Self(Zeroizing::new(text.to_owned())))
        } else {
            Err(InvalidId { expected: "an API key: gpk_ and 43 characters" })
        }
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// What an API key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Ask for handoffs, read and revoke them.
    #[serde(rename = "handoffs")]
    Handoffs,
    /// Ask for handoffs by which somebody of the panel's staff acts for a customer, beside [`Scope::Handoffs`].
    #[serde(rename = "handoffs:on_behalf")]
    HandoffsOnBehalf,
    /// Read members.
    #[serde(rename = "members:read")]
    MembersRead,
    /// Put members.
    #[serde(rename = "members:write")]
    MembersWrite,
    /// Register, change and remove sites, and read their trails.
    #[serde(rename = "sites")]
    Sites,
    /// Read the trails of sites.
    #[serde(rename = "events")]
    Events,
}

impl Scope {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self::Handoffs,
        Self::HandoffsOnBehalf,
        Self::MembersRead,
        Self::MembersWrite,
        Self::Sites,
        Self::Events,
    ];

    /// What a key gets when nothing else is said. To act for customers is nothing that a panel's button needs.
    pub const DEFAULT: [Self; 5] =
        [Self::Handoffs, Self::MembersRead, Self::MembersWrite, Self::Sites, Self::Events];

    /// As written in requests and lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handoffs => "handoffs",
            Self::HandoffsOnBehalf => "handoffs:on_behalf",
            Self::MembersRead => "members:read",
            Self::MembersWrite => "members:write",
            Self::Sites => "sites",
            Self::Events => "events",
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(InvalidId {
            expected: "one of handoffs, handoffs:on_behalf, members:read, members:write, sites, events",
        })
    }
}

/// Who an API key stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// Whose it is.
    pub tenant: Tenant,
    /// A name for people.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    #[serde(default)]
    pub revoked_at: Option<Timestamp>,
    /// From when on its key is no good, revoked or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The client whose place it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ClientId>,
}

/// A client in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The client.
    #[serde(flatten)]
    pub client: Client,
    /// When its key was last used, to some minutes.
    pub last_used_at: Option<Timestamp>,
}

/// What came of giving a client a new key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rolling {
    /// The new client is there; the old one as it is now.
    Rolled(Client),
    /// Its key is revoked, or no good any more; nothing was written.
    Ended(Client),
    /// There is no such client.
    NotFound,
}

impl Client {
    /// Whether its key is good at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// The same, with an end. One that is nearer stays.
    pub(crate) fn ending(self, until: Timestamp) -> Self {
        let end = self.expires_at.map_or(until, |end| end.min(until));
        Self { expires_at: Some(end), ..self }
    }

    /// That it makes way for another, for the trail.
    pub(crate) fn described_rolled(&self, new: &Self) -> String {
        let until = self.expires_at.map(|end| format!(", good until {end}")).unwrap_or_default();
        format!("{} ({}{until}) makes way for {}", self.name, self.id, new.described())
    }

    /// Which it is and what it may do, for the trail.
    pub(crate) fn described(&self) -> String {
        let scopes: Vec<_> = self.scopes.iter().map(|scope| scope.as_str()).collect();
        format!("{} ({}), for {}", self.name, self.id, scopes.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::System;

    #[test]
    fn a_key_parses_hashes_and_does_not_show_itself() {
        let key = ApiKey::generate(&System).unwrap();
        let again: ApiKey = key.expose().parse().unwrap();
        assert_eq!(again.hash(), key.hash());
        assert!(!format!("{key:?}").contains(key.expose()));
        assert!(!key.hash().as_str().contains(key.expose().trim_start_matches("gpk_")));
        for wrong in
            ["", "gpk_", "gpk_short", &key.expose().replace("gpk_", "xyz_"), &format!("{}=", key.expose())]
        {
            assert!(wrong.parse::<ApiKey>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_scope_is_written_as_it_is_read() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
    }

    #[test]
    fn only_to_act_for_customers_must_be_asked_for_by_name() {
        let named = Scope::ALL.into_iter().filter(|scope| !Scope::DEFAULT.contains(scope));
        assert_eq!(named.collect::<Vec<_>>(), [Scope::HandoffsOnBehalf]);
    }
}
