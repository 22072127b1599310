//! Taking typed claims out of a JSON object.

use uuid::{Uuid, Variant, Version};

use super::TokenError;
use super::json::{self, Member, Object};

/// The last second of the year 9999, beyond which no RFC 3339 text reaches.
const LAST_SECOND: u64 = 253_402_300_799;

/// The claims of one token. What is not asked for is ignored (RFC 7519 section 4).
pub(super) struct Claims(Object);

impl Claims {
    pub(super) fn parse(json: &[u8]) -> Result<Self, TokenError> {
        json::parse_object(json).map(Self)
    }

    fn take(&mut self, name: &'static str) -> Result<Member, TokenError> {
        self.0.remove(name).ok_or(TokenError::MissingClaim(name))
    }

    /// A string.
    pub(super) fn text(&mut self, name: &'static str) -> Result<String, TokenError> {
        match self.take(name)? {
            Member::Text(text) => Ok(text),
            Member::Integer(_) | Member::Other => Err(TokenError::ClaimType(name)),
        }
    }

    /// A string of 1 to 128 of `[A-Za-z0-9._:@-]`.
    pub(super) fn identifier(&mut self, name: &'static str) -> Result<String, TokenError> {
        let text = self.text(name)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@-".contains(&byte);
        if (1..=128).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(text)
        } else {
            Err(TokenError::ClaimForm(name))
        }
    }

    /// A version 7 UUID in its one canonical spelling (RFC 9562 section 4), lest one id have two names.
    pub(super) fn uuid_v7(&mut self, name: &'static str) -> Result<Uuid, TokenError> {
        let text = self.text(name)?;
        let id = Uuid::try_parse(&text).map_err(|_| TokenError::ClaimForm(name))?;
        let canonical = id.hyphenated().to_string() == text;
        let version_7 = id.get_version() == Some(Version::SortRand) && id.get_variant() == Variant::RFC4122;
        if canonical && version_7 { Ok(id) } else { Err(TokenError::ClaimForm(name)) }
    }

    /// A time in whole seconds since the epoch. RFC 7519's `NumericDate` also allows fractions; we write none.
    pub(super) fn seconds(&mut self, name: &'static str) -> Result<i64, TokenError> {
        match self.take(name)? {
            Member::Integer(seconds @ ..=LAST_SECOND) => Ok(seconds.cast_signed()),
            Member::Integer(_) | Member::Text(_) | Member::Other => Err(TokenError::ClaimType(name)),
        }
    }
}
