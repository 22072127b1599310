//! `jsonwebtoken` on AWS-LC judges what we sign, and we judge what it signs.

use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use gatepass_keys::SigningKey;
use gatepass_keys::token::{handoff, site};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};

use crate::forge::{BRIDGE, Forge, HANDOFF_ID, ISSUER, NOW, SITE, check, claims, key};

/// Its rules, less the two about time, for which it would ask the system's clock.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.set_required_spec_claims(&["iss", "aud", "sub"]);
    validation
}

fn public() -> DecodingKey {
    DecodingKey::from_ed_der(key().public().as_bytes())
}

fn private() -> EncodingKey {
    let der = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).to_pkcs8_der().unwrap();
    EncodingKey::from_ed_der(der.as_bytes())
}

fn header(typ: &str) -> Header {
    Header { typ: Some(typ.to_owned()), kid: Some(key().kid().to_string()), ..Header::new(Algorithm::EdDSA) }
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn jsonwebtoken_verifies_the_handoffs_we_sign() {
    let token = handoff::sign(&key(), &claims());
    let mut rules = validation();
    rules.set_issuer(&[ISSUER]);
    rules.set_audience(&[SITE]);
    let theirs = jsonwebtoken::decode::<Value>(token.expose(), &public(), &rules).unwrap();
    assert_eq!(theirs.header, header(handoff::TYP));
    assert_eq!(
        theirs.claims,
        json!({"iss": ISSUER, "aud": SITE, "sub": "customer-1", "jti": HANDOFF_ID, "iat": NOW, "exp": NOW + 60})
    );
}

#[test]
fn we_verify_the_handoffs_jsonwebtoken_signs() {
    let json = json_of(&Forge::handoff().claims_json());
    let token = jsonwebtoken::encode(&header(handoff::TYP), &json, &private()).unwrap();
    assert_eq!(check(&token), Ok(claims()));
}

#[test]
fn jsonwebtoken_verifies_the_site_tokens_we_sign() {
    let claims = site::SiteClaims {
        site: SITE.to_owned(),
        audience: BRIDGE.to_owned(),
        issued_at: NOW,
        expires_at: NOW + 60,
    };
    let token = site::sign(&key(), &claims);
    let mut rules = validation();
    rules.set_issuer(&[SITE]);
    rules.set_audience(&[BRIDGE]);
    let theirs = jsonwebtoken::decode::<Value>(token.expose(), &public(), &rules).unwrap();
    assert_eq!(theirs.header, header(site::TYP));
    assert_eq!(theirs.claims, json_of(&Forge::site().claims_json()));
}

#[test]
fn we_verify_the_site_tokens_jsonwebtoken_signs() {
    let json = json_of(&Forge::site().claims_json());
    let token = jsonwebtoken::encode(&header(site::TYP), &json, &private()).unwrap();
    let verified = site::Unverified::parse(&token).unwrap().verify(&key().public(), BRIDGE, NOW).unwrap();
    assert_eq!(verified.claims().site, SITE);
}

#[test]
fn both_make_the_same_signature() {
    for seed in 0..50 {
        let ours = SigningKey::generate([seed; 32]).sign(b"the same text");
        let der = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).to_pkcs8_der().unwrap();
        let der = EncodingKey::from_ed_der(der.as_bytes());
        let theirs = jsonwebtoken::crypto::sign(b"the same text", &der, Algorithm::EdDSA).unwrap();
        assert_eq!(crate::forge::b64(ours), theirs);
    }
}

#[test]
fn jsonwebtoken_reads_our_key_set() {
    let jwks = serde_json::to_value(gatepass_keys::KeySet::new([key().public()]).to_jwks()).unwrap();
    let theirs: jsonwebtoken::jwk::JwkSet = serde_json::from_value(jwks).unwrap();
    let jwk = theirs.find(key().kid().as_str()).unwrap();
    let mut rules = validation();
    rules.set_audience(&[SITE]);
    let token = handoff::sign(&key(), &claims());
    assert!(
        jsonwebtoken::decode::<Value>(token.expose(), &DecodingKey::from_jwk(jwk).unwrap(), &rules).is_ok()
    );
}
