//! The token with which the broker asks a panel whether a membership is in force. Panels verify it, with any library
//! for JWT or in a few lines of PHP, by the keys that the broker publishes; nobody here does.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::jws;
use crate::SigningKey;

/// The header's `typ`.
pub const TYP: &str = "gatepass-membership+jwt";

/// How long a question lives, from `iat` to `exp`.
pub const LIFETIME: Duration = Duration::from_mins(1);

/// What a question says. Times are whole seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionClaims {
    /// `iss`: the public URL of the broker.
    pub issuer: String,
    /// `aud`: the address that is asked, so that it means nothing at another panel.
    pub audience: String,
    /// `sub`: the panel's id of its customer.
    pub subject: String,
    /// `site`: where the customer wants to.
    pub site: String,
    /// `jti`: a version 7 UUID.
    pub id: Uuid,
    /// `iat`.
    pub issued_at: i64,
}

/// A signed question. It is wiped when dropped, and `Debug` shows nothing of it.
pub struct QuestionToken(Zeroizing<String>);

impl QuestionToken {
    /// The token's text, for the `Authorization` header.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for QuestionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QuestionToken(…)")
    }
}

/// Signs a question.
pub fn sign(key: &SigningKey, claims: &QuestionClaims) -> QuestionToken {
    let expires_at = claims.issued_at.saturating_add_unsigned(LIFETIME.as_secs());
    let claims = Map::from_iter([
        ("iss".to_owned(), Value::from(claims.issuer.as_str())),
        ("aud".to_owned(), Value::from(claims.audience.as_str())),
        ("sub".to_owned(), Value::from(claims.subject.as_str())),
        ("site".to_owned(), Value::from(claims.site.as_str())),
        ("jti".to_owned(), Value::from(claims.id.hyphenated().to_string())),
        ("iat".to_owned(), Value::from(claims.issued_at)),
        ("exp".to_owned(), Value::from(expires_at)),
    ]);
    QuestionToken(Zeroizing::new(jws::seal(key, TYP, claims)))
}
