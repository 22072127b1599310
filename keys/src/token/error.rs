//! Why a token was refused.

/// Why a token was refused, one variant per cause.
///
/// None of them carries any text of the token. The order is that of the checks; of the four about JSON, those
/// that concern the claims come with the claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// More than [`MAX_TOKEN_BYTES`](super::MAX_TOKEN_BYTES). Nothing of it was read.
    #[error("the token is longer than 2048 bytes")]
    TooLong,
    /// Not three segments between two dots (RFC 7515 section 7.1).
    #[error("the token does not have three segments")]
    Segments,
    /// A segment is not canonical base64url without padding (RFC 7515 section 2).
    #[error("a segment of the token is not canonical base64url")]
    Base64,
    /// Header or claims are not JSON, or something follows it.
    #[error("the header or the claims are not JSON")]
    Json,
    /// Header or claims are JSON, but not an object.
    #[error("the header or the claims are not a JSON object")]
    NotAnObject,
    /// An object has two members of one name, at any depth (RFC 7515 section 4, RFC 7519 section 4).
    #[error("a JSON object has a member twice")]
    DuplicateMember,
    /// Nested deeper than anything that belongs in a token.
    #[error("the JSON is nested too deeply")]
    TooDeep,
    /// `alg` is not `EdDSA` (RFC 8037) or `Ed25519` (RFC 9864), or is missing.
    #[error("the algorithm is not EdDSA")]
    Algorithm,
    /// `typ` is not exactly that of the expected kind of token, or is missing (RFC 8725 section 3.11).
    #[error("the token is of another type")]
    Type,
    /// There is a `crit`: no extension is known here, so each is unknown (RFC 7515 section 4.1.11).
    #[error("the token demands an extension")]
    CriticalExtension,
    /// `kid` is not a thumbprint, or is missing.
    #[error("the key id is missing or malformed")]
    KeyId,
    /// The signature is not 64 bytes long (RFC 8032 section 5.1.6).
    #[error("the signature is not 64 bytes long")]
    SignatureLength,
    /// No trusted key has this `kid`.
    #[error("the key id is unknown")]
    UnknownKey,
    /// The signature does not hold.
    #[error("the signature does not hold")]
    Signature,
    /// A claim is missing.
    #[error("the claim `{0}` is missing")]
    MissingClaim(&'static str),
    /// A claim is of the wrong type: texts are strings (`aud` also, never a list), times are whole,
    /// non-negative numbers of seconds not beyond the year 9999.
    #[error("the claim `{0}` has the wrong type")]
    ClaimType(&'static str),
    /// A claim has the right type, but is not well-formed: `sub` (1 to 128 of `[A-Za-z0-9._:@-]`), or `jti`
    /// (a version 7 UUID, hyphenated, in lower case).
    #[error("the claim `{0}` is malformed")]
    ClaimForm(&'static str),
    /// `iss` is another.
    #[error("the token is from another issuer")]
    Issuer,
    /// `sub` is not the one it has to be.
    #[error("the token is about another subject")]
    Subject,
    /// `aud` is another.
    #[error("the token is for another audience")]
    Audience,
    /// `exp` is further ahead than a whole lifetime: a token made for later, or a signer's clock ahead.
    #[error("the token expires too far ahead")]
    ExpiryTooFarAhead,
    /// `iat` is in the future.
    #[error("the token is from the future")]
    IssuedInTheFuture,
    /// `exp` is not after `iat`.
    #[error("the token expires before it was issued")]
    ExpiryBeforeIssue,
    /// `exp` is further from `iat` than this kind of token may live.
    #[error("the token lives too long")]
    LifetimeTooLong,
    /// It was good once.
    #[error("the token has expired")]
    Expired,
}

impl TokenError {
    /// The cause as a stable label for metrics and the audit trail.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Segments => "segments",
            Self::Base64 => "base64",
            Self::Json => "json",
            Self::NotAnObject => "not_an_object",
            Self::DuplicateMember => "duplicate_member",
            Self::TooDeep => "too_deep",
            Self::Algorithm => "algorithm",
            Self::Type => "type",
            Self::CriticalExtension => "critical_extension",
            Self::KeyId => "key_id",
            Self::SignatureLength => "signature_length",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::MissingClaim(_) => "missing_claim",
            Self::ClaimType(_) => "claim_type",
            Self::ClaimForm(_) => "claim_form",
            Self::Issuer => "issuer",
            Self::Subject => "subject",
            Self::Audience => "audience",
            Self::ExpiryTooFarAhead => "expiry_too_far_ahead",
            Self::IssuedInTheFuture => "issued_in_the_future",
            Self::ExpiryBeforeIssue => "expiry_before_issue",
            Self::LifetimeTooLong => "lifetime_too_long",
            Self::Expired => "expired",
        }
    }

    /// Whether an honest signer whose clock is wrong would have been refused like this. Who is told the time
    /// can then sign again.
    ///
    /// A clock that is fast shows as [`ExpiryTooFarAhead`](Self::ExpiryTooFarAhead) before anything else.
    pub fn may_be_the_clock(&self) -> bool {
        matches!(self, Self::ExpiryTooFarAhead | Self::IssuedInTheFuture | Self::Expired)
    }
}
