//! What holds for every token, tried on random ones.
//!
//! A failure prints its smallest input. Nothing is kept in a file: what is found becomes a case of the corpus.

use std::time::Duration;

use gatepass_keys::token::handoff::{self, Expected, HandoffClaims};
use gatepass_keys::token::site::{self, SiteClaims};
use gatepass_keys::token::{LEEWAY, MAX_TOKEN_BYTES, TokenError};
use gatepass_keys::{KeySet, SigningKey};
use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

use crate::forge::{self, BRIDGE, Forge, NOW, b64, key, signed};

const LEEWAY_SECONDS: i64 = LEEWAY.as_secs().cast_signed();
const LAST_SECOND: i64 = 253_402_300_799;

fn config() -> ProptestConfig {
    ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() }
}

/// Presents a text as both kinds of token, as far as it gets.
fn present(text: &str) {
    if let Ok(unverified) = handoff::Unverified::parse(text) {
        let _ = unverified.verify(&KeySet::new([key().public()]), &forge::expected());
    }
    if let Ok(unverified) = site::Unverified::parse(text) {
        let _ = unverified.verify(&key().public(), BRIDGE, NOW);
    }
}

fn accepted_site(token: &str) -> bool {
    site::Unverified::parse(token)
        .is_ok_and(|unverified| unverified.verify(&key().public(), BRIDGE, NOW).is_ok())
}

