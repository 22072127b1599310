//! The site's proof, whole or as header and claims that are signed here; see the target `handoff`.

use gatepass_corpus::{BRIDGE, Kind, NOW, key};
use gatepass_keys::token::site::Unverified;

use super::handoff::{assert_one_spelling, read, token, token_seeds};

/// Seeds: every site's proof of the corpus, as it is and taken apart.
pub fn seeds() -> Vec<Vec<u8>> {
    token_seeds(Kind::Site)
}

/// Reads a proof.
pub fn run(input: &[u8]) {
    let Some(token) = token(input) else { return };
    let unverified = match Unverified::parse(&token) {
        Ok(unverified) => unverified,
        Err(refusal) => {
            assert!(!refusal.cause().is_empty());
            return;
        }
    };
    let claimed = unverified.claimed_site().to_owned();
    assert!((1..=128).contains(&claimed.len()) && claimed.is_ascii());
    let early = unverified.check_claims(BRIDGE, NOW);
    match unverified.verify(&key().public(), BRIDGE, NOW) {
        Err(refusal) => assert!(!refusal.cause().is_empty()),
        Ok(verified) => {
            assert_eq!(early, Ok(()), "what was verified would have been refused early");
            assert_one_spelling(&token);
            let [header, claims] = read(&token);
            assert!(header["alg"] == "EdDSA" || header["alg"] == "Ed25519");
            assert_eq!((&header["typ"], header.get("crit")), (&"gatepass-site+jwt".into(), None));
            assert_eq!(
                (&claims["iss"], &claims["sub"]),
                (&claimed.as_str().into(), &claimed.as_str().into())
            );
            assert_eq!((&claims["aud"], verified.claims().audience.as_str()), (&BRIDGE.into(), BRIDGE));
            let (issued, expires) = (verified.claims().issued_at, verified.claims().expires_at);
            assert_eq!((&claims["iat"], &claims["exp"]), (&issued.into(), &expires.into()));
            assert!(issued <= NOW + 5 && issued < expires && expires - issued <= 60 && NOW < expires + 5);
        }
    }
}
