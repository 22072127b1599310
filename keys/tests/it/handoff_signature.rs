//! The signature of a handoff token, and the key it is verified with.

use gatepass_keys::token::handoff::{self, Unverified};
use gatepass_keys::token::{TokenError, Verified};
use gatepass_keys::{KeySet, SigningKey};
use sha2::{Digest as _, Sha256};

use crate::forge::{Forge, another_key, b64, check, claims, expected, key, signed, unb64};

fn verify_with(keys: &KeySet, token: &str) -> Result<Verified<handoff::HandoffClaims>, TokenError> {
    Unverified::parse(token)?.verify(keys, &expected())
}

#[test]
fn verify_gives_back_what_was_signed() {
    let token = handoff::sign(&key(), &claims());
    let verified =
        verify_with(&KeySet::new([another_key().public(), key().public()]), token.expose()).unwrap();
    assert_eq!(verified.claims(), &claims());
    assert_eq!(verified.kid(), key().kid());
    assert_eq!(verified.token_hash(), token.hash());
    assert_eq!(verified.into_claims(), claims());
}

#[test]
fn the_hash_is_sha_256_of_the_whole_token() {
    let token = handoff::sign(&key(), &claims());
    let hash: [u8; 32] = Sha256::digest(token.expose()).into();
    assert_eq!(token.hash().as_bytes(), &hash);
    assert_eq!(token.hash().to_base64url(), b64(hash));
}

#[test]
fn a_token_is_not_in_its_debug_output() {
    let token = handoff::sign(&key(), &claims());
    assert_eq!(format!("{token:?}"), "HandoffToken(…)");
}

#[test]
fn a_token_of_usual_size_is_far_below_the_limit() {
    let long = handoff::HandoffClaims { subject: "s".repeat(128), ..claims() };
    assert!(handoff::sign(&key(), &long).expose().len() < 700);
}

#[test]
fn verify_refuses_an_unknown_kid() {
    assert_eq!(check(handoff::sign(&another_key(), &claims()).expose()), Err(TokenError::UnknownKey));
}

#[test]
fn verify_refuses_everything_when_no_key_is_trusted() {
    let token = Forge::handoff().sign();
    assert_eq!(verify_with(&KeySet::default(), &token).unwrap_err(), TokenError::UnknownKey);
}

#[test]
fn verify_refuses_another_keys_signature_under_our_kid() {
    assert_eq!(check(&Forge::handoff().sign_by(&another_key())), Err(TokenError::Signature));
}

#[test]
fn verify_refuses_another_keys_signature_though_both_are_trusted() {
    let both = KeySet::new([key().public(), another_key().public()]);
    let token = Forge::handoff().header("kid", another_key().kid().as_str()).sign();
    assert_eq!(verify_with(&both, &token).unwrap_err(), TokenError::Signature);
}

#[test]
fn verify_refuses_a_tampered_payload() {
    let token = Forge::handoff().sign();
    let other = Forge::handoff().claim("sub", "customer-2").sign();
    let [header, _, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let payload = other.split('.').nth(1).unwrap();
    assert_eq!(check(&format!("{header}.{payload}.{signature}")), Err(TokenError::Signature));
}

#[test]
fn verify_refuses_a_tampered_header() {
    let token = Forge::handoff().sign();
    let (_, rest) = token.split_once('.').unwrap();
    let header = b64(Forge::handoff().header("alg", "Ed25519").header_json());
    assert_eq!(check(&format!("{header}.{rest}")), Err(TokenError::Signature));
}

#[test]
fn verify_reads_no_claims_before_the_signature_holds() {
    let token = signed(Forge::handoff().header_json(), "not json");
    assert_eq!(check(&token), Err(TokenError::Json));
    let token = format!("{}.{}.{}", b64(Forge::handoff().header_json()), b64("not json"), b64([0; 64]));
    assert_eq!(check(&token), Err(TokenError::Signature));
}

#[test]
fn verify_refuses_a_token_with_any_one_character_changed() {
    let token = Forge::handoff().sign();
    for at in 0..token.len() {
        for with in ["A", "b", "."] {
            if &token[at..=at] != with {
                let mut changed = token.clone();
                changed.replace_range(at..=at, with);
                assert!(check(&changed).is_err(), "{with} at {at}");
            }
        }
    }
}

#[test]
fn verify_refuses_a_token_cut_short_anywhere() {
    let token = Forge::handoff().sign();
    for length in 0..token.len() {
        assert!(check(&token[..length]).is_err(), "{length}");
    }
}

/// The order of the group, in little-endian bytes (RFC 8032 section 5.1).
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn verify_refuses_a_malleable_signature() {
    // S + L satisfies the same equation as S; without RFC 8032's check anyone could make a second token.
    let token = Forge::handoff().sign();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut signature = unb64(signature);
    let mut carry = 0;
    for (byte, l) in signature[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(l) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    assert_eq!(check(&format!("{input}.{}", b64(signature))), Err(TokenError::Signature));
}

#[test]
fn verify_refuses_a_signature_whose_r_is_of_small_order() {
    // Made by the key's owner: R is the neutral element and S = k·a, which plain verification accepts.
    let key = SigningKey::generate([7; 32]);
    let mut signature = [0; 64];
    signature[0] = 1;
    signature[32..].copy_from_slice(&[
        0xc7, 0x6d, 0x1f, 0x32, 0x12, 0xec, 0xf8, 0xda, 0x37, 0x3e, 0x21, 0xa5, 0xde, 0x7b, 0xcc, 0x91, 0x45,
        0x59, 0x8f, 0xd0, 0x6a, 0x18, 0xf0, 0x72, 0x3f, 0x12, 0x1f, 0xb0, 0x5d, 0x5b, 0x91, 0x06,
    ]);
    let lax = ed25519_dalek::VerifyingKey::from_bytes(key.public().as_bytes()).unwrap();
    let lax = ed25519_dalek::Verifier::verify(&lax, b"a message", &signature.into());
    assert!(lax.is_ok());
    assert!(key.public().verify(b"a message", &signature).is_err());
}

#[test]
fn verify_refuses_signatures_of_zeros_and_of_ones() {
    let token = Forge::handoff().sign();
    let (input, _) = token.rsplit_once('.').unwrap();
    for byte in [0, 0xff] {
        assert_eq!(check(&format!("{input}.{}", b64([byte; 64]))), Err(TokenError::Signature));
    }
}
