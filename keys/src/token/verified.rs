//! What has been proven, and the name of the token that proved it.

use sha2::{Digest as _, Sha256};

use crate::{KeyId, base64url};

/// Claims of a token whose signature, type, audience, issuer and times have been checked.
///
/// Only this crate makes one, so a function that takes it need not ask again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<C> {
    claims: C,
    kid: KeyId,
    token_hash: TokenHash,
}

impl<C> Verified<C> {
    pub(super) fn new(claims: C, kid: KeyId, token_hash: TokenHash) -> Self {
        Self { claims, kid, token_hash }
    }

    /// The claims.
    pub fn claims(&self) -> &C {
        &self.claims
    }

    /// The claims, by value.
    pub fn into_claims(self) -> C {
        self.claims
    }

    /// The hash of the whole token.
    pub fn token_hash(&self) -> TokenHash {
        self.token_hash
    }

    /// The key that signed it.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }
}

/// SHA-256 of a whole token, signature included. It may be stored and logged: nobody gets the token from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 43 characters of base64url.
    pub fn to_base64url(&self) -> String {
        base64url::encode(self.0)
    }
}
