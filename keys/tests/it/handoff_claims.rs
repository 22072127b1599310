//! The claims of a handoff token, each of them well signed.

use gatepass_keys::token::TokenError;
use gatepass_keys::token::handoff::Expected;
use serde_json::json;

use crate::forge::{Forge, HANDOFF_ID, ISSUER, NOW, SITE, check, check_as, claims, expected, signed};

fn with_claim(name: &str, value: impl Into<serde_json::Value>) -> Result<(), TokenError> {
    check(&Forge::handoff().claim(name, value).sign()).map(drop)
}

#[test]
fn verify_accepts_the_default_claims() {
    assert_eq!(check(&Forge::handoff().sign()), Ok(claims()));
}

#[test]
fn verify_refuses_a_token_for_another_site() {
    let theirs = Expected { audience: "site_ahcm2tafsn2xdkw3tnw5lwcvef", ..expected() };
    assert_eq!(check_as(&Forge::handoff().sign(), &theirs), Err(TokenError::Audience));
    for near in [SITE.to_uppercase(), format!("{SITE} "), SITE[..SITE.len() - 1].to_owned(), String::new()] {
        assert_eq!(with_claim("aud", near), Err(TokenError::Audience));
    }
}

#[test]
fn verify_refuses_an_aud_list() {
    assert_eq!(with_claim("aud", json!([SITE])), Err(TokenError::ClaimType("aud")));
    assert_eq!(with_claim("aud", json!([SITE, "another"])), Err(TokenError::ClaimType("aud")));
}

#[test]
fn verify_refuses_another_issuer() {
    let near =
        [format!("{ISSUER}/"), ISSUER.to_uppercase(), "http://login.example".to_owned(), String::new()];
    for issuer in near {
        assert_eq!(with_claim("iss", issuer), Err(TokenError::Issuer));
    }
}

#[test]
fn verify_refuses_missing_claims() {
    for name in ["iss", "aud", "sub", "jti", "iat", "exp"] {
        assert_eq!(check(&Forge::handoff().without_claim(name).sign()), Err(TokenError::MissingClaim(name)));
    }
}

#[test]
fn verify_refuses_texts_that_are_not_strings() {
    for name in ["iss", "aud", "sub", "jti"] {
        for wrong in [json!(null), json!(1), json!(true), json!({}), json!([])] {
            assert_eq!(with_claim(name, wrong.clone()), Err(TokenError::ClaimType(name)), "{wrong}");
        }
    }
}

#[test]
fn verify_accepts_every_allowed_subject() {
    for subject in ["a", "0", "user.name_1:2@example-3", &"x".repeat(128)] {
        assert_eq!(with_claim("sub", subject), Ok(()));
    }
}

#[test]
fn verify_refuses_a_malformed_subject() {
    for subject in ["", "a b", "a/b", "a+b", "ä", "a\0", "a\n", "{a}", "*", &"x".repeat(129)] {
        assert_eq!(with_claim("sub", subject), Err(TokenError::ClaimForm("sub")), "{subject}");
    }
}

#[test]
fn verify_refuses_a_jti_that_is_not_a_version_7_uuid() {
    for jti in [
        "",
        "1",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "019a5b1c-2d3e-4f40-8a1b-2c3d4e5f6071",
        "019a5b1c-2d3e-1f40-8a1b-2c3d4e5f6071",
        "019a5b1c-2d3e-7f40-0a1b-2c3d4e5f6071",
        "019a5b1c-2d3e-7f40-ca1b-2c3d4e5f6071",
    ] {
        assert_eq!(with_claim("jti", jti), Err(TokenError::ClaimForm("jti")), "{jti}");
    }
}

#[test]
fn verify_refuses_other_spellings_of_the_jti() {
    for jti in [
        HANDOFF_ID.to_uppercase(),
        HANDOFF_ID.replace('-', ""),
        format!("{{{HANDOFF_ID}}}"),
        format!("urn:uuid:{HANDOFF_ID}"),
        format!("{HANDOFF_ID} "),
    ] {
        assert_eq!(with_claim("jti", jti.as_str()), Err(TokenError::ClaimForm("jti")), "{jti}");
    }
}

