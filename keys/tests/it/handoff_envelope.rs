//! Form and header of a handoff token: what is refused before a key is looked for.

use gatepass_keys::token::handoff::{self, Unverified};
use gatepass_keys::token::{MAX_TOKEN_BYTES, TokenError, site};
use serde_json::{Value, json};

use crate::forge::{Forge, another_key, b64, check, key, signed};

#[test]
fn parse_refuses_a_token_over_2_kib() {
    let pad = |length: usize| Forge::handoff().header("pad", "x".repeat(length)).sign();
    let longest =
        (0..MAX_TOKEN_BYTES).map(pad).take_while(|token| token.len() <= MAX_TOKEN_BYTES).last().unwrap();
    assert!(longest.len() >= MAX_TOKEN_BYTES - 2);
    assert!(check(&longest).is_ok());
    assert_eq!(check(&format!("{longest}AAA")), Err(TokenError::TooLong));
}

#[test]
fn parse_looks_at_the_size_before_anything_else() {
    assert_eq!(check(&"?".repeat(MAX_TOKEN_BYTES + 1)), Err(TokenError::TooLong));
}

#[test]
fn parse_refuses_other_than_three_segments() {
    let token = Forge::handoff().sign();
    let (unsigned, _) = token.rsplit_once('.').unwrap();
    for wrong in ["", "abc", unsigned, &format!("{token}."), &format!("{token}.AAAA"), &format!(".{token}")] {
        assert_eq!(check(wrong), Err(TokenError::Segments), "{wrong}");
    }
}

#[test]
fn parse_refuses_the_json_serialization() {
    let token =
        json!({"payload": "e30", "signatures": [{"protected": "e30", "signature": "AA"}]}).to_string();
    assert_eq!(check(&token), Err(TokenError::Segments));
}

#[test]
fn parse_refuses_padding_and_foreign_characters() {
    let token = Forge::handoff().sign();
    for wrong in [
        format!("{token}=="),
        format!("{token} "),
        format!(" {token}"),
        format!("{token}\n"),
        token.replacen('.', "=.", 1),
        token.replacen('.', "+.", 1),
        token.replacen('.', "/.", 1),
        token.replacen('.', "é.", 1),
    ] {
        assert_eq!(check(&wrong), Err(TokenError::Base64), "{wrong}");
    }
}

#[test]
fn parse_refuses_non_canonical_base64() {
    // 64 bytes leave four bits over in the last character, so three others decode to the same signature in a
    // lax decoder.
    let token = Forge::handoff().sign();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(token.chars().last().unwrap()).unwrap();
    assert_eq!(last % 16, 0);
    for left_over in 1..16 {
        let mut changed = token.clone();
        changed.pop();
        changed.push(alphabet.chars().nth(last + left_over).unwrap());
        assert_eq!(check(&changed), Err(TokenError::Base64));
    }
}

#[test]
fn parse_refuses_a_header_that_is_not_json() {
    let claims = Forge::handoff().claims_json();
    let header = Forge::handoff().header_json();
    for wrong in
        ["", "{", "{}{}", "nul", &format!("{header}x"), &format!("\u{feff}{header}"), "{\"alg\":NaN}"]
    {
        assert_eq!(check(&signed(wrong, &claims)), Err(TokenError::Json), "{wrong}");
    }
}

#[test]
fn parse_refuses_a_header_that_is_not_utf_8() {
    let mut header = Forge::handoff().header("pad", "~").header_json().into_bytes();
    for byte in &mut header {
        if *byte == b'~' {
            *byte = 0xff;
        }
    }
    let token = format!("{}.e30.{}", b64(header), b64([0; 64]));
    assert_eq!(check(&token), Err(TokenError::Json));
}

#[test]
fn parse_refuses_a_header_that_is_not_an_object() {
    for wrong in ["[]", "\"EdDSA\"", "1", "null", "true", "[{\"alg\":\"EdDSA\"}]"] {
        assert_eq!(check(&signed(wrong, "{}")), Err(TokenError::NotAnObject), "{wrong}");
    }
}

#[test]
fn parse_refuses_duplicate_members_in_the_header() {
    let forge = Forge::handoff();
    let body = forge.header_json();
    let body = body.trim_start_matches('{');
    let claims = forge.claims_json();
    for twice in [
        r#"{"alg":"none","#,
        r#"{"alg":"EdDSA","#,
        r#"{"\u0061lg":"EdDSA","#,
        r#"{"a":1,"a":1,"#,
        r#"{"deep":{"a":1,"a":2},"#,
        r#"{"deep":[{"b":{"a":1,"a":2}}],"#,
    ] {
        let header = format!("{twice}{body}");
        assert_eq!(check(&signed(&header, &claims)), Err(TokenError::DuplicateMember), "{header}");
    }
}

