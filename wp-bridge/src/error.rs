//! How the use cases' errors go out.

use gatepass_core::redeem::RedeemError;
use gatepass_core::site::Policy;
use gatepass_http::{Code, Problem};

/// A refused redemption, with where the customer can go from here.
pub(crate) fn from_redeem(error: RedeemError, policy: &Policy) -> Problem {
    let problem = match error {
        // The page's reference has to say the cause: in the trail there is only a count.
        RedeemError::Token(error) => Problem::new(Code::from(&error)).with("trail", "counted"),
        RedeemError::Refused(refusal) => Problem::new(Code::from(refusal)),
        RedeemError::Limited(limited) => limited.into(),
        RedeemError::Store(error) => error.into(),
    };
    leading_back(problem, policy)
}

/// With where the customer can go from here.
pub(crate) fn leading_back(problem: Problem, policy: &Policy) -> Problem {
    problem.with("panel_url", &policy.panel_url).with("renew_url", &policy.renew_url)
}