#[test]
fn verify_refuses_fractional_times() {
    let forge = Forge::handoff();
    for (name, whole) in [("iat", NOW), ("exp", NOW + 60)] {
        for fraction in ["0.5", "0.0"] {
            let (_, fraction) = fraction.split_once('0').unwrap();
            let claims = forge
                .claims_json()
                .replace(&format!("\"{name}\":{whole}"), &format!("\"{name}\":{whole}{fraction}"));
            assert_ne!(claims, forge.claims_json());
            assert_eq!(
                check(&signed(forge.header_json(), &claims)),
                Err(TokenError::ClaimType(name)),
                "{claims}"
            );
        }
    }
}

#[test]
fn verify_refuses_times_in_other_notations() {
    let forge = Forge::handoff();
    for wrong in ["1.79e9", "179e7", "-1", "-0", "\"1790000060\"", "null", "[1790000060]", "253402300800"] {
        let claims = forge.claims_json().replace("1790000060", wrong);
        assert_ne!(claims, forge.claims_json());
        let refused = check(&signed(forge.header_json(), &claims));
        assert_eq!(refused, Err(TokenError::ClaimType("exp")), "{wrong}");
    }
}

#[test]
fn verify_refuses_huge_times() {
    for huge in ["9223372036854775807", "9223372036854775808", "18446744073709551616", "1e30"] {
        let forge = Forge::handoff();
        let claims = forge.claims_json().replace("1790000060", huge);
        assert_eq!(check(&signed(forge.header_json(), &claims)), Err(TokenError::ClaimType("exp")), "{huge}");
    }
    let claims = Forge::handoff().claims_json().replace("1790000060", "1e999");
    assert_eq!(check(&signed(Forge::handoff().header_json(), &claims)), Err(TokenError::Json));
}

#[test]
fn verify_refuses_duplicate_members() {
    let forge = Forge::handoff();
    let body = forge.claims_json();
    let body = body.trim_start_matches('{');
    for twice in [
        r#"{"sub":"customer-2","#,
        r#"{"aud":"site_x","#,
        r#"{"\u0065xp":1790000060,"#,
        r#"{"extra":{"a":1,"a":2},"#,
        r#"{"extra":[[{"a":1,"\u0061":2}]],"#,
    ] {
        let claims = format!("{twice}{body}");
        assert_eq!(
            check(&signed(forge.header_json(), &claims)),
            Err(TokenError::DuplicateMember),
            "{claims}"
        );
    }
}

#[test]
fn verify_refuses_claims_that_are_not_one_json_object() {
    let header = Forge::handoff().header_json();
    let claims = Forge::handoff().claims_json();
    for wrong in ["", "{", &format!("{claims}{claims}"), &format!("{claims}x"), &claims.replace('}', ",}")] {
        assert_eq!(check(&signed(&header, wrong)), Err(TokenError::Json), "{wrong}");
    }
    for wrong in ["[]", "null", "1", "\"claims\"", &format!("[{claims}]")] {
        assert_eq!(check(&signed(&header, wrong)), Err(TokenError::NotAnObject), "{wrong}");
    }
}

#[test]
fn verify_refuses_a_lone_surrogate() {
    let claims = Forge::handoff().claims_json().replace("customer-1", "\\ud800");
    assert_eq!(check(&signed(Forge::handoff().header_json(), &claims)), Err(TokenError::Json));
}

#[test]
fn verify_refuses_deeply_nested_claims() {
    let nested = (1..9).fold(json!(1), |inner, _| json!({"a": inner}));
    assert_eq!(with_claim("extra", nested), Err(TokenError::TooDeep));
}

#[test]
fn verify_ignores_unknown_claims() {
    assert_eq!(with_claim("email", "a@example.com"), Ok(()));
    assert_eq!(with_claim("extra", json!({"a": [1, 2.5, null, true, -3]})), Ok(()));
}
