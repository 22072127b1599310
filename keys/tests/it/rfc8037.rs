//! The examples of RFC 8037, appendix A.

use gatepass_keys::{Jwk, SigningKey, VerificationKey};

use crate::forge::{b64, unb64};

const D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const SIGNING_INPUT: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
const SIGNATURE: &str =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

fn private() -> SigningKey {
    SigningKey::generate(unb64(D).try_into().unwrap())
}

#[test]
fn a_1_the_public_key_follows_from_the_private_one() {
    assert_eq!(private().public().x(), X);
}

#[test]
fn a_2_the_public_key_is_read_from_its_jwk() {
    let jwk: Jwk = serde_json::from_str(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}"}}"#)).unwrap();
    assert_eq!(VerificationKey::from_jwk(&jwk), Ok(private().public()));
}

#[test]
fn a_3_the_thumbprint_is_the_key_id() {
    assert_eq!(private().kid().as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn a_4_the_signature_is_the_one_of_the_example() {
    assert_eq!(b64(private().sign(SIGNING_INPUT.as_bytes())), SIGNATURE);
}

#[test]
fn a_5_the_signature_is_verified() {
    let public = private().public();
    assert_eq!(public.verify(SIGNING_INPUT.as_bytes(), &unb64(SIGNATURE)), Ok(()));
    assert!(public.verify(b"another text", &unb64(SIGNATURE)).is_err());
}
