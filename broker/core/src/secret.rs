//! Secrets that stand where none belongs: somebody puts an API key into a path, a request id, a customer number. What
//! comes from outside and is written down is looked at first.

use std::borrow::Cow;

use data_encoding::BASE64URL_NOPAD;

/// Characters of an API key behind its prefix: 256 bits in base64url.
const KEY_LENGTH: usize = 43;
/// From how many characters on what stands behind `gp_pair_` is more than a name: the secret alone has 43.
const PAIRING_LENGTH: usize = 40;
/// How often a text may have been encoded for a URL: by a browser, and once more by what put that into another URL.
const MAX_DECODINGS: usize = 3;

/// Whether something that is made like an API key, a pairing string or a token stands in a text, also encoded for a URL.
pub fn stands_in(text: &str) -> bool {
    let mut text = Cow::Borrowed(text);
    for _ in 0..MAX_DECODINGS {
        if stands_plainly_in(&text) {
            return true;
        }
        let Some(decoded) = percent_decoded(&text) else { return false };
        text = decoded.into();
    }
    stands_plainly_in(&text)
}

fn stands_plainly_in(text: &str) -> bool {
    let is_part = |c: char| is_base64url(c) || c == '.';
    text.split(|c| !is_part(c)).any(|word| {
        behind(word, "gpk_").any(|rest| begins_with_base64url(rest, KEY_LENGTH))
            || behind(word, "gp_pair_")
                .any(|rest| rest.starts_with("eyJ") && begins_with_base64url(rest, PAIRING_LENGTH))
            || holds_token(word)
    })
}

/// What follows each place where `mark` stands.
fn behind<'a>(word: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    word.match_indices(mark).filter_map(|(place, _)| word.get(place + mark.len()..))
}

fn is_base64url(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

fn begins_with_base64url(text: &str, length: usize) -> bool {
    text.chars().take(length).filter(|c| is_base64url(*c)).count() == length
}

/// Whether there is a token: three segments (RFC 7515 section 7.1), of which the first is a JSON object. Only this one
/// may have something before it.
fn holds_token(word: &str) -> bool {
    let segments: Vec<_> = word.split('.').collect();
    segments.windows(3).any(|three| {
        matches!(three, [header, payload, signature]
            if !payload.is_empty() && !signature.is_empty() && holds_object(header))
    })
}

/// Whether there is base64url of a text that begins as a JSON object with a member does.
fn holds_object(segment: &str) -> bool {
    segment.match_indices("eyJ").any(|(place, _)| {
        let rest = segment.get(place..).unwrap_or_default();
        // Whole bytes of the name of its first member, which is short in every token.
        let beginning = rest.get(..rest.len().min(64) / 4 * 4).unwrap_or_default();
        let json = BASE64URL_NOPAD.decode(beginning.as_bytes()).unwrap_or_default();
        json.strip_prefix(b"{\"").is_some_and(|rest| rest.windows(2).any(|pair| pair == b"\":"))
    })
}

/// A text with its percent-encodings decoded; `None` if it has none.
fn percent_decoded(text: &str) -> Option<String> {
    let digit =
        |byte: Option<&u8>| char::from(*byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = text.bytes().collect::<Vec<_>>().into_iter();
    let (mut decoded, mut any) = (Vec::with_capacity(text.len()), false);
    while let Some(byte) = bytes.next() {
        let rest = bytes.as_slice();
        match (byte, digit(rest.first()), digit(rest.get(1))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high * 16 + low);
                bytes.nth(1);
                any = true;
            }
            _ => decoded.push(byte),
        }
    }
    any.then(|| String::from_utf8_lossy(&decoded).into_owned())
}

/// A path without those of its segments in which a secret stands.
pub fn hidden_in_path(path: &str) -> Cow<'_, str> {
    if !stands_in(path) {
        return path.into();
    }
    path.split('/').map(|part| if stands_in(part) { "…" } else { part }).collect::<Vec<_>>().join("/").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "gpk_0123456789-ABCDEFGHIJ_abcdefghijklmnopqrstu";
    const PAIRING: &str = "gp_pair_eyJ2IjoxLCJzaXRlX2lkIjoic2l0ZV9hIiwic2VjcmV0IjoiYWJjIn0";
    const TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.e30.c2ln";

    /// Every character encoded.
    fn encoded(text: &str) -> String {
        use std::fmt::Write as _;
        text.bytes().fold(String::new(), |mut encoded, byte| {
            let _ = write!(encoded, "%{byte:02x}");
            encoded
        })
    }

    #[test]
    fn a_secret_is_known_wherever_it_stands() {
        for secret in [KEY, PAIRING, TOKEN] {
            let once = encoded(secret);
            for text in [
                secret.to_owned(),
                format!("key={secret}"),
                format!("customer-{secret}"),
                format!("a{secret}"),
                format!("ä {secret}, and more"),
                format!("/wp-login.php?token={secret}&x=%zz"),
                secret.replace('_', "%5F").replace('.', "%2e").replace("eyJ", "%65yJ"),
                format!("100%{once}"),
                encoded(&once),
                encoded(&encoded(&once)),
            ] {
                assert!(stands_in(&text), "{text}");
            }
        }
        for secret in [format!("{KEY}="), format!("{TOKEN}.more"), format!("eyJ.{TOKEN}")] {
            assert!(stands_in(&secret), "{secret}");
        }
    }

    #[test]
    fn what_only_begins_like_a_secret_is_none() {
        let short = KEY.split_at(KEY.len() - 1).0;
        for honest in [
            "",
            "%",
            "%e",
            "100%",
            "customer-1001",
            "gpk",
            "gpk_",
            "gpk_1001",
            "acme-gpk_7",
            "gpk%5F1001",
            short,
            "gp_pair_",
            "gp_pair_7",
            "gp_pair_eyJ2Ijox",
            "eyJane.doe",
            "eyJane.van.doe",
            "eyJustAName",
            "a.eyJ",
            "a eyJh.b",
            "eyJhbGciOiJFZERTQSJ9",
            "eyJhbGciOiJFZERTQSJ9.e30",
            "eyJhbGciOiJFZERTQSJ9..c2ln",
            "req_gzids73hvn62uxtl",
        ] {
            assert!(!stands_in(honest), "{honest}");
        }
    }

    #[test]
    fn a_path_keeps_what_is_no_secret() {
        assert_eq!(hidden_in_path("/v1/sites/site_a"), "/v1/sites/site_a");
        for secret in [KEY.to_owned(), encoded(TOKEN)] {
            let path = format!("/v1/sites/{secret}/members/mia");
            assert_eq!(hidden_in_path(&path), "/v1/sites/…/members/mia");
        }
    }
}
