//! The handoff token: it brings one customer to one site, once.
//!
//! That it is well signed and in time is decided here. That it was issued and is not spent, is decided by
//! the store, which knows it by [`HandoffToken::hash`].

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::claims::Claims;
use super::jws::{self, Envelope};
use super::{TokenError, times};
use crate::{KeyId, SigningKey, VerificationKeys};

pub use super::{TokenHash, Verified};

/// The header's `typ`.
pub const TYP: &str = "gatepass-handoff+jwt";

/// The longest a handoff may live, from `iat` to `exp`.
pub const MAX_LIFETIME: Duration = Duration::from_mins(5);

/// What a handoff token says. Times are whole seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandoffClaims {
    /// `iss`: the public URL of the broker.
    pub issuer: String,
    /// `aud`: the site's id.
    pub audience: String,
    /// `sub`: the panel's customer id, 1 to 128 of `[A-Za-z0-9._:@-]`.
    pub subject: String,
    /// `jti`: the handoff's id, a version 7 UUID.
    pub id: Uuid,
    /// `iat`.
    pub issued_at: i64,
    /// `exp`: at most [`MAX_LIFETIME`] after `iat`.
    pub expires_at: i64,
}

/// A signed handoff token. Whoever holds it is let in as the customer, so it is wiped when dropped, and
/// `Debug` shows nothing of it.
pub struct HandoffToken(Zeroizing<String>);

impl HandoffToken {
    /// The token's text, for the one place it goes to: the fragment of the login URL.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The name the store knows the token by.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Debug for HandoffToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandoffToken(…)")
    }
}

/// Signs a handoff. The claims are written as they are given; what [`Unverified::verify`] would not accept
/// makes a token that is refused.
pub fn sign(key: &SigningKey, claims: &HandoffClaims) -> HandoffToken {
    let claims = Map::from_iter([
        ("iss".to_owned(), Value::from(claims.issuer.as_str())),
        ("aud".to_owned(), Value::from(claims.audience.as_str())),
        ("sub".to_owned(), Value::from(claims.subject.as_str())),
        ("jti".to_owned(), Value::from(claims.id.hyphenated().to_string())),
        ("iat".to_owned(), Value::from(claims.issued_at)),
        ("exp".to_owned(), Value::from(claims.expires_at)),
    ]);
    HandoffToken(Zeroizing::new(jws::seal(key, TYP, claims)))
}

/// What a handoff token must say to be let through.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The broker whose tokens are accepted.
    pub issuer: &'a str,
    /// The id of the site that presents it.
    pub audience: &'a str,
    /// The verifier's time, in seconds since the epoch.
    pub now: i64,
    /// How long after `exp` and [`LEEWAY`](super::LEEWAY) a token is still let through, so that the store can
    /// give a repeated attempt its answer again; in whole seconds. The store judges expiry itself.
    pub past_expiry: Duration,
}

/// A token that has the right form. Nothing in it is proven; only the key it names can be read.
pub struct Unverified<'a>(Envelope<'a>);

impl<'a> Unverified<'a> {
    /// Reads a token's form and header. Costs no cryptography.
    pub fn parse(token: &'a str) -> Result<Self, TokenError> {
        Envelope::open(token, TYP).map(Self)
    }

    /// The key the token says it was signed with.
    pub fn kid(&self) -> &KeyId {
        &self.0.unverified_kid
    }

    /// Verifies the signature, then reads the claims, then compares them with what is expected.
    pub fn verify(
        self,
        keys: &impl VerificationKeys,
        expected: &Expected<'_>,
    ) -> Result<Verified<HandoffClaims>, TokenError> {
        let Self(envelope) = self;
        let key = keys.find(&envelope.unverified_kid).ok_or(TokenError::UnknownKey)?;
        key.verify(envelope.signing_input.as_bytes(), &envelope.signature)
            .map_err(|_| TokenError::Signature)?;
        let claims = read(&envelope.unverified_claims)?;
        if claims.issuer != expected.issuer {
            return Err(TokenError::Issuer);
        }
        if claims.audience != expected.audience {
            return Err(TokenError::Audience);
        }
        times::check(claims.issued_at, claims.expires_at, expected.now, MAX_LIFETIME, expected.past_expiry)?;
        let token_hash = envelope.hash();
        Ok(Verified::new(claims, envelope.unverified_kid, token_hash))
    }
}

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "handoff::Unverified({})", self.kid())
    }
}

fn read(json: &[u8]) -> Result<HandoffClaims, TokenError> {
    let mut claims = Claims::parse(json)?;
    Ok(HandoffClaims {
        issuer: claims.text("iss")?,
        audience: claims.text("aud")?,
        subject: claims.identifier("sub")?,
        id: claims.uuid_v7("jti")?,
        issued_at: claims.seconds("iat")?,
        expires_at: claims.seconds("exp")?,
    })
}
