//! The times of a handoff token. The boundaries are where the mistakes are.

use std::time::Duration;

use gatepass_keys::token::handoff::{Expected, MAX_LIFETIME};
use gatepass_keys::token::{LEEWAY, TokenError};

use crate::forge::{Forge, NOW, check, check_as, expected};

const MAX: i64 = MAX_LIFETIME.as_secs().cast_signed();
const LEEWAY_SECONDS: i64 = LEEWAY.as_secs().cast_signed();

fn issued_and_expiring(issued_at: i64, expires_at: i64) -> Result<(), TokenError> {
    check(&Forge::handoff().times(issued_at, expires_at).sign()).map(drop)
}

fn at(now: i64, past_expiry: Duration) -> Result<(), TokenError> {
    check_as(&Forge::handoff().sign(), &Expected { now, past_expiry, ..expected() }).map(drop)
}

#[test]
fn verify_accepts_a_token_until_the_leeway_after_its_expiry() {
    let expiry = NOW + 60;
    assert_eq!(at(expiry + LEEWAY_SECONDS - 1, Duration::ZERO), Ok(()));
    assert_eq!(at(expiry + LEEWAY_SECONDS, Duration::ZERO), Err(TokenError::Expired));
}

#[test]
fn verify_lets_an_expired_token_through_for_as_long_as_it_is_told() {
    let last = NOW + 60 + LEEWAY_SECONDS + 15;
    assert_eq!(at(last - 1, Duration::from_secs(15)), Ok(()));
    assert_eq!(at(last, Duration::from_secs(15)), Err(TokenError::Expired));
    assert_eq!(at(i64::MAX, Duration::MAX), Err(TokenError::Expired));
}

#[test]
fn verify_refuses_a_token_from_the_future() {
    assert_eq!(issued_and_expiring(NOW + LEEWAY_SECONDS, NOW + 60), Ok(()));
    assert_eq!(issued_and_expiring(NOW + LEEWAY_SECONDS + 1, NOW + 60), Err(TokenError::IssuedInTheFuture));
}

#[test]
fn verify_refuses_an_expiry_not_after_the_issue() {
    assert_eq!(issued_and_expiring(NOW, NOW), Err(TokenError::ExpiryBeforeIssue));
    assert_eq!(issued_and_expiring(NOW, NOW - 1), Err(TokenError::ExpiryBeforeIssue));
    assert_eq!(issued_and_expiring(NOW, 0), Err(TokenError::ExpiryBeforeIssue));
}

#[test]
fn verify_refuses_a_lifetime_over_five_minutes() {
    assert_eq!(issued_and_expiring(NOW - 100, NOW - 100 + MAX), Ok(()));
    assert_eq!(issued_and_expiring(NOW - 100, NOW - 99 + MAX), Err(TokenError::LifetimeTooLong));
    assert_eq!(issued_and_expiring(0, NOW + 60), Err(TokenError::LifetimeTooLong));
}

#[test]
fn verify_refuses_an_exp_too_far_ahead() {
    let furthest = NOW + LEEWAY_SECONDS + MAX;
    assert_eq!(issued_and_expiring(NOW + LEEWAY_SECONDS, furthest), Ok(()));
    assert_eq!(issued_and_expiring(NOW + LEEWAY_SECONDS, furthest + 1), Err(TokenError::ExpiryTooFarAhead));
    assert_eq!(issued_and_expiring(NOW, 253_402_300_799), Err(TokenError::ExpiryTooFarAhead));
}

#[test]
fn verify_survives_any_time_of_the_verifier() {
    assert_eq!(at(i64::MAX, Duration::ZERO), Err(TokenError::Expired));
    assert_eq!(at(i64::MIN, Duration::ZERO), Err(TokenError::ExpiryTooFarAhead));
    assert_eq!(at(0, Duration::MAX), Err(TokenError::ExpiryTooFarAhead));
}

#[test]
fn only_a_wrong_clock_is_told_to_look_at_its_clock() {
    let off_by =
        |seconds: i64| issued_and_expiring(NOW + seconds, NOW + seconds + 60).unwrap_err().may_be_the_clock();
    assert!(off_by(-3600) && off_by(-70) && off_by(7) && off_by(3600));
    assert!(!TokenError::LifetimeTooLong.may_be_the_clock());
    assert!(!TokenError::Signature.may_be_the_clock());
}