/// Any text from any bytes: what is no UTF-8 never gets as far as a `&str`.
fn any_text() -> impl Strategy<Value = String> {
    vec(any::<u8>(), 0..2 * MAX_TOKEN_BYTES).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// JSON, or something that starts like it, of the names and values that matter.
fn any_json() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        prop::sample::select(vec![
            "alg",
            "typ",
            "kid",
            "crit",
            "iss",
            "aud",
            "sub",
            "jti",
            "iat",
            "exp",
            "b64",
            "\\u0061lg",
            "",
        ])
        .prop_map(str::to_owned),
        "[a-z\\\\\"]{0,3}",
    ];
    let leaf = prop_oneof![
        Just(r#""EdDSA""#.to_owned()),
        Just(format!("\"{}\"", handoff::TYP)),
        Just(format!("\"{}\"", key().kid())),
        Just(format!("\"{}\"", forge::SITE)),
        Just(format!("\"{}\"", forge::ISSUER)),
        Just(format!("\"{}\"", forge::HANDOFF_ID)),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        "\"\\PC{0,20}\"",
        "[\\[\\]{}\":,a-z0-9\\\\ ]{0,10}",
    ];
    let value = leaf.prop_recursive(10, 40, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec((name.clone(), inner), 0..7).prop_map(|members| {
                let members: Vec<String> =
                    members.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    prop_oneof![4 => value.clone(), 1 => value.prop_map(|json| json.chars().rev().collect())]
}

prop_compose! {
    /// A site id, or a customer's.
    fn any_identifier()(text in "[A-Za-z0-9._:@-]{1,128}") -> String { text }
}

prop_compose! {
    /// Times a careful signer writes, and a time at which they are good.
    fn good_times(max_lifetime: i64)(
        issued_at in 0..LAST_SECOND - max_lifetime,
        lifetime in 1..=max_lifetime,
    )(
        // From the leeway before the issue to the leeway after the expiry.
        now in issued_at - LEEWAY_SECONDS..issued_at + lifetime + LEEWAY_SECONDS,
        issued_at in Just(issued_at),
        lifetime in Just(lifetime),
    ) -> (i64, i64, i64) {
        (issued_at, issued_at + lifetime, now)
    }
}

prop_compose! {
    fn good_handoff()(
        issuer in "\\PC{0,40}",
        audience in "\\PC{0,40}",
        subject in any_identifier(),
        id in any::<u128>(),
        (issued_at, expires_at, now) in good_times(300),
    ) -> (HandoffClaims, i64) {
        let mut id = id.to_be_bytes();
        // Version 7 of RFC 9562's variant.
        id[6] = id[6] & 0x0f | 0x70;
        id[8] = id[8] & 0x3f | 0x80;
        let id = Uuid::from_bytes(id);
        (HandoffClaims { issuer, audience, subject, id, issued_at, expires_at }, now)
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_bytes_at_all_make_a_parser_panic(text in any_text()) {
        present(&text);
    }

    #[test]
    fn nothing_of_a_tokens_alphabet_makes_a_parser_panic(text in "[A-Za-z0-9_.=-]{0,400}") {
        present(&text);
    }

    #[test]
    fn no_header_makes_a_parser_panic(
        header in any_json(),
        claims in any_json(),
        signature in vec(any::<u8>(), 60..70),
    ) {
        present(&format!("{}.{}.{}", b64(header), b64(claims), b64(signature)));
    }

    #[test]
    fn no_claims_that_are_well_signed_make_a_verifier_panic(claims in any_json()) {
        present(&signed(Forge::handoff().header_json(), &claims));
        present(&signed(Forge::site().header_json(), &claims));
    }

    #[test]
    fn a_handoff_that_was_signed_is_verified(secret in any::<[u8; 32]>(), (claims, now) in good_handoff()) {
        let key = SigningKey::generate(secret);
        let token = handoff::sign(&key, &claims);
        prop_assume!(token.expose().len() <= MAX_TOKEN_BYTES);
        let expected =
            Expected { issuer: &claims.issuer, audience: &claims.audience, now, past_expiry: Duration::ZERO };
        let verified = handoff::Unverified::parse(token.expose())
            .and_then(|unverified| unverified.verify(&KeySet::new([key.public()]), &expected));
        let verified = verified.map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
        prop_assert_eq!(verified.claims(), &claims);
        prop_assert_eq!(verified.kid(), key.kid());
        prop_assert_eq!(verified.token_hash(), token.hash());
    }

    #[test]
    fn a_sites_proof_that_was_signed_is_verified(
        secret in any::<[u8; 32]>(),
        site in any_identifier(),
        audience in "\\PC{0,40}",
        (issued_at, expires_at, now) in good_times(60),
    ) {
        let key = SigningKey::generate(secret);
        let claims = SiteClaims { site, audience, issued_at, expires_at };
        let token = site::sign(&key, &claims);
        prop_assume!(token.expose().len() <= MAX_TOKEN_BYTES);
        let verified = site::Unverified::parse(token.expose())
            .and_then(|unverified| unverified.verify(&key.public(), &claims.audience, now));
        let verified = verified.map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
        prop_assert_eq!(verified.claims(), &claims);
    }

    #[test]
    fn a_handoff_with_any_one_bit_flipped_is_refused(
        (claims, now) in good_handoff(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let token = handoff::sign(&key(), &claims);
        let mut bytes = token.expose().as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        let expected =
            Expected { issuer: &claims.issuer, audience: &claims.audience, now, past_expiry: Duration::ZERO };
        // What is no longer UTF-8 is refused before anyone asks us.
        if let Ok(flipped) = String::from_utf8(bytes) {
            prop_assert!(forge::check_as(&flipped, &expected).is_err());
        }
    }

    /// The rules about time in other words than the code's: five inequalities over numbers that cannot overflow.
    #[test]
    fn a_handoff_is_in_time_exactly_when_every_rule_says_so(
        issued_at in prop_oneof![NOW - 400..NOW + 400, 0..=LAST_SECOND],
        expires_at in prop_oneof![NOW - 400..NOW + 400, 0..=LAST_SECOND],
        now in prop_oneof![4 => NOW - 20..NOW + 20, 1 => any::<i64>()],
        past_expiry in prop_oneof![Just(0), 0..30_u64, any::<u64>()],
    ) {
        let claims = HandoffClaims { issued_at, expires_at, ..forge::claims() };
        let expected = Expected { now, past_expiry: Duration::from_secs(past_expiry), ..forge::expected() };
        let outcome = forge::check_as(handoff::sign(&key(), &claims).expose(), &expected);
        let [issued, expires, now, past] =
            [i128::from(issued_at), i128::from(expires_at), i128::from(now), i128::from(past_expiry)];
        let in_time = issued <= now + 5
            && issued < expires
            && expires <= issued + 300
            && expires <= now + 305
            && now < expires + 5 + past;
        prop_assert_eq!(outcome.is_ok(), in_time, "{:?}", outcome);
    }

    /// Whatever is added to good claims, once: it is read, or refused for what it is, and changes nothing else.
    #[test]
    fn a_claim_more_is_ignored_or_refused_for_its_json(json in any_json()) {
        let claims = Forge::handoff().claims_json().replacen('{', &format!("{{\"extra\":{json},"), 1);
        match forge::check(&signed(Forge::handoff().header_json(), &claims)) {
            Ok(read) => prop_assert_eq!(read, forge::claims()),
            Err(refusal) => prop_assert!(
                matches!(
                    refusal,
                    TokenError::Json | TokenError::DuplicateMember | TokenError::TooDeep | TokenError::TooLong
                ),
                "{}",
                refusal
            ),
        }
    }
}

#[test]
fn every_single_flipped_bit_of_a_token_is_refused() {
    let handoff = Forge::handoff().sign();
    let site = Forge::site().sign();
    assert!(forge::check(&handoff).is_ok() && accepted_site(&site));
    let flipped = |token: &str, at: usize, bit: usize| {
        let mut bytes = token.as_bytes().to_vec();
        bytes[at] ^= 1 << bit;
        String::from_utf8(bytes)
    };
    for bit in 0..8 {
        for at in 0..handoff.len() {
            assert!(
                flipped(&handoff, at, bit).map_or(true, |it| forge::check(&it).is_err()),
                "{bit} of {at}"
            );
        }
        for at in 0..site.len() {
            assert!(flipped(&site, at, bit).map_or(true, |it| !accepted_site(&it)), "{bit} of {at}");
        }
    }
}
