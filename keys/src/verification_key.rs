//! The public half of a key pair, checked once when it is read and never again.

use std::fmt;

use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::{Jwk, KeyError, KeyId, base64url};

/// A signature that does not hold. Says nothing more, there is nothing more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not hold under this key")]
pub struct InvalidSignature;

/// An Ed25519 public key: a canonically encoded point, not of small order. Serialized as its [`Jwk`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Jwk", into = "Jwk")]
pub struct VerificationKey {
    kid: KeyId,
    key: VerifyingKey,
}

impl VerificationKey {
    /// Reads the 32 bytes of RFC 8032 section 5.1.2.
    ///
    /// Refuses what is no point ([`KeyError::NotAPoint`]), a second spelling of a point
    /// ([`KeyError::NonCanonical`]: it would give one key two ids) and points of small order
    /// ([`KeyError::Weak`]).
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        // Decompression takes an unreduced y and ignores the sign of x = 0; compressing again does neither.
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(KeyError::NonCanonical);
        }
        Ok(Self { kid: KeyId::of(bytes), key })
    }

    /// Reads a JWK (RFC 8037 section 2). `kid`, `use` and `alg` may be left out, but if they are there they
    /// must be the thumbprint, `sig`, and `EdDSA` or `Ed25519`.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        if jwk.kty != "OKP" {
            return Err(KeyError::Unsupported("kty"));
        }
        if jwk.crv != "Ed25519" {
            return Err(KeyError::Unsupported("crv"));
        }
        if jwk.key_use.as_deref().is_some_and(|key_use| key_use != "sig") {
            return Err(KeyError::Unsupported("use"));
        }
        if jwk.alg.as_deref().is_some_and(|alg| alg != "EdDSA" && alg != "Ed25519") {
            return Err(KeyError::Unsupported("alg"));
        }
        let bytes = base64url::decode_array(&jwk.x).ok_or(KeyError::Encoding)?;
        let key = Self::from_bytes(&bytes)?;
        if jwk.kid.as_ref().is_some_and(|unverified_kid| *unverified_kid != key.kid) {
            return Err(KeyError::KeyIdMismatch);
        }
        Ok(key)
    }

    /// The public half of a private key: canonical and of large order by construction.
    pub(crate) fn of(key: VerifyingKey) -> Self {
        Self { kid: KeyId::of(key.as_bytes()), key }
    }

    /// The key as a JWK with all six members.
    pub fn to_jwk(&self) -> Jwk {
        Jwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x: self.x(),
            kid: Some(self.kid.clone()),
            key_use: Some("sig".to_owned()),
            alg: Some("EdDSA".to_owned()),
        }
    }

    /// The key's id.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// The 32 bytes of the public key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The 32 bytes in base64url, as in a JWK's `x`.
    pub fn x(&self) -> String {
        base64url::encode(self.key.as_bytes())
    }

    /// Verifies a signature of 64 bytes strictly: also a reduced `S` (RFC 8032 section 5.1.7) and no `R` of
    /// small order, so that exactly one signature of a message by an honest signer is accepted.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let signature = Signature::from_slice(signature).map_err(|_| InvalidSignature)?;
        self.key.verify_strict(message, &signature).map_err(|_| InvalidSignature)
    }
}

/// Whether the first half of a signature, R, is a point of small order. Only a key's own holder can make a signature
/// with such an R, and RFC 8032's equation takes it; [`VerificationKey::verify`] does not, so nobody else should.
pub(crate) fn has_weak_r(signature: &[u8; 64]) -> bool {
    let r = signature.first_chunk().map(VerifyingKey::from_bytes);
    matches!(r, Some(Ok(point)) if point.is_weak())
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerificationKey({})", self.kid)
    }
}

impl TryFrom<Jwk> for VerificationKey {
    type Error = KeyError;

    fn try_from(jwk: Jwk) -> Result<Self, KeyError> {
        Self::from_jwk(&jwk)
    }
}

impl From<VerificationKey> for Jwk {
    fn from(key: VerificationKey) -> Self {
        key.to_jwk()
    }
}
