//! The one table of everything that can be refused: code → HTTP status → page the customer sees → causes in the
//! audit trail. Programs rely on the codes and the statuses; neither ever changes its meaning.

use actix_web::http::StatusCode;
use gatepass_core::handoff::Refusal;
use gatepass_keys::token::TokenError;
use serde::Serialize;

/// The page that WordPress shows to a customer whose login was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Page {
    /// "This link has been used or is too old": go back and click again.
    AskAgain,
    /// The membership is not in force: renew.
    Membership,
    /// Something does not answer: try again in a moment.
    Temporary,
}

macro_rules! table {
    ($( $name:ident $code:literal $status:literal $title:literal $(page $page:ident)? $(causes [$($cause:literal),+ $(,)?])? ;)+) => {
        /// What was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $title] $name,)+ }

        impl Code {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// As it is written in a problem and its type URN.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }
            /// The HTTP status.
            pub fn status(self) -> StatusCode {
                let number: u16 = match self { $(Self::$name => $status,)+ };
                StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            /// One sentence for people, the same every time (RFC 9457 section 3.1.3).
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
            /// The page that the customer sees, for what can be refused in a browser.
            pub const fn page(self) -> Option<Page> {
                match self { $(Self::$name => table!(@page $($page)?),)+ }
            }
            /// The causes in the trail that lead to this code.
            pub const fn causes(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($($cause),+)?],)+ }
            }
        }
    };
    (@page) => { None };
    (@page $page:ident) => { Some(Page::$page) };
}

table! {
    MalformedRequest "malformed_request" 400 "The request could not be read.";
    Unauthorized "unauthorized" 401 "An API key is needed: Authorization: Bearer gpk_…";
    InsufficientScope "insufficient_scope" 403 "This API key may not do that.";
    NotFound "not_found" 404 "There is nothing at this address.";
    MethodNotAllowed "method_not_allowed" 405 "This address takes another method.";
    RequestTimeout "request_timeout" 408 "The request did not arrive in time.";
    PayloadTooLarge "payload_too_large" 413 "The request is too large.";
    UriTooLong "uri_too_long" 414 "The address is too long.";
    UnsupportedMediaType "unsupported_media_type" 415 "The body must be application/json.";
    HeaderTooLarge "header_too_large" 431 "The request's header is too large.";
    ValidationFailed "validation_failed" 422 "Something in the request is not as it must be; see errors.";
    RateLimited "rate_limited" 429 "Asked for too often; wait as long as Retry-After says." page Temporary
        causes ["limit_api_key", "limit_member", "limit_token", "limit_address", "limit_site"];
    Internal "internal" 500 "Gatepass failed; the request id leads to the reason in its log." page Temporary;
    StoreUnavailable "store_unavailable" 503 "The store does not answer; try again." page Temporary
        causes ["store_unavailable"];
    KeyringStale "keyring_stale" 503 "This Gatepass has an old copy of its keys and signs nothing; try again."
        page Temporary;
    KeysUnavailable "keys_unavailable" 503 "Which keys the issuer has cannot be told; try again." page Temporary;
    Overloaded "overloaded" 503 "There is more to do than can be done; try again in a moment." page Temporary;

    SiteNotFound "site_not_found" 404 "There is no such site.";
    SiteExists "site_exists" 409 "This URL is registered already.";
    SiteNotPaired "site_not_paired" 409 "This site is not paired yet.";
    MemberNotFound "member_not_found" 404 "There is no such member on this site." causes ["member_not_found"];
    RevisionMismatch "revision_mismatch" 412 "The member has changed since.";
    HandoffNotFound "handoff_not_found" 404 "There is no such handoff.";
    HandoffAlreadyRedeemed "handoff_already_redeemed" 409 "This handoff is redeemed; end the session instead.";
    HandoffNotRedeemed "handoff_not_redeemed" 409 "This handoff is not redeemed.";
    SiteUnreachable "site_unreachable" 504 "The site does not answer; try again later.";
    EpochChanged "epoch_changed" 409 "The store has changed since; pull everything again.";

    MembershipInactive "membership_inactive" 403 "The membership is not in force." page Membership
        causes ["membership_inactive"];
    MembershipUnknown "membership_unknown" 503 "The panel did not say whether the membership is in force; try again."
        page Temporary causes ["membership_unknown"];
    HandoffInvalid "handoff_invalid" 400 "This is no token of ours for this site." page AskAgain
        causes [
            "too_long", "segments", "base64", "json", "not_an_object", "duplicate_member", "too_deep", "algorithm",
            "type", "critical_extension", "key_id", "signature_length", "unknown_key", "signature",
            "missing_claim", "claim_type", "claim_form", "issuer", "subject", "audience", "expiry_too_far_ahead",
            "issued_in_the_future", "expiry_before_issue", "lifetime_too_long",
        ];
    HandoffExpired "handoff_expired" 410 "This handoff is too old." page AskAgain causes ["no_record", "expired"];
    HandoffMismatch "handoff_mismatch" 410 "This is not the token that was issued." page AskAgain causes ["mismatch"];
    HandoffSuperseded "handoff_superseded" 410 "The store has changed since; ask for a new handoff." page AskAgain
        causes ["superseded"];
    HandoffNotAsked "handoff_not_asked" 410 "This handoff was issued before the panel had to be asked; ask for a new one."
        page AskAgain causes ["not_asked"];
    HandoffUsed "handoff_used" 410 "This handoff has been used." page AskAgain causes ["used"];
    HandoffRevoked "handoff_revoked" 410 "This handoff was taken back." page AskAgain causes ["revoked"];
    BindingMismatch "binding_mismatch" 403 "This handoff belongs to another browser." page AskAgain
        causes ["binding_mismatch"];

    SiteProofInvalid "site_proof_invalid" 401 "The site did not prove who it is." page Temporary;
    SiteProofExpired "site_proof_expired" 401 "The site's proof is of another time; compare with the Date header."
        page Temporary;
    PairingCodeInvalid "pairing_code_invalid" 404 "This pairing code is unknown, used or older than 30 minutes."
        causes ["code_invalid"];
    PairingChallengeFailed "pairing_challenge_failed" 422 "The site did not answer the challenge."
        causes ["challenge_failed"];
    PairingReplaceRequired "pairing_replace_required" 409
        "This site is paired already; its operator must allow the new pairing." causes ["replace_required"];
    SiteKeySuperseded "site_key_superseded" 409 "The site has another key by now; renew with that one."
        causes ["key_superseded"];
    SiteIdentityConflict "site_identity_conflict" 409 "The site's address is not the registered one."
        causes ["identity_conflict"];
}

