//! The labels under which refusals are counted.

use std::collections::BTreeSet;

use gatepass_keys::token::TokenError;

/// Every refusal there is.
pub(crate) const ALL: [TokenError; 25] = [
    TokenError::TooLong,
    TokenError::Segments,
    TokenError::Base64,
    TokenError::Json,
    TokenError::NotAnObject,
    TokenError::DuplicateMember,
    TokenError::TooDeep,
    TokenError::Algorithm,
    TokenError::Type,
    TokenError::CriticalExtension,
    TokenError::KeyId,
    TokenError::SignatureLength,
    TokenError::UnknownKey,
    TokenError::Signature,
    TokenError::MissingClaim("exp"),
    TokenError::ClaimType("exp"),
    TokenError::ClaimForm("sub"),
    TokenError::Issuer,
    TokenError::Subject,
    TokenError::Audience,
    TokenError::ExpiryTooFarAhead,
    TokenError::IssuedInTheFuture,
    TokenError::ExpiryBeforeIssue,
    TokenError::LifetimeTooLong,
    TokenError::Expired,
];

#[test]
fn every_cause_has_a_label_of_its_own() {
    let labels: BTreeSet<&str> = ALL.iter().map(TokenError::cause).collect();
    assert_eq!(labels.len(), ALL.len());
    let snake_case = |label: &str| {
        label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    assert!(labels.into_iter().all(snake_case));
}

#[test]
fn a_label_is_the_same_whichever_claim_it_is_about() {
    assert_eq!(TokenError::ClaimType("aud").cause(), TokenError::ClaimType("exp").cause());
}
