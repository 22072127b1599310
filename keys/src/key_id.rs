//! The name of a key, which is computed from the key and so cannot be chosen.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{KeyError, base64url};

/// The RFC 7638 thumbprint (SHA-256, base64url) of an Ed25519 public key: 43 characters.
///
/// A `KeyId` has the right form; that a key of this name exists is another question. Serialized as a string.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

impl KeyId {
    /// Takes 43 characters of canonical base64url; anything else is [`KeyError::KeyId`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        match base64url::decode_array::<32>(text) {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(KeyError::KeyId),
        }
    }

    /// The id as it stands in a token's `kid`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The thumbprint of a public key. RFC 8037 section 2 names the members, RFC 7638 section 3.3 their order.
    pub(crate) fn of(public_key: &[u8; 32]) -> Self {
        let x = base64url::encode(public_key);
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        Self(base64url::encode(Sha256::digest(canonical)))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({})", self.0)
    }
}

impl FromStr for KeyId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for KeyId {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::parse(&text)
    }
}

impl From<KeyId> for String {
    fn from(kid: KeyId) -> Self {
        kid.0
    }
}
