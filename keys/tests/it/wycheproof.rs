//! The Ed25519 vectors of Project Wycheproof, judged by both verifiers that judge tokens.
//!
//! `acceptable` means there that a signature may be refused for reasons of policy. Ours is RFC 8032 to the letter,
//! one signature for a message, so `acceptable` must be refused as `invalid` must. The set has none at present.

use std::collections::BTreeMap;

use ::wycheproof::TestResult;
use ::wycheproof::eddsa::{TestFlag, TestName, TestSet};
use gatepass_keys::{Jwk, VerificationKey};

use crate::forge::b64;

/// What one verifier says of a signature by a key over a message.
type Verifier = fn(&VerificationKey, &[u8], &[u8]) -> bool;

/// The one of handoff tokens.
fn dalek(key: &VerificationKey, message: &[u8], signature: &[u8]) -> bool {
    key.verify(message, signature).is_ok()
}

/// The one of site tokens, called as they call it.
fn aws_lc(key: &VerificationKey, message: &[u8], signature: &[u8]) -> bool {
    let public = jsonwebtoken::DecodingKey::from_ed_der(key.as_bytes());
    jsonwebtoken::crypto::verify(&b64(signature), message, &public, jsonwebtoken::Algorithm::EdDSA)
        .unwrap_or(false)
}

fn vectors() -> TestSet {
    TestSet::load(TestName::Ed25519).unwrap()
}

/// Asserts what is said of every vector, and gives how many of each result there were.
fn run(verify: Verifier) -> [usize; 3] {
    let mut counts = [0; 3];
    let mut failures = Vec::new();
    for group in vectors().test_groups {
        let key = VerificationKey::from_bytes(group.key.pk[..].try_into().unwrap()).unwrap();
        for test in group.tests {
            let (result, must_hold) = match test.result {
                TestResult::Valid => (0, true),
                TestResult::Invalid => (1, false),
                TestResult::Acceptable => (2, false),
            };
            counts[result] += 1;
            if verify(&key, &test.msg, &test.sig) != must_hold {
                failures.push(format!("{} {:?} {}", test.tc_id, test.flags, test.comment));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    counts
}

#[test]
fn verify_agrees_with_every_vector() {
    assert_eq!(run(dalek), [88, 63, 0]);
}

#[test]
fn the_verifier_of_site_tokens_agrees_with_every_vector() {
    assert_eq!(run(aws_lc), [88, 63, 0]);
}

#[test]
fn the_vectors_contain_what_they_are_here_for() {
    let mut flags: BTreeMap<String, usize> = BTreeMap::new();
    for test in vectors().test_groups.iter().flat_map(|group| &group.tests) {
        for flag in &test.flags {
            *flags.entry(format!("{flag:?}")).or_default() += 1;
        }
    }
    for (flag, count) in [
        (TestFlag::SignatureMalleability, 8),
        (TestFlag::InvalidEncoding, 22),
        (TestFlag::SignatureWithGarbage, 5),
        (TestFlag::TruncatedSignature, 3),
    ] {
        assert_eq!(flags.get(&format!("{flag:?}")), Some(&count), "{flag:?}");
    }
}

#[test]
fn every_key_of_the_vectors_is_the_same_key_in_every_form() {
    let groups = vectors().test_groups;
    assert_eq!(groups.len(), 78);
    for group in groups {
        let key = VerificationKey::from_bytes(group.key.pk[..].try_into().unwrap()).unwrap();
        let jwk = Jwk {
            kty: group.jwk.kty,
            crv: "Ed25519".to_owned(),
            x: b64(&group.jwk.x[..]),
            kid: None,
            key_use: None,
            alg: None,
        };
        assert_eq!(VerificationKey::from_jwk(&jwk), Ok(key.clone()));
        // The DER ends with the 32 bytes (RFC 8410 section 4).
        assert!(group.der.ends_with(key.as_bytes()));
    }
}
