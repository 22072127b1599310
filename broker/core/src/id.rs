//! Identifiers as types: each parses strictly, so that holding one means it is well-formed.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock::{NoRandomness, Rng, Timestamp, random_bytes};

/// Why a text is not the identifier that was wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct InvalidId {
    /// What would have been right, in words.
    pub expected: &'static str,
}

/// A `UUIDv7` (RFC 9562 section 5.7) from a given time and given randomness.
pub fn uuid_v7(now: Timestamp, rng: &dyn Rng) -> Result<Uuid, NoRandomness> {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random_bytes(rng)?).into_uuid())
}

fn encode(prefix: &str, id: Uuid) -> String {
    format!("{prefix}{}", BASE32_NOPAD.encode(id.as_bytes()).to_ascii_lowercase())
}

fn decode(prefix: &str, text: &str) -> Option<Uuid> {
    let body = text.strip_prefix(prefix)?;
    if body.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let bytes = BASE32_NOPAD.decode(body.to_ascii_uppercase().as_bytes()).ok()?;
    Uuid::from_slice(&bytes).ok()
}

/// Serialises by `Display`, deserialises by `FromStr`.
macro_rules! text_serde {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new one, from a given time and given randomness.
            pub fn generate(now: Timestamp, rng: &dyn Rng) -> Result<Self, NoRandomness> {
                uuid_v7(now, rng).map(Self)
            }
            /// The UUID inside.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&encode($prefix, self.0))
            }
        }
        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                decode($prefix, text).map(Self).ok_or(InvalidId { expected: $expected })
            }
        }
        text_serde!($name);
    };
}

uuid_id!(
    /// A WordPress site that was registered: `site_…`.
    SiteId, "site_", "a site id: site_ and 26 lower-case letters or digits"
);
uuid_id!(
    /// One handoff, by the UUID that is its token's `jti`: `ho_…`.
    HandoffId, "ho_", "a handoff id: ho_ and 26 lower-case letters or digits"
);
uuid_id!(
    /// An API client, the name of one API key in lists and in the trail: `client_…`.
    ClientId, "client_", "a client id: client_ and 26 lower-case letters or digits"
);

impl From<Uuid> for HandoffId {
    fn from(jti: Uuid) -> Self {
        Self(jti)
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $max:literal, $extra:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let allowed = |b: u8| b.is_ascii_alphanumeric() || $extra.contains(&b);
                if (1..=$max).contains(&text.len()) && text.bytes().all(allowed) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidId { expected: $expected })
                }
            }
        }
        text_serde!($name);
    };
}

text_id!(
    /// The panel's own customer id, opaque to us.
    Subject, 128, b"._:@-", "1 to 128 characters of A-Z a-z 0-9 . _ : @ -"
);
text_id!(
    /// A tenant: an API key and a site belong to exactly one, and nothing crosses.
    Tenant, 64, b"_-", "1 to 64 characters of A-Z a-z 0-9 _ -"
);
text_id!(
    /// Names one request across panel, broker, bridge and WordPress (`X-Request-Id`).
    RequestId, 64, b"._:-", "1 to 64 characters of A-Z a-z 0-9 . _ : -"
);

impl Default for Tenant {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl RequestId {
    /// A new one, for a request that came without.
    pub fn generate(rng: &dyn Rng) -> Result<Self, NoRandomness> {
        Ok(Self(format!("req_{}", BASE32_NOPAD.encode(&random_bytes::<10>(rng)?).to_ascii_lowercase())))
    }
}

/// What the browser calls one try to use a token: 128 random bits, made by the landing page. The same attempt may
/// be repeated, another one may not; whoever knows it can repeat it, so it is kept only as a hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Attempt([u8; 16]);

impl Attempt {
    /// From its 128 bits.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// SHA-256 in base64url: what a store keeps and compares.
    pub fn hash(self) -> String {
        BASE64URL_NOPAD.encode(&Sha256::digest(self.0))
    }

    /// As it travels: 22 characters of base64url.
    pub fn expose(self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Attempt(…)")
    }
}

impl std::str::FromStr for Attempt {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId { expected: "22 characters of base64url (128 bits)" };
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| invalid)?;
        <[u8; 16]>::try_from(bytes).map(Self).map_err(|_| invalid)
    }
}

impl<'de> Deserialize<'de> for Attempt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::System;

    #[test]
    fn an_id_survives_the_way_out_and_back() {
        let id = SiteId::generate(Timestamp::from_secs(1_790_000_000), &System).unwrap();
        let text = id.to_string();
        assert_eq!(text.len(), "site_".len() + 26);
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(id.uuid().get_version_num(), 7);
    }

    #[test]
    fn an_id_with_another_prefix_case_or_length_is_refused() {
        let id = SiteId::generate(Timestamp::from_secs(1), &System).unwrap().to_string();
        for wrong in [id.replace("site_", "ho_"), id.to_uppercase(), format!("{id}a"), String::new()] {
            assert!(wrong.parse::<SiteId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_subject_has_its_letters_and_its_length() {
        assert!("cust-1001:news@a.b_c".parse::<Subject>().is_ok());
        for wrong in ["", "a b", "a/b", "ä", &"x".repeat(129)] {
            assert!(wrong.parse::<Subject>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_attempt_is_128_bits_and_does_not_show_itself() {
        let attempt = Attempt::from_bytes([7; 16]);
        assert_eq!(attempt.expose().parse(), Ok(attempt));
        assert!(!format!("{attempt:?}").contains(&attempt.expose()));
        assert!("short".parse::<Attempt>().is_err());
        assert!("A".repeat(23).parse::<Attempt>().is_err());
    }
}
