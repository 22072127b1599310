//! Makes the token a case describes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepass_keys::SigningKey;
use gatepass_keys::token::{handoff, poke, site};
use jsonwebtoken::{Algorithm, EncodingKey};
use sha2::{Digest as _, Sha256, Sha512};

use crate::arithmetic;
use crate::basics::{BRIDGE, HANDOFF_ID, ISSUER, NOW, SITE, another_key, b64, key, unb64};
use crate::case::{Case, Kind, Members, Over, Part, Signer, Tweak};

/// What [`key`] was made of.
const SECRET: [u8; 32] = [1; 32];

/// The neutral element as a public key: a point of order 1.
pub const NEUTRAL: [u8; 32] = {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    neutral
};

/// R is the base point and S is 1. Under [`NEUTRAL`] the equation S·B = R + k·A holds whatever k is.
pub const NEUTRAL_KEY_SIGNATURE: [u8; 64] = {
    let mut signature = [0x66; 64];
    signature[0] = 0x58;
    let mut at = 32;
    while at < 64 {
        signature[at] = 0;
        at += 1;
    }
    signature[32] = 1;
    signature
};

/// The token, or whatever the case presents instead.
pub(crate) fn make(case: &Case) -> String {
    let [header, claims] = texts(case);
    let mut header_segment = b64(&header);
    let mut claims_segment = b64(&claims);
    match case.left_over {
        Some(Part::Header) => header_segment = with_left_over_bits(&header_segment),
        Some(Part::Claims) => claims_segment = with_left_over_bits(&claims_segment),
        None => {}
    }
    let input = format!("{header_segment}.{claims_segment}");
    let signed: Vec<u8> = match case.over {
        Over::Input => input.clone().into_bytes(),
        Over::Header => header_segment.clone().into_bytes(),
        Over::Claims => claims_segment.clone().into_bytes(),
        Over::Decoded => [header, b".".to_vec(), claims].concat(),
        Over::Sha512 => Sha512::digest(&input).to_vec(),
    };
    let signature = b64(tweaked(case, sign(case, &signed)));
    if !case.shown_header.is_empty() {
        header_segment = b64(object(&GOOD_HEADER, &[&case.header, &case.shown_header], case.kind));
    }
    if !case.shown_claims.is_empty() {
        claims_segment = b64(object(&good_claims(case.kind), &[&case.claims, &case.shown_claims], case.kind));
    }
    let token = format!("{header_segment}.{claims_segment}.{signature}");
    let Some(presented) = &case.presented else { return token };
    let presented = expand(presented, &|name| match name {
        "token" => Some(token.clone().into_bytes()),
        "h" => Some(header_segment.clone().into_bytes()),
        "c" => Some(claims_segment.clone().into_bytes()),
        "s" => Some(signature.clone().into_bytes()),
        "s_left_over" => Some(with_left_over_bits(&signature).into_bytes()),
        _ => value(name, case.kind),
    });
    String::from_utf8(presented).unwrap()
}

