//! Key ids, keys and key sets.

use gatepass_keys::{Jwk, KeyError, KeyId, KeySet, SigningKey, VerificationKey, VerificationKeys as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::forge::{another_key, b64, key};

/// Every point of order 1, 2, 4 and 8, in its canonical spelling.
const SMALL_ORDER: [&str; 8] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
];

fn unhex(text: &str) -> [u8; 32] {
    let bytes: Vec<u8> =
        (0..64).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

fn jwk() -> Jwk {
    key().public().to_jwk()
}

#[test]
fn from_bytes_refuses_a_small_order_key() {
    for point in SMALL_ORDER {
        assert_eq!(VerificationKey::from_bytes(&unhex(point)), Err(KeyError::Weak), "{point}");
    }
}

#[test]
fn from_bytes_refuses_every_second_spelling_of_a_point() {
    // y and y + p are the same number; 19 of them fit into 255 bits, with either sign of x.
    let mut non_canonical = 0;
    for y in 0..19 {
        for sign in [0x7f, 0xff] {
            let mut bytes = [0xff; 32];
            bytes[0] = 0xed + y;
            bytes[31] = sign;
            let refusal = VerificationKey::from_bytes(&bytes).unwrap_err();
            assert!(
                matches!(refusal, KeyError::NonCanonical | KeyError::NotAPoint | KeyError::Weak),
                "{refusal}"
            );
            non_canonical += i32::from(refusal == KeyError::NonCanonical);
        }
    }
    assert!(non_canonical > 10);
}

#[test]
fn from_bytes_refuses_what_is_no_point() {
    let mut bytes = [0; 32];
    bytes[0] = 2;
    assert_eq!(VerificationKey::from_bytes(&bytes), Err(KeyError::NotAPoint));
}

#[test]
fn a_key_survives_its_jwk() {
    let json = serde_json::to_value(key().public()).unwrap();
    assert_eq!(
        json,
        json!({"kty": "OKP", "crv": "Ed25519", "x": key().public().x(), "kid": key().kid(), "use": "sig", "alg": "EdDSA"})
    );
    assert_eq!(serde_json::from_value::<VerificationKey>(json).unwrap(), key().public());
}

#[test]
fn from_jwk_takes_the_three_members_that_matter() {
    let short = Jwk { kid: None, key_use: None, alg: None, ..jwk() };
    assert_eq!(VerificationKey::from_jwk(&short), Ok(key().public()));
    let fully_specified = Jwk { alg: Some("Ed25519".to_owned()), ..jwk() };
    assert_eq!(VerificationKey::from_jwk(&fully_specified), Ok(key().public()));
}

#[test]
fn from_jwk_refuses_another_kind_of_key() {
    let other = || "other".to_owned();
    for (wrong, member) in [
        (Jwk { kty: other(), ..jwk() }, "kty"),
        (Jwk { crv: "X25519".to_owned(), ..jwk() }, "crv"),
        (Jwk { key_use: Some("enc".to_owned()), ..jwk() }, "use"),
        (Jwk { alg: Some("HS256".to_owned()), ..jwk() }, "alg"),
    ] {
        assert_eq!(VerificationKey::from_jwk(&wrong), Err(KeyError::Unsupported(member)));
    }
}

#[test]
fn from_jwk_refuses_an_x_that_is_not_32_canonical_bytes() {
    let x = key().public().x();
    for wrong in
        [String::new(), x[..42].to_owned(), format!("{x}="), format!("{x}A"), b64([0; 31]), b64([0; 33])]
    {
        assert_eq!(VerificationKey::from_jwk(&Jwk { x: wrong, ..jwk() }), Err(KeyError::Encoding));
    }
}

#[test]
fn from_jwk_refuses_a_kid_that_is_not_the_keys() {
    let wrong = Jwk { kid: Some(another_key().kid().clone()), ..jwk() };
    assert_eq!(VerificationKey::from_jwk(&wrong), Err(KeyError::KeyIdMismatch));
}

#[test]
fn a_key_id_is_43_characters_of_canonical_base64url() {
    let kid = key().kid().to_string();
    assert_eq!(kid.len(), 43);
    assert_eq!(KeyId::parse(&kid).as_ref(), Ok(key().kid()));
    assert_eq!(kid.parse::<KeyId>().as_ref(), Ok(key().kid()));
    let other_last = format!("{}B", &kid[..42]);
    for wrong in ["", &kid[..42], &format!("{kid}A"), &format!("{kid}="), &"+".repeat(43), &other_last] {
        assert_eq!(KeyId::parse(wrong), Err(KeyError::KeyId), "{wrong}");
        assert!(serde_json::from_value::<KeyId>(json!(wrong)).is_err());
    }
    assert_eq!(serde_json::to_value(key().kid()).unwrap(), json!(kid));
}

#[test]
fn a_private_key_survives_its_pem() {
    let pem = key().to_pkcs8_pem().unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    let again = SigningKey::from_pkcs8_pem(&pem).unwrap();
    assert_eq!(again.kid(), key().kid());
    assert_eq!(again.sign(b"text"), key().sign(b"text"));
}

#[test]
fn from_pkcs8_pem_reads_what_openssl_writes() {
    // RFC 8410 section 10.3, first example: the form of `openssl genpkey -algorithm ed25519`.
    let pem = "-----BEGIN PRIVATE KEY-----\n\
               MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
               -----END PRIVATE KEY-----\n";
    let key = SigningKey::from_pkcs8_pem(pem).unwrap();
    // Section 10.1 has its public key.
    assert_eq!(key.public().x(), "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE");
    assert_eq!(key.to_pkcs8_pem().unwrap().as_str(), pem);
}

#[test]
fn from_pkcs8_pem_refuses_anything_else() {
    let pem = key().to_pkcs8_pem().unwrap();
    for wrong in ["", "x", &pem.replace("PRIVATE", "PUBLIC"), &pem.replace("MC4", "MC5"), &pem[..60]] {
        assert_eq!(SigningKey::from_pkcs8_pem(wrong).unwrap_err(), KeyError::Pem);
    }
}

#[test]
fn debug_output_names_keys_by_their_id_only() {
    assert_eq!(format!("{:?}", key()), format!("SigningKey({})", key().kid()));
    assert_eq!(format!("{:?}", key().public()), format!("VerificationKey({})", key().kid()));
}

#[test]
fn a_key_set_finds_its_keys_and_no_others() {
    let set = KeySet::new([key().public(), key().public()]);
    assert_eq!(set.iter().count(), 1);
    assert_eq!(set.find(key().kid()), Some(&key().public()));
    assert_eq!(set.find(another_key().kid()), None);
}

#[test]
fn a_key_sets_digest_is_over_its_sorted_ids() {
    let mut kids = [key().kid().to_string(), another_key().kid().to_string()];
    kids.sort();
    let digest = b64(Sha256::digest(kids.join("\n")));
    assert_eq!(KeySet::new([key().public(), another_key().public()]).digest(), digest);
    assert_eq!(KeySet::new([another_key().public(), key().public()]).digest(), digest);
    assert_ne!(KeySet::new([key().public()]).digest(), digest);
    assert_eq!(digest.len(), 43);
}

#[test]
fn a_key_sets_jwks_holds_all_public_keys_and_nothing_private() {
    let jwks = serde_json::to_value(KeySet::new([key().public(), another_key().public()]).to_jwks()).unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    for key in keys {
        let mut names: Vec<&String> = key.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
    }
}