impl From<Refusal> for Code {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoRecord | Refusal::Expired => Self::HandoffExpired,
            Refusal::Mismatch => Self::HandoffMismatch,
            Refusal::Superseded => Self::HandoffSuperseded,
            Refusal::Used => Self::HandoffUsed,
            Refusal::Revoked => Self::HandoffRevoked,
            Refusal::NotAsked => Self::HandoffNotAsked,
            Refusal::MembershipInactive => Self::MembershipInactive,
            Refusal::BindingMismatch => Self::BindingMismatch,
        }
    }
}

impl From<&TokenError> for Code {
    fn from(error: &TokenError) -> Self {
        match error {
            TokenError::Expired => Self::HandoffExpired,
            _ => Self::HandoffInvalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_is_written_once_and_has_an_error_status() {
        let codes: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code:?}");
        }
    }

    #[test]
    fn every_cause_of_a_refusal_leads_to_the_code_that_lists_it() {
        for refusal in Refusal::ALL {
            let code = Code::from(refusal);
            assert!(code.causes().contains(&refusal.cause()), "{refusal:?} → {code:?}");
            assert!(code.page().is_some(), "{refusal:?} is met in a browser");
        }
    }

    #[test]
    fn every_full_bucket_is_a_rate_limit() {
        let causes: Vec<_> =
            gatepass_core::limit::Bucket::ALL.into_iter().map(gatepass_core::limit::Bucket::cause).collect();
        assert_eq!(Code::RateLimited.causes(), causes);
    }

    #[test]
    fn every_cause_is_explained_and_its_page_is_the_one_that_is_shown() {
        use gatepass_core::cause::{Seen, explain};
        for code in Code::ALL {
            for cause in code.causes() {
                let explanation = explain(cause).unwrap_or_else(|| panic!("{cause} is not explained"));
                let page = match explanation.seen {
                    Seen::AskAgain => Some(Page::AskAgain),
                    Seen::Membership => Some(Page::Membership),
                    Seen::Temporary => Some(Page::Temporary),
                    Seen::Panel | Seen::Nothing => None,
                };
                assert_eq!(page, code.page(), "{cause}");
            }
        }
    }

    #[test]
    fn a_cause_belongs_to_one_code() {
        let mut seen = HashSet::new();
        for code in Code::ALL {
            for cause in code.causes() {
                assert!(seen.insert(cause), "{cause} stands twice");
            }
        }
    }

    #[test]
    fn only_a_lapsed_member_sees_the_membership_page() {
        let pages = Code::ALL.iter().filter(|code| code.page() == Some(Page::Membership));
        assert_eq!(pages.collect::<Vec<_>>(), [&Code::MembershipInactive]);
    }

    #[test]
    fn a_problem_that_may_pass_is_a_503_or_a_500() {
        for code in Code::ALL {
            if code.status() == StatusCode::SERVICE_UNAVAILABLE {
                assert_eq!(code.page(), Some(Page::Temporary), "{code:?}");
            }
        }
    }
}
