//! Site tokens. Envelope and times are the same code as a handoff's; here is what is different, and that the
//! same code is in fact called.

use gatepass_keys::SigningKey;
use gatepass_keys::token::site::{self, SiteClaims, Unverified};
use gatepass_keys::token::{LEEWAY, MAX_TOKEN_BYTES, TokenError, handoff};
use serde_json::json;

use crate::forge::{BRIDGE, Forge, NOW, SITE, another_key, b64, key, signed, unb64};

const LEEWAY_SECONDS: i64 = LEEWAY.as_secs().cast_signed();

fn check_at(token: &str, now: i64) -> Result<SiteClaims, TokenError> {
    Ok(Unverified::parse(token)?.verify(&key().public(), BRIDGE, now)?.into_claims())
}

fn check(token: &str) -> Result<SiteClaims, TokenError> {
    check_at(token, NOW)
}

fn claims() -> SiteClaims {
    SiteClaims { site: SITE.to_owned(), audience: BRIDGE.to_owned(), issued_at: NOW, expires_at: NOW + 60 }
}

#[test]
fn verify_gives_back_what_was_signed() {
    let token = site::sign(&key(), &claims());
    let verified = Unverified::parse(token.expose()).unwrap().verify(&key().public(), BRIDGE, NOW).unwrap();
    assert_eq!(verified.claims(), &claims());
    assert_eq!(verified.kid(), key().kid());
    assert_eq!(format!("{token:?}"), "SiteToken(…)");
}

#[test]
fn an_unverified_token_tells_its_kid_and_claimed_site() {
    let token = Forge::site().sign_by(&another_key());
    let unverified = Unverified::parse(&token).unwrap();
    assert_eq!(unverified.kid(), key().kid());
    assert_eq!(unverified.claimed_site(), SITE);
}

#[test]
fn verify_accepts_both_names_of_the_algorithm() {
    assert_eq!(check(&Forge::site().sign()), Ok(claims()));
    assert_eq!(check(&Forge::site().header("alg", "Ed25519").sign()), Ok(claims()));
}

#[test]
fn parse_refuses_a_handoff_token() {
    assert_eq!(check(&Forge::handoff().sign()), Err(TokenError::Type));
    assert_eq!(check(&Forge::site().header("typ", handoff::TYP).sign()), Err(TokenError::Type));
    assert_eq!(check(&Forge::site().header("typ", "JWT").sign()), Err(TokenError::Type));
}

#[test]
fn parse_refuses_what_a_handoff_refuses() {
    let forge = Forge::site();
    let token = forge.sign();
    assert_eq!(check(&"A".repeat(MAX_TOKEN_BYTES + 1)), Err(TokenError::TooLong));
    assert_eq!(check("a.b"), Err(TokenError::Segments));
    assert_eq!(check(&format!("{token}=")), Err(TokenError::Base64));
    assert_eq!(check(&forge.clone().header("alg", "none").sign()), Err(TokenError::Algorithm));
    assert_eq!(
        check(&forge.clone().header("crit", json!(["exp"])).sign()),
        Err(TokenError::CriticalExtension)
    );
    assert_eq!(check(&forge.clone().header("kid", "1").sign()), Err(TokenError::KeyId));
    assert_eq!(check(&signed(forge.header_json(), "[]")), Err(TokenError::NotAnObject));
    let twice = forge.claims_json().replace('{', r#"{"iss":"site_another","#);
    assert_eq!(check(&signed(forge.header_json(), &twice)), Err(TokenError::DuplicateMember));
}

#[test]
fn parse_refuses_a_malformed_site() {
    for wrong in ["", "site x", "site/../x", "site{x}"] {
        assert_eq!(
            check(&Forge::site().claim("iss", wrong).sign()),
            Err(TokenError::ClaimForm("iss")),
            "{wrong}"
        );
    }
}

#[test]
fn parse_refuses_missing_claims() {
    for name in ["iss", "sub", "aud", "iat", "exp"] {
        assert_eq!(check(&Forge::site().without_claim(name).sign()), Err(TokenError::MissingClaim(name)));
    }
}

#[test]
fn parse_refuses_an_aud_list() {
    let token = Forge::site().claim("aud", json!([BRIDGE])).sign();
    assert_eq!(check(&token), Err(TokenError::ClaimType("aud")));
}

#[test]
fn parse_refuses_fractional_times() {
    let token = Forge::site().claim("exp", 1_790_000_030.5).sign();
    assert_eq!(check(&token), Err(TokenError::ClaimType("exp")));
}

#[test]
fn verify_refuses_another_key() {
    let token = site::sign(&another_key(), &claims());
    assert_eq!(check(token.expose()), Err(TokenError::UnknownKey));
    assert_eq!(check(&Forge::site().sign_by(&another_key())), Err(TokenError::Signature));
}

#[test]
fn verify_refuses_an_embedded_jwk() {
    let attacker = another_key();
    let forge = Forge::site().header("jwk", serde_json::to_value(attacker.public()).unwrap());
    assert_eq!(check(&forge.sign_by(&attacker)), Err(TokenError::Signature));
}

#[test]
fn verify_refuses_a_tampered_payload() {
    let token = Forge::site().sign();
    let other = Forge::site().claim("aud", "https://another.example").sign();
    let [header, _, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let payload = other.split('.').nth(1).unwrap();
    assert_eq!(check(&format!("{header}.{payload}.{signature}")), Err(TokenError::Signature));
}

#[test]
fn verify_refuses_a_signature_that_is_not_reduced() {
    let token = Forge::site().sign();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut signature = unb64(signature);
    // Bits above the order's 253.
    signature[63] |= 0xe0;
    assert_eq!(check(&format!("{input}.{}", b64(signature))), Err(TokenError::Signature));
}

#[test]
fn verify_refuses_a_subject_other_than_the_issuer() {
    assert_eq!(check(&Forge::site().claim("sub", "site_another").sign()), Err(TokenError::Subject));
}

#[test]
fn verify_refuses_another_bridge() {
    for near in [format!("{BRIDGE}/"), BRIDGE.to_uppercase(), String::new()] {
        assert_eq!(check(&Forge::site().claim("aud", near).sign()), Err(TokenError::Audience));
    }
}

#[test]
fn verify_refuses_a_lifetime_over_a_minute() {
    assert_eq!(check(&Forge::site().times(NOW - 10, NOW + 51).sign()), Err(TokenError::LifetimeTooLong));
}

#[test]
fn verify_refuses_an_exp_too_far_ahead() {
    let token = Forge::site().times(NOW, NOW + 66).sign();
    assert_eq!(check(&token), Err(TokenError::ExpiryTooFarAhead));
}

#[test]
fn verify_refuses_an_expired_token() {
    let token = Forge::site().sign();
    assert!(check_at(&token, NOW + 60 + LEEWAY_SECONDS - 1).is_ok());
    assert_eq!(check_at(&token, NOW + 60 + LEEWAY_SECONDS), Err(TokenError::Expired));
}

#[test]
fn verify_refuses_a_token_from_the_future() {
    let token = Forge::site().times(NOW + LEEWAY_SECONDS + 1, NOW + 60).sign();
    assert_eq!(check(&token), Err(TokenError::IssuedInTheFuture));
}

#[test]
fn a_site_does_not_prove_to_be_another_with_its_own_key() {
    // The key is looked up by the claimed site, so it is the other site's key that is asked.
    let mine = SigningKey::generate([9; 32]);
    let token = Forge::site().header("kid", mine.kid().as_str()).sign_by(&mine);
    assert_eq!(check(&token), Err(TokenError::UnknownKey));
}
