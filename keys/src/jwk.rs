//! Public keys as they travel: RFC 7517 with RFC 8037's `OKP`.
//!
//! These are plain data. What is checked, and how, is in [`VerificationKey::from_jwk`].
//!
//! [`VerificationKey::from_jwk`]: crate::VerificationKey::from_jwk

use serde::{Deserialize, Serialize};

use crate::KeyId;

/// One public key (RFC 7517 section 4, RFC 8037 section 2). Unknown members are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Key type: `OKP`.
    pub kty: String,
    /// Curve: `Ed25519`.
    pub crv: String,
    /// The public key, 32 bytes in base64url.
    pub x: String,
    /// The thumbprint; may be left out, since it follows from the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<KeyId>,
    /// The member `use`: `sig`.
    #[serde(rename = "use", default, skip_serializing_if = "Option::is_none")]
    pub key_use: Option<String>,
    /// Algorithm: `EdDSA`, or `Ed25519` (RFC 9864).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
}

/// A set of public keys (RFC 7517 section 5), the body of `/.well-known/jwks.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwkSet {
    /// The keys.
    pub keys: Vec<Jwk>,
}