#[test]
fn parse_refuses_deep_nesting() {
    let nested = |depth: usize| (1..depth).fold(json!(1), |inner, _| json!([inner]));
    assert!(check(&Forge::handoff().header("deep", nested(8)).sign()).is_ok());
    assert_eq!(check(&Forge::handoff().header("deep", nested(9)).sign()), Err(TokenError::TooDeep));
    let lists = format!(r#"{{"deep":{}"#, "[".repeat(1200));
    assert_eq!(check(&format!("{}.e30.{}", b64(lists), b64([0; 64]))), Err(TokenError::TooDeep));
}

#[test]
fn parse_refuses_alg_none() {
    for none in ["none", "None", "NONE", "nOnE"] {
        let forge = Forge::handoff().header("alg", none);
        assert_eq!(check(&forge.sign()), Err(TokenError::Algorithm), "{none}");
        let unsigned = format!("{}.{}.", b64(forge.header_json()), b64(forge.claims_json()));
        assert_eq!(check(&unsigned), Err(TokenError::Algorithm), "{none}");
    }
}

#[test]
fn parse_refuses_hs256_with_the_public_key_as_secret() {
    let header = jsonwebtoken::Header {
        typ: Some(handoff::TYP.to_owned()),
        kid: Some(key().kid().to_string()),
        ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256)
    };
    let claims: Value = serde_json::from_str(&Forge::handoff().claims_json()).unwrap();
    for secret in [key().public().as_bytes().to_vec(), key().public().x().into_bytes()] {
        let secret = jsonwebtoken::EncodingKey::from_secret(&secret);
        let token = jsonwebtoken::encode(&header, &claims, &secret).unwrap();
        assert_eq!(check(&token), Err(TokenError::Algorithm));
    }
}

#[test]
fn parse_refuses_any_other_algorithm_name() {
    for alg in ["", "ES256", "RS256", "Ed448", "EDDSA", "eddsa", "ed25519", "EdDSA ", "EdDSA\0"] {
        assert_eq!(check(&Forge::handoff().header("alg", alg).sign()), Err(TokenError::Algorithm), "{alg}");
    }
    assert_eq!(check(&Forge::handoff().header("alg", json!(["EdDSA"])).sign()), Err(TokenError::Algorithm));
    assert_eq!(check(&Forge::handoff().without_header("alg").sign()), Err(TokenError::Algorithm));
}

#[test]
fn verify_accepts_both_names_of_the_algorithm() {
    assert!(check(&Forge::handoff().header("alg", "EdDSA").sign()).is_ok());
    assert!(check(&Forge::handoff().header("alg", "Ed25519").sign()).is_ok());
}

#[test]
fn parse_refuses_a_site_token() {
    assert_eq!(check(&Forge::site().sign()), Err(TokenError::Type));
    assert_eq!(check(&Forge::handoff().header("typ", site::TYP).sign()), Err(TokenError::Type));
}

#[test]
fn parse_refuses_any_other_typ() {
    for typ in
        ["JWT", "", "Gatepass-Handoff+JWT", "application/gatepass-handoff+jwt", "gatepass-handoff+jwt "]
    {
        assert_eq!(check(&Forge::handoff().header("typ", typ).sign()), Err(TokenError::Type), "{typ}");
    }
    assert_eq!(check(&Forge::handoff().header("typ", json!([handoff::TYP])).sign()), Err(TokenError::Type));
    assert_eq!(check(&Forge::handoff().without_header("typ").sign()), Err(TokenError::Type));
}

#[test]
fn parse_refuses_any_crit() {
    for crit in [json!(["b64"]), json!(["exp"]), json!([]), json!(null), json!("alg")] {
        let forge = Forge::handoff().header("crit", crit.clone()).header("b64", true);
        assert_eq!(check(&forge.sign()), Err(TokenError::CriticalExtension), "{crit}");
    }
}

#[test]
fn parse_refuses_a_missing_or_malformed_kid() {
    let kid = key().kid().to_string();
    for wrong in ["", "1", "../../etc/passwd", "' OR 1=1", &kid[1..], &format!("{kid}A"), &format!("{kid}=")]
    {
        assert_eq!(check(&Forge::handoff().header("kid", wrong).sign()), Err(TokenError::KeyId), "{wrong}");
    }
    assert_eq!(check(&Forge::handoff().header("kid", 7).sign()), Err(TokenError::KeyId));
    assert_eq!(check(&Forge::handoff().without_header("kid").sign()), Err(TokenError::KeyId));
}

#[test]
fn parse_refuses_a_signature_of_another_length() {
    let token = Forge::handoff().sign();
    let (input, _) = token.rsplit_once('.').unwrap();
    for length in [0, 1, 32, 63, 65, 128] {
        let wrong = format!("{input}.{}", b64(vec![0; length]));
        assert_eq!(check(&wrong), Err(TokenError::SignatureLength), "{length}");
    }
}

#[test]
fn verify_ignores_unknown_header_members() {
    let forge = Forge::handoff()
        .header("cty", "x")
        .header("zip", "DEF")
        .header("weight", 1.5)
        .header("a", json!([{}]));
    assert!(check(&forge.sign()).is_ok());
}

#[test]
fn verify_never_uses_an_embedded_jwk() {
    let attacker = another_key();
    let jwk = serde_json::to_value(attacker.public()).unwrap();
    let embedded = |forge: Forge| {
        forge
            .header("jwk", jwk.clone())
            .header("jku", "https://attacker.example/jwks.json")
            .header("x5u", "https://attacker.example/cert.pem")
            .header("x5c", json!(["AAAA"]))
    };
    let theirs = embedded(Forge::handoff().header("kid", attacker.kid().as_str())).sign_by(&attacker);
    assert_eq!(check(&theirs), Err(TokenError::UnknownKey));
    let under_our_kid = embedded(Forge::handoff()).sign_by(&attacker);
    assert_eq!(check(&under_our_kid), Err(TokenError::Signature));
    // Present, it does no harm either.
    assert!(check(&embedded(Forge::handoff()).sign()).is_ok());
}

#[test]
fn an_unverified_token_tells_its_kid_and_nothing_else() {
    let token = Forge::handoff().sign();
    let unverified = Unverified::parse(&token).unwrap();
    assert_eq!(unverified.kid(), key().kid());
    assert_eq!(format!("{unverified:?}"), format!("handoff::Unverified({})", key().kid()));
}
