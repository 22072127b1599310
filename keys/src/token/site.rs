//! The site token: with it a site proves to the bridge who it is.
//!
//! The site signs it with the key it made at pairing, in PHP. It is verified through `jsonwebtoken`, whose
//! cryptography (AWS-LC) is another than the one handoffs are signed and verified with; form, claims and
//! times are ours, since that crate would read the system's clock and take the last of two equal members.

use std::fmt;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::claims::Claims;
use super::jws::{self, Envelope};
use super::{TokenError, Verified, times};
use crate::verification_key::has_weak_r;
use crate::{KeyId, SigningKey, VerificationKey, base64url};

/// The header's `typ`.
pub const TYP: &str = "gatepass-site+jwt";

/// The longest a site's proof may live, from `iat` to `exp`.
pub const MAX_LIFETIME: Duration = Duration::from_mins(1);

/// What a site token says. Times are whole seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteClaims {
    /// `iss` and `sub`, which are the same: the site's id.
    pub site: String,
    /// `aud`: the bridge's URL, as the site was told it at pairing.
    pub audience: String,
    /// `iat`.
    pub issued_at: i64,
    /// `exp`: at most [`MAX_LIFETIME`] after `iat`.
    pub expires_at: i64,
}

/// A signed site token. It opens the bridge's API to its holder, so it is wiped when dropped, and `Debug`
/// shows nothing of it.
pub struct SiteToken(Zeroizing<String>);

impl SiteToken {
    /// The token's text, for the `Authorization` header.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SiteToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SiteToken(…)")
    }
}

/// Signs a site token. In production the plugin does this, in PHP; here it serves tests and tools.
pub fn sign(key: &SigningKey, claims: &SiteClaims) -> SiteToken {
    let claims = Map::from_iter([
        ("iss".to_owned(), Value::from(claims.site.as_str())),
        ("sub".to_owned(), Value::from(claims.site.as_str())),
        ("aud".to_owned(), Value::from(claims.audience.as_str())),
        ("iat".to_owned(), Value::from(claims.issued_at)),
        ("exp".to_owned(), Value::from(claims.expires_at)),
    ]);
    SiteToken(Zeroizing::new(jws::seal(key, TYP, claims)))
}

/// A token that has the right form. Nothing in it is proven; only what finds the key can be read.
pub struct Unverified<'a> {
    envelope: Envelope<'a>,
    claimed: SiteClaims,
    claimed_subject: String,
}

impl<'a> Unverified<'a> {
    /// Reads a token's form, header and claims. Costs no cryptography.
    pub fn parse(token: &'a str) -> Result<Self, TokenError> {
        let envelope = Envelope::open(token, TYP)?;
        let mut claims = Claims::parse(&envelope.unverified_claims)?;
        let claimed = SiteClaims {
            site: claims.identifier("iss")?,
            audience: claims.text("aud")?,
            issued_at: claims.seconds("iat")?,
            expires_at: claims.seconds("exp")?,
        };
        let claimed_subject = claims.text("sub")?;
        Ok(Self { envelope, claimed, claimed_subject })
    }

    /// The key the token says it was signed with.
    pub fn kid(&self) -> &KeyId {
        &self.envelope.unverified_kid
    }

    /// The site the token says it is from: 1 to 128 of `[A-Za-z0-9._:@-]`. Good for finding that site's key,
    /// and for nothing else.
    pub fn claimed_site(&self) -> &str {
        &self.claimed.site
    }

    /// Refuses early what [`verify`](Self::verify) would refuse anyway, so that a stale or foreign token costs no
    /// look-up of a key. Passing proves nothing.
    pub fn check_claims(&self, audience: &str, now: i64) -> Result<(), TokenError> {
        let claimed = &self.claimed;
        if self.claimed_subject != claimed.site {
            return Err(TokenError::Subject);
        }
        if claimed.audience != audience {
            return Err(TokenError::Audience);
        }
        times::check(claimed.issued_at, claimed.expires_at, now, MAX_LIFETIME, Duration::ZERO)
    }

    /// Verifies the signature with the key of [`claimed_site`](Self::claimed_site), then compares the claims.
    /// `audience` is the bridge's URL, `now` is in seconds since the epoch.
    pub fn verify(
        self,
        key: &VerificationKey,
        audience: &str,
        now: i64,
    ) -> Result<Verified<SiteClaims>, TokenError> {
        let envelope = &self.envelope;
        if envelope.unverified_kid != *key.kid() {
            return Err(TokenError::UnknownKey);
        }
        // Despite its name this takes the raw 32 bytes. It has no name for RFC 9864's `Ed25519`, which says
        // the same as `EdDSA` does under a key of this type.
        let holds = jsonwebtoken::crypto::verify(
            &base64url::encode(envelope.signature),
            envelope.signing_input.as_bytes(),
            &DecodingKey::from_ed_der(key.as_bytes()),
            Algorithm::EdDSA,
        );
        // AWS-LC checks the equation of RFC 8032 and a reduced S, and that is all.
        if !holds.unwrap_or(false) || has_weak_r(&envelope.signature) {
            return Err(TokenError::Signature);
        }
        self.check_claims(audience, now)?;
        let token_hash = envelope.hash();
        Ok(Verified::new(self.claimed, self.envelope.unverified_kid, token_hash))
    }
}

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "site::Unverified({}, {})", self.claimed_site(), self.kid())
    }
}
