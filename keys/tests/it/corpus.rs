//! Hostile tokens as data, in `keys/corpus/tokens.toml`, each refused for its own cause.

use std::collections::{BTreeMap, BTreeSet};

use gatepass_corpus::{Kind, NEUTRAL, NEUTRAL_KEY_SIGNATURE, cases, judge, key, small_order_r};
use gatepass_keys::token::{TokenError, handoff};
use gatepass_keys::{KeyError, VerificationKey};

use crate::causes;

/// What comes of presenting a token, in the words of `expected`.
fn outcome(kind: Kind, token: &str) -> String {
    match judge(kind, token) {
        Ok(()) => "accepted".to_owned(),
        Err(
            refusal @ (TokenError::MissingClaim(claim)
            | TokenError::ClaimType(claim)
            | TokenError::ClaimForm(claim)),
        ) => format!("{}:{claim}", refusal.cause()),
        Err(refusal) => refusal.cause().to_owned(),
    }
}

#[test]
fn every_token_of_the_corpus_comes_to_what_it_says() {
    let cases = cases();
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let outcome = outcome(case.kind, &case.token());
            (outcome != case.expected)
                .then(|| format!("{}: expected {}, got {outcome}", case.name, case.expected))
        })
        .collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

#[test]
fn the_corpus_holds_over_250_hostile_tokens_and_some_good_ones() {
    let cases = cases();
    let good = cases.iter().filter(|case| case.expected == "accepted").count();
    assert!(good >= 10, "{good}");
    assert!(cases.len() - good >= 250, "{}", cases.len() - good);
}

#[test]
fn every_case_has_a_name_of_its_own_and_a_source() {
    let cases = cases();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len());
    for case in &cases {
        assert!(!case.name.is_empty() && !case.source.is_empty(), "{}", case.name);
    }
}

#[test]
fn no_two_cases_present_the_same_token_as_the_same_kind() {
    let cases = cases();
    let mut seen = BTreeMap::new();
    for case in &cases {
        if let Some(other) = seen.insert((case.kind, case.token()), &case.name) {
            panic!("the same token: {other}; {}", case.name);
        }
    }
}

#[test]
fn every_cause_there_is_occurs_in_the_corpus() {
    let cases = cases();
    let occurring: BTreeSet<&str> = cases
        .iter()
        .filter_map(|case| case.expected.split(':').next())
        .filter(|it| *it != "accepted")
        .collect();
    let all: BTreeSet<&str> = causes::ALL.iter().map(TokenError::cause).collect();
    assert_eq!(occurring, all);
}

#[test]
fn no_token_of_the_corpus_passes_as_two_kinds() {
    for case in cases() {
        let token = case.token();
        let outcomes = [Kind::Handoff, Kind::Site, Kind::Poke].map(|kind| outcome(kind, &token));
        let accepted = outcomes.iter().filter(|outcome| *outcome == "accepted").count();
        assert!(accepted <= 1, "{}", case.name);
    }
}

/// That the two signatures which no honest signer makes are attacks at all: a verifier that checks the equation
/// alone takes them.
#[test]
fn the_corpus_forges_signatures_that_a_lax_verifier_takes() {
    let lax = |public: &[u8; 32], signature: [u8; 64]| {
        let public = ed25519_dalek::VerifyingKey::from_bytes(public).unwrap();
        ed25519_dalek::Verifier::verify(&public, b"any message", &signature.into())
    };
    assert!(lax(key().public().as_bytes(), small_order_r(b"any message")).is_ok());
    assert!(lax(&NEUTRAL, NEUTRAL_KEY_SIGNATURE).is_ok());
    // And why the second one needs no case with the key trusted: it cannot be.
    assert_eq!(VerificationKey::from_bytes(&NEUTRAL), Err(KeyError::Weak));
}

#[test]
fn an_unverified_token_of_the_corpus_is_not_in_its_debug_output() {
    for case in cases() {
        let token = case.token();
        if let Ok(unverified) = handoff::Unverified::parse(&token) {
            assert_eq!(
                format!("{unverified:?}"),
                format!("handoff::Unverified({})", unverified.kid()),
                "{}",
                case.name
            );
        }
    }
}
