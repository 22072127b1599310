//! Pokes. Envelope, signature and times are the same code as a handoff's; here is what is different, and that the same
//! code is in fact called. Hostile ones are in the corpus.

use gatepass_keys::KeySet;
use gatepass_keys::token::poke::{self, PokeClaims, Unverified};
use gatepass_keys::token::{LEEWAY, TokenError};
use uuid::Uuid;

use crate::forge::{Forge, HANDOFF_ID, ISSUER, NOW, SITE, another_key, key};

fn claims() -> PokeClaims {
    PokeClaims {
        issuer: ISSUER.to_owned(),
        audience: SITE.to_owned(),
        id: Uuid::try_parse(HANDOFF_ID).unwrap(),
        issued_at: NOW,
        expires_at: NOW + 60,
    }
}

fn check_at(token: &str, now: i64) -> Result<PokeClaims, TokenError> {
    let keys = KeySet::new([key().public()]);
    Ok(Unverified::parse(token)?.verify(&keys, ISSUER, SITE, now)?.into_claims())
}

#[test]
fn verify_gives_back_what_was_signed() {
    let token = poke::sign(&key(), &claims());
    assert_eq!(check_at(token.expose(), NOW), Ok(claims()));
    assert_eq!(format!("{token:?}"), "PokeToken(…)");
}

#[test]
fn a_poke_is_what_the_plugin_reads() {
    assert_eq!(check_at(&Forge::poke().sign(), NOW), Ok(claims()));
}

#[test]
fn verify_refuses_another_key() {
    let token = poke::sign(&another_key(), &claims());
    assert_eq!(check_at(token.expose(), NOW), Err(TokenError::UnknownKey));
    assert_eq!(check_at(&Forge::poke().sign_by(&another_key()), NOW), Err(TokenError::Signature));
}

#[test]
fn verify_refuses_each_claim_that_is_not_there() {
    for name in ["iss", "aud", "jti", "iat", "exp"] {
        let token = Forge::poke().without_claim(name).sign();
        assert_eq!(check_at(&token, NOW), Err(TokenError::MissingClaim(name)), "{name}");
    }
}

#[test]
fn verify_refuses_a_poke_after_its_time() {
    let leeway = LEEWAY.as_secs().cast_signed();
    let token = Forge::poke().sign();
    assert!(check_at(&token, NOW + 60 + leeway - 1).is_ok());
    assert_eq!(check_at(&token, NOW + 60 + leeway), Err(TokenError::Expired));
}

#[test]
fn an_unverified_poke_is_not_in_its_debug_output() {
    let token = Forge::poke().sign();
    let unverified = Unverified::parse(&token).unwrap();
    assert_eq!(format!("{unverified:?}"), format!("poke::Unverified({})", key().kid()));
}
