//! Reference numbers: what a refused customer reads out to support.
//!
//! Most are eight characters of Crockford's base32, `7K3M-Q2ZD`: what WordPress made up for the request and gave to the
//! bridge as its request id, `R-7K3MQ2ZD`, under which the trail has the cause. What stands in no trail, because WordPress
//! did not ask or got no answer, or because any stranger could fill it, has a reference that says the cause itself:
//! `U1-7K3M-Q2ZD`.

use crate::id::{InvalidId, RequestId};

/// Why WordPress refused where no trail tells it: the character behind the `U`, and the cause. Gatepass was not asked,
/// could not write, or only counts such refusals. The plugin has the same table.
pub const LOCAL_CAUSES: [(char, &str); 17] = [
    ('1', "token_invalid"),
    ('2', "attempt_invalid"),
    ('3', "origin_mismatch"),
    ('4', "origin_unknown"),
    ('5', "not_paired"),
    ('6', "switched_off"),
    ('7', "binding_absent"),
    ('8', "bridge_unreachable"),
    ('9', "busy"),
    ('A', "token_expired"),
    ('B', "start_not_set_up"),
    ('C', "store_unavailable"),
    ('D', "overloaded"),
    ('E', "rate_limited"),
    ('F', "site_proof_invalid"),
    ('G', "site_proof_expired"),
    ('H', "site_is_a_copy"),
];

const LENGTH: usize = 8;

/// A reference number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Why WordPress refused, if it did so by itself.
    pub local_cause: Option<&'static str>,
    /// The request in which it did.
    pub request_id: RequestId,
}

/// A character as it was meant: Crockford's base32 has no letters that look like digits.
fn meant(read: char) -> Option<char> {
    match read.to_ascii_uppercase() {
        'O' => Some('0'),
        'I' | 'L' => Some('1'),
        'U' => None,
        other => Some(other).filter(char::is_ascii_alphanumeric),
    }
}

impl std::str::FromStr for Reference {
    type Err = InvalidId;

    /// As it is shown or as the trail has it, in any case, with or without its dashes, and mended where it was misread.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId { expected: "a reference such as 7K3M-Q2ZD or U1-7K3M-Q2ZD" };
        let text: String = text.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
        let mut rest = text.chars();
        // Either of these would make it too long for an ordinary one.
        let local_cause = match (text.len(), rest.clone().next().map(|first| first.to_ascii_uppercase())) {
            (10, Some('U')) => {
                let read = rest.by_ref().nth(1).and_then(meant);
                let known = LOCAL_CAUSES.iter().find(|(character, _)| Some(*character) == read);
                Some(known.ok_or(invalid)?.1)
            }
            (9, Some('R')) => {
                rest.next();
                None
            }
            _ => None,
        };
        let characters: String = rest.map(meant).collect::<Option<_>>().ok_or(invalid)?;
        if characters.len() != LENGTH {
            return Err(invalid);
        }
        let request_id = format!("R-{characters}").parse()?;
        Ok(Self { local_cause, request_id })
    }
}

/// A request id as its customer reads it, if it is one that WordPress made.
pub fn shown(request_id: &RequestId) -> Option<String> {
    let (first, second) = request_id.as_str().strip_prefix("R-")?.split_at_checked(LENGTH / 2)?;
    (second.len() == LENGTH / 2).then(|| format!("{first}-{second}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(Option<&'static str>, String)> {
        text.parse()
            .ok()
            .map(|reference: Reference| (reference.local_cause, reference.request_id.to_string()))
    }

    #[test]
    fn a_reference_is_read_however_it_is_told() {
        for told in ["7K3M-Q2ZD", "7k3mq2zd", "7K3M Q2ZD", "R-7K3MQ2ZD", "r7k3m-q2zd", "7-K3M-Q2Z-D"] {
            assert_eq!(read(told), Some((None, "R-7K3MQ2ZD".to_owned())), "{told}");
        }
        for told in ["0011-Q2ZD", "OoIl-Q2ZD", "R-0oLi-q2zd"] {
            assert_eq!(read(told), Some((None, "R-0011Q2ZD".to_owned())), "{told}");
        }
        assert_eq!(read("R3K3-MQ2Z"), Some((None, "R-R3K3MQ2Z".to_owned())), "R is one of the letters");
        for told in
            ["", "7K3M-Q2Z", "7K3M-Q2ZDD", "7K3M-Q2ZU", "7K3M_Q2ZD", "U0-7K3M-Q2ZD", "ÄK3M-Q2ZD", "ho_7K3M"]
        {
            assert_eq!(read(told), None, "{told}");
        }
    }

    #[test]
    fn a_reference_of_wordpress_alone_says_its_cause() {
        for (character, cause) in LOCAL_CAUSES {
            for told in [format!("U{character}-7K3M-Q2ZD"), format!("u{character}7k3mq2zd")] {
                assert_eq!(read(&told), Some((Some(cause), "R-7K3MQ2ZD".to_owned())), "{told}");
            }
        }
        assert_eq!(read("UI-7K3M-Q2ZD").map(|read| read.0), Some(Some("token_invalid")));
    }

    #[test]
    fn a_request_of_wordpress_shows_as_its_reference() {
        assert_eq!(shown(&"R-7K3MQ2ZD".parse().unwrap()).as_deref(), Some("7K3M-Q2ZD"));
        for other in ["req_7k3mq2zd", "R-7K3M", "R-7K3MQ2ZDX"] {
            assert_eq!(shown(&other.parse().unwrap()), None, "{other}");
        }
    }
}
