//! Secrets that stand where none belongs: somebody puts an API key into a path, a request id, a customer number. What
//! comes from outside and is written down is looked at first.

use std::borrow::Cow;

/// Whether something that looks like an API key, a pairing string or a token stands in a text.
pub fn stands_in(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.split(|c| !is_part(c)).any(|word| {
        word.contains("gpk_") || word.contains("gp_pair_") || (word.starts_with("eyJ") && word.contains('.'))
    })
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

    #[test]
    fn a_secret_is_known_wherever_it_stands() {
        for secret in
            ["gpk_abc", "x=gpk_abc", "gp_pair_eyJ2Ijox", "eyJhbGciOiJFZERTQSJ9.e30.c2ln", "a eyJh.b"]
        {
            assert!(stands_in(secret), "{secret}");
        }
        for other in ["", "customer-1001", "eyJustAName", "a.eyJ", "gpk", "req_gzids73hvn62uxtl"] {
            assert!(!stands_in(other), "{other}");
        }
    }

    #[test]
    fn a_path_keeps_what_is_no_secret() {
        assert_eq!(hidden_in_path("/v1/sites/site_a"), "/v1/sites/site_a");
        assert_eq!(hidden_in_path("/v1/sites/gpk_a/members/mia"), "/v1/sites/…/members/mia");
    }
}