/// Header and claims as they are signed.
fn texts(case: &Case) -> [Vec<u8>; 2] {
    let text = |text: &Option<String>, good: &[(&str, &str)], changes: &Members| match text {
        Some(text) => {
            assert!(changes.is_empty(), "{}: both members and a text", case.name);
            expand(text, &|name| value(name, case.kind))
        }
        None => object(good, &[changes], case.kind),
    };
    let mut header = text(&case.header_text, &GOOD_HEADER, &case.header);
    let mut claims = text(&case.claims_text, &good_claims(case.kind), &case.claims);
    // A multiple of three bytes leaves no bits over; white space after the object changes nothing else.
    match case.left_over {
        Some(Part::Header) if header.len() % 3 == 0 => header.push(b' '),
        Some(Part::Claims) if claims.len() % 3 == 0 => claims.push(b' '),
        _ => {}
    }
    let Some(size) = case.size else { return [header, claims] };
    let padded = |json: &[u8], pad: usize| {
        let body = json.strip_suffix(b"}").unwrap();
        [body, format!(r#","pad":"{}"}}"#, "x".repeat(pad)).as_bytes()].concat()
    };
    // Base64 makes some lengths impossible for one segment, but none for two.
    (0..3)
        .flat_map(|pad| (0..size).map(move |pad_claims| (pad, pad_claims)))
        .map(|(pad, pad_claims)| [padded(&header, pad), padded(&claims, pad_claims)])
        .find(|[header, claims]| {
            b64(header).len() + b64(claims).len() + "..".len() + b64([0; 64]).len() == size
        })
        .unwrap()
}

const GOOD_HEADER: [(&str, &str); 3] =
    [("alg", r#""EdDSA""#), ("typ", r#""{{typ}}""#), ("kid", r#""{{kid}}""#)];

fn good_claims(kind: Kind) -> Vec<(&'static str, &'static str)> {
    let times = [("iat", "{{now}}"), ("exp", "{{now+60}}")];
    let rest = match kind {
        Kind::Handoff => vec![
            ("iss", r#""{{issuer}}""#),
            ("aud", r#""{{site}}""#),
            ("sub", r#""customer-1""#),
            ("jti", r#""{{jti}}""#),
        ],
        Kind::Site => vec![("iss", r#""{{site}}""#), ("sub", r#""{{site}}""#), ("aud", r#""{{bridge}}""#)],
        Kind::Poke => {
            vec![("iss", r#""{{issuer}}""#), ("aud", r#""{{site}}""#), ("jti", r#""{{jti}}""#)]
        }
    };
    rest.into_iter().chain(times).collect()
}

/// The good members with the changes made: replaced in their place, left out, or added at the end.
fn object(good: &[(&str, &str)], changes: &[&Members], kind: Kind) -> Vec<u8> {
    [b"{", members(good, changes, kind).as_slice(), b"}"].concat()
}

fn members(good: &[(&str, &str)], changes: &[&Members], kind: Kind) -> Vec<u8> {
    let mut members: Vec<(&str, &str)> = good.to_vec();
    for (name, json) in changes.iter().copied().flatten() {
        match members.iter_mut().find(|(member, _)| member == name) {
            Some((_, old)) => *old = json,
            None => members.push((name, json)),
        }
    }
    let members: Vec<Vec<u8>> = members
        .into_iter()
        .filter(|(_, json)| !json.is_empty())
        .map(|(name, json)| {
            let json = expand(json, &|placeholder| value(placeholder, kind));
            [format!("\"{name}\":").as_bytes(), &json].concat()
        })
        .collect();
    members.join(b",".as_slice())
}

/// Replaces the placeholders. Of more than two braces in a row the last two open one.
fn expand(text: &str, value: &dyn Fn(&str) -> Option<Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        let at = at + usize::from(rest[at..].starts_with("{{{"));
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let (name, after) = rest[at + 2..].split_once("}}").unwrap_or_else(|| panic!("{text}: not closed"));
        out.extend(value(name).unwrap_or_else(|| panic!("{{{{{name}}}}} is unknown")));
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn value(name: &str, kind: Kind) -> Option<Vec<u8>> {
    let public = key().public();
    let text = match name {
        "now" => NOW.to_string(),
        "issuer" => ISSUER.to_owned(),
        "site" => SITE.to_owned(),
        "bridge" => BRIDGE.to_owned(),
        "jti" => HANDOFF_ID.to_owned(),
        "JTI" => HANDOFF_ID.to_uppercase(),
        "typ" => match kind {
            Kind::Handoff => handoff::TYP.to_owned(),
            Kind::Site => site::TYP.to_owned(),
            Kind::Poke => poke::TYP.to_owned(),
        },
        "kid" => public.kid().to_string(),
        "kid_left_over" => with_left_over_bits(public.kid().as_str()),
        "x" => public.x(),
        "jwk" => serde_json::to_string(&public).unwrap(),
        "public_bytes" => return Some(public.as_bytes().to_vec()),
        "public_pem" => {
            // RFC 8410 section 4, and the key.
            let der = [&unhex("302a300506032b6570032100"), public.as_bytes().as_slice()].concat();
            format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
        }
        "public_ssh" => {
            let blob = [b"\0\0\0\x0bssh-ed25519\0\0\0\x20", public.as_bytes().as_slice()].concat();
            format!("ssh-ed25519 {}", STANDARD.encode(blob))
        }
        "stranger_kid" => another_key().kid().to_string(),
        "stranger_jwk" => serde_json::to_string(&another_key().public()).unwrap(),
        "neutral_kid" => {
            b64(Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, b64(NEUTRAL))))
        }
        "header" => return Some(members(&GOOD_HEADER, &[], kind)),
        "claims" => return Some(members(&good_claims(kind), &[], kind)),
        _ => return computed(name),
    };
    Some(text.into_bytes())
}

/// The placeholders that take something.
fn computed(name: &str) -> Option<Vec<u8>> {
    if let Some(offset) = name.strip_prefix("now") {
        return Some((NOW + offset.parse::<i64>().ok()?).to_string().into_bytes());
    }
    if let Some(hex) = name.strip_prefix("bytes:") {
        return Some(unhex(hex));
    }
    let (times, text) = name.strip_prefix("repeat:")?.split_once(':')?;
    Some(text.repeat(times.parse().ok()?).into_bytes())
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Another last character that a lax decoder reads as the same bytes.
fn with_left_over_bits(segment: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    assert_ne!(segment.len() % 4, 0, "no bits are left over");
    let (rest, last) = segment.split_at(segment.len() - 1);
    let last = ALPHABET.iter().position(|character| last.as_bytes() == [*character]).unwrap();
    format!("{rest}{}", char::from(ALPHABET[last + 1]))
}

fn sign(case: &Case, message: &[u8]) -> Vec<u8> {
    let hmac = |algorithm| {
        let secret = expand(&case.secret, &|name| value(name, case.kind));
        unb64(&jsonwebtoken::crypto::sign(message, &EncodingKey::from_secret(&secret), algorithm).unwrap())
    };
    match case.signer {
        Signer::Active => key().sign(message).to_vec(),
        Signer::Stranger => another_key().sign(message).to_vec(),
        Signer::None => Vec::new(),
        Signer::Zeros => vec![0; 64],
        Signer::Ones => vec![0xff; 64],
        Signer::Hs256 => hmac(Algorithm::HS256),
        Signer::Hs512 => hmac(Algorithm::HS512),
        Signer::SmallOrderR => small_order_r(message).to_vec(),
        Signer::NeutralKey => NEUTRAL_KEY_SIGNATURE.to_vec(),
    }
}

/// A signature by our own key with the neutral element for R, and S = k·a so that the equation holds.
pub fn small_order_r(message: &[u8]) -> [u8; 64] {
    assert_eq!(SigningKey::generate(SECRET).kid(), key().kid());
    // RFC 8032 section 5.1.5.
    let mut a = <[u8; 32]>::try_from(&Sha512::digest(SECRET)[..32]).unwrap();
    a[0] &= 0xf8;
    a[31] = a[31] & 0x7f | 0x40;
    let k = Sha512::new().chain_update(NEUTRAL).chain_update(key().public().as_bytes()).chain_update(message);
    let s = arithmetic::product(arithmetic::reduced(&k.finalize()), arithmetic::reduced(&a));
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&NEUTRAL);
    signature[32..].copy_from_slice(&s);
    signature
}

fn tweaked(case: &Case, mut signature: Vec<u8>) -> Vec<u8> {
    if let Some(tweak) = case.signature {
        let (r, s) = signature.split_at_mut(32);
        let s: &mut [u8; 32] = s.try_into().unwrap();
        match tweak {
            Tweak::PlusOrder => *s = arithmetic::plus_order(*s),
            Tweak::HighBits => s[31] |= 0xe0,
            Tweak::NegateS => *s = arithmetic::negated(*s),
            Tweak::SwapHalves => r.swap_with_slice(s),
            Tweak::FlipRSign => r[31] ^= 0x80,
        }
    }
    if let Some(length) = case.signature_length {
        signature.resize(length, 0);
    }
    signature
}
