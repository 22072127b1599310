//! How the use cases' errors go out.

use gatepass_core::issue::IssueError;
use gatepass_core::pairing::MakeCodeError;
use gatepass_http::{Code, Problem};

pub(crate) fn from_issue(error: IssueError) -> Problem {
    match error {
        IssueError::SiteNotFound => Problem::new(Code::SiteNotFound),
        IssueError::MemberNotFound => Problem::new(Code::MemberNotFound)
            .detail("put the member first: PUT /v1/sites/{site}/members/{subject}"),
        IssueError::MembershipInactive => Problem::new(Code::MembershipInactive),
        // Whoever answers when it is asked for again has the keyring of now.
        IssueError::KeyRevoked => Problem::new(Code::KeyringStale),
        IssueError::Limited(limited) => limited.into(),
        IssueError::Store(error) => error.into(),
        IssueError::NoRandomness(error) => error.into(),
    }
}

pub(crate) fn from_make_code(error: MakeCodeError) -> Problem {
    match error {
        MakeCodeError::Store(error) => error.into(),
        MakeCodeError::NoRandomness(error) => error.into(),
    }
}
