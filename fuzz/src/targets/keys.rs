//! Keys as they come from others: JWKs, key sets, PEM.

use gatepass_corpus::key;
use gatepass_keys::token::handoff;
use gatepass_keys::{Jwk, JwkSet, KeySet, SigningKey, VerificationKey};
use serde_json::json;

use super::texts;

/// Seeds: keys in every form, and some that are none.
pub fn seeds() -> Vec<Vec<u8>> {
    let jwk = json!(key().public()).to_string();
    let set = json!({ "keys": [key().public(), gatepass_corpus::another_key().public()] }).to_string();
    let pem = key().to_pkcs8_pem().expect("a PEM");
    let weak = json!({ "kty": "OKP", "crv": "Ed25519", "x": gatepass_corpus::b64(gatepass_corpus::NEUTRAL) });
    let mut seeds = texts(&[
        &jwk,
        &set,
        &pem,
        &weak.to_string(),
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        r#"{"kty":"oct","crv":"Ed25519","x":"AAAA","use":"enc","alg":"HS256"}"#,
        r#"{"kty":"OKP","crv":"X25519","x":"AAAA","kid":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
        r#"{"keys":[]}"#,
        r#"{"keys":[{"kty":"OKP"}]}"#,
    ]);
    seeds.push(key().public().as_bytes().to_vec());
    seeds.push(vec![0xff; 32]);
    seeds
}

/// Reads a key in every form.
pub fn run(input: &[u8]) {
    if let Ok(bytes) = <&[u8; 32]>::try_from(input)
        && let Ok(key) = VerificationKey::from_bytes(bytes)
    {
        assert_eq!(key.as_bytes(), bytes, "a key has two spellings");
        assert_same(&key);
    }
    if let Ok(jwk) = serde_json::from_slice::<Jwk>(input)
        && let Ok(key) = VerificationKey::from_jwk(&jwk)
    {
        assert_eq!((jwk.kty.as_str(), jwk.crv.as_str(), &jwk.x), ("OKP", "Ed25519", &key.x()));
        assert!(jwk.kid.is_none_or(|kid| kid == *key.kid()), "a key has another's name");
        assert_same(&key);
    }
    if let Ok(set) = serde_json::from_slice::<JwkSet>(input) {
        let keys = KeySet::new(set.keys.iter().filter_map(|jwk| VerificationKey::from_jwk(jwk).ok()));
        let again =
            KeySet::new(keys.to_jwks().keys.iter().filter_map(|jwk| VerificationKey::from_jwk(jwk).ok()));
        assert_eq!((keys.digest(), &keys), (again.digest(), &again));
        assert!(keys.iter().count() <= set.keys.len());
    }
    if let Ok(text) = str::from_utf8(input)
        && let Ok(key) = SigningKey::from_pkcs8_pem(text)
    {
        let pem = key.to_pkcs8_pem().expect("a PEM");
        assert_eq!(SigningKey::from_pkcs8_pem(&pem).map(|again| again.public()), Ok(key.public()));
        assert_eq!(key.public().verify(b"x", &key.sign(b"x")), Ok(()));
        let signed = handoff::sign(&key, &gatepass_corpus::claims());
        let trusted = KeySet::new([key.public()]);
        let read = handoff::Unverified::parse(signed.expose());
        assert!(read.is_ok_and(|token| token.verify(&trusted, &gatepass_corpus::expected()).is_ok()));
    }
}

fn assert_same(key: &VerificationKey) {
    assert_eq!(VerificationKey::from_jwk(&key.to_jwk()).as_ref(), Ok(key));
    assert_eq!(VerificationKey::from_bytes(key.as_bytes()).as_ref(), Ok(key));
    assert_eq!(key.verify(b"x", &[0; 64]), Err(gatepass_keys::InvalidSignature), "a weak key");
}
