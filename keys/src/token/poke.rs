//! The poke token: it tells a site that there is something to pull, and carries no data.
//!
//! Whoever holds one can make that site ask the bridge once more for what it may know anyway, and nothing else. The
//! plugin verifies it, in PHP and without the times, since its clock is often wrong; here it is verified for tests and
//! tools.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::claims::Claims;
use super::jws::{self, Envelope};
use super::{TokenError, Verified, times};
use crate::{KeyId, SigningKey, VerificationKeys};

/// The header's `typ`.
pub const TYP: &str = "gatepass-poke+jwt";

/// The longest a poke may live, from `iat` to `exp`.
pub const MAX_LIFETIME: Duration = Duration::from_mins(1);

/// What a poke says. Times are whole seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PokeClaims {
    /// `iss`: the public URL of the broker.
    pub issuer: String,
    /// `aud`: the id of the site that is poked.
    pub audience: String,
    /// `jti`: a version 7 UUID, so that no two pokes are the same.
    pub id: Uuid,
    /// `iat`.
    pub issued_at: i64,
    /// `exp`: at most [`MAX_LIFETIME`] after `iat`.
    pub expires_at: i64,
}

/// A signed poke token. It is wiped when dropped, and `Debug` shows nothing of it.
pub struct PokeToken(Zeroizing<String>);

impl PokeToken {
    /// The token's text, for the body of the call.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PokeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PokeToken(…)")
    }
}

/// Signs a poke. The claims are written as they are given.
pub fn sign(key: &SigningKey, claims: &PokeClaims) -> PokeToken {
    let claims = Map::from_iter([
        ("iss".to_owned(), Value::from(claims.issuer.as_str())),
        ("aud".to_owned(), Value::from(claims.audience.as_str())),
        ("jti".to_owned(), Value::from(claims.id.hyphenated().to_string())),
        ("iat".to_owned(), Value::from(claims.issued_at)),
        ("exp".to_owned(), Value::from(claims.expires_at)),
    ]);
    PokeToken(Zeroizing::new(jws::seal(key, TYP, claims)))
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

    /// Verifies the signature, then reads the claims, then compares them: `issuer` is the broker's public URL,
    /// `audience` the site's id, `now` in seconds since the epoch.
    pub fn verify(
        self,
        keys: &impl VerificationKeys,
        issuer: &str,
        audience: &str,
        now: i64,
    ) -> Result<Verified<PokeClaims>, TokenError> {
        let Self(envelope) = self;
        let key = keys.find(&envelope.unverified_kid).ok_or(TokenError::UnknownKey)?;
        key.verify(envelope.signing_input.as_bytes(), &envelope.signature)
            .map_err(|_| TokenError::Signature)?;
        let claims = read(&envelope.unverified_claims)?;
        if claims.issuer != issuer {
            return Err(TokenError::Issuer);
        }
        if claims.audience != audience {
            return Err(TokenError::Audience);
        }
        times::check(claims.issued_at, claims.expires_at, now, MAX_LIFETIME, Duration::ZERO)?;
        let token_hash = envelope.hash();
        Ok(Verified::new(claims, envelope.unverified_kid, token_hash))
    }
}

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "poke::Unverified({})", self.kid())
    }
}

fn read(json: &[u8]) -> Result<PokeClaims, TokenError> {
    let mut claims = Claims::parse(json)?;
    Ok(PokeClaims {
        issuer: claims.text("iss")?,
        audience: claims.text("aud")?,
        id: claims.uuid_v7("jti")?,
        issued_at: claims.seconds("iat")?,
        expires_at: claims.seconds("exp")?,
    })
}
