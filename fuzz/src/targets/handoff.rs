//! The handoff token, whole or as header and claims that are signed here: past the signature lies half of the reader.
//!
//! An input that has a line end is a header, then claims, each any bytes, signed by the trusted key. Any other is the
//! token itself.

use gatepass_corpus::{HANDOFF_ID, ISSUER, Kind, NOW, SITE, b64, cases, expected, judge, key, signed, unb64};
use gatepass_keys::KeySet;
use gatepass_keys::token::handoff::{self, HandoffClaims};
use serde_json::Value;

use crate::oracle::is_unambiguous;

/// Seeds: every token of the corpus, as it is and taken apart.
pub fn seeds() -> Vec<Vec<u8>> {
    token_seeds(Kind::Handoff)
}

/// The tokens of the corpus of one kind that are not all too long, whole and taken apart.
pub(super) fn token_seeds(kind: Kind) -> Vec<Vec<u8>> {
    let tokens = cases().into_iter().filter(|case| case.kind == kind).map(|case| case.token());
    let apart = |token: &str| {
        let [header, claims, _] = token.split('.').collect::<Vec<_>>().try_into().ok()?;
        (judge(kind, token).is_err_and(|error| error.cause() != "base64"))
            .then(|| [unb64(header), b"\n".to_vec(), unb64(claims)].concat())
    };
    tokens
        .filter(|token| token.len() <= 2100)
        .flat_map(|token| [apart(&token), Some(token.into_bytes())])
        .flatten()
        .collect()
}

/// The token that an input stands for, unless it stands for none.
pub fn token(input: &[u8]) -> Option<String> {
    match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => Some(signed(&input[..end], &input[end + 1..])),
        None => String::from_utf8(input.to_vec()).ok(),
    }
}

/// Reads a token.
pub fn run(input: &[u8]) {
    let Some(token) = token(input) else { return };
    let parsed = handoff::Unverified::parse(&token);
    let kid = parsed.as_ref().ok().map(|unverified| unverified.kid().clone());
    let verified =
        parsed.and_then(|unverified| unverified.verify(&KeySet::new([key().public()]), &expected()));
    match verified {
        Err(refusal) => assert!(!refusal.cause().is_empty()),
        Ok(verified) => {
            assert_eq!(Some(verified.kid()), kid.as_ref(), "it was verified with another key than it named");
            assert_one_spelling(&token);
            assert_means(&token, verified.claims());
        }
    }
}

/// The accepted token is, byte for byte, the one that an honest signer makes of these claims: Ed25519 signs a text in
/// one way only.
pub(super) fn assert_one_spelling(token: &str) {
    let (input, signature) = token.rsplit_once('.').expect("three segments");
    assert_eq!(signature, b64(key().sign(input.as_bytes())), "a second signature of one text was accepted");
    for segment in input.split('.') {
        assert_eq!(b64(unb64(segment)), segment, "a second spelling of one segment was accepted");
        assert!(is_unambiguous(&unb64(segment)), "a member twice was accepted");
    }
    assert_eq!(input.split('.').count(), 2);
    assert!(token.len() <= 2048);
}

/// Header and claims of an accepted token, by another reader of JSON.
pub(super) fn read(token: &str) -> [Value; 2] {
    let segments: Vec<_> = token.split('.').take(2).collect();
    [0, 1].map(|at| serde_json::from_slice(&unb64(segments[at])).expect("JSON"))
}

fn assert_means(token: &str, read_as: &HandoffClaims) {
    let [header, claims] = read(token);
    assert!(header["alg"] == "EdDSA" || header["alg"] == "Ed25519");
    assert_eq!(header["typ"], "gatepass-handoff+jwt");
    assert_eq!(header["kid"], key().kid().as_str());
    assert!(header.get("crit").is_none());
    assert_eq!((&claims["iss"], &claims["aud"]), (&ISSUER.into(), &SITE.into()));
    assert_eq!(claims["sub"], read_as.subject.as_str());
    assert!((1..=128).contains(&read_as.subject.len()) && read_as.subject.is_ascii());
    assert_eq!(claims["jti"], read_as.id.to_string());
    let (issued, expires) = (claims["iat"].as_u64(), claims["exp"].as_u64());
    assert_eq!((issued, expires), (read_as.issued_at.try_into().ok(), read_as.expires_at.try_into().ok()));
    let (issued, expires) = (read_as.issued_at, read_as.expires_at);
    assert!(issued <= NOW + 5 && issued < expires && expires - issued <= 300 && NOW < expires + 5);
    assert_eq!(HANDOFF_ID.len(), read_as.id.to_string().len());
}
