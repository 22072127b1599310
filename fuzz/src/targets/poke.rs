//! The poke, whole or as header and claims that are signed here; see the target `handoff`.

use gatepass_corpus::{ISSUER, Kind, NOW, SITE, key};
use gatepass_keys::KeySet;
use gatepass_keys::token::poke::Unverified;

use super::handoff::{assert_one_spelling, read, token, token_seeds};

/// Seeds: every poke of the corpus, as it is and taken apart.
pub fn seeds() -> Vec<Vec<u8>> {
    token_seeds(Kind::Poke)
}

/// Reads a poke.
pub fn run(input: &[u8]) {
    let Some(token) = token(input) else { return };
    let verified = Unverified::parse(&token)
        .and_then(|unverified| unverified.verify(&KeySet::new([key().public()]), ISSUER, SITE, NOW));
    match verified {
        Err(refusal) => assert!(!refusal.cause().is_empty()),
        Ok(verified) => {
            assert_one_spelling(&token);
            let [header, claims] = read(&token);
            assert!(header["alg"] == "EdDSA" || header["alg"] == "Ed25519");
            assert_eq!((&header["typ"], header.get("crit")), (&"gatepass-poke+jwt".into(), None));
            assert_eq!((&claims["iss"], &claims["aud"]), (&ISSUER.into(), &SITE.into()));
            let read_as = verified.claims();
            assert_eq!(claims["jti"], read_as.id.to_string());
            let (issued, expires) = (read_as.issued_at, read_as.expires_at);
            assert_eq!((&claims["iat"], &claims["exp"]), (&issued.into(), &expires.into()));
            assert!(issued <= NOW + 5 && issued < expires && expires - issued <= 60 && NOW < expires + 5);
        }
    }
}
