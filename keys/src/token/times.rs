//! The rules about `iat` and `exp`, the same for every kind of token.

use std::time::Duration;

use super::{LEEWAY_SECONDS, TokenError};

/// Judges the times of a token. All values are seconds since the epoch.
///
/// That `exp` is too far ahead follows from the other rules too; it is asked first so that a token made for
/// later use is named as what it is.
pub(super) fn check(
    issued_at: i64,
    expires_at: i64,
    now: i64,
    max_lifetime: Duration,
    past_expiry: Duration,
) -> Result<(), TokenError> {
    let max_lifetime = seconds(max_lifetime);
    let latest_now = now.saturating_add(LEEWAY_SECONDS);
    if expires_at > latest_now.saturating_add(max_lifetime) {
        return Err(TokenError::ExpiryTooFarAhead);
    }
    if issued_at > latest_now {
        return Err(TokenError::IssuedInTheFuture);
    }
    if expires_at <= issued_at {
        return Err(TokenError::ExpiryBeforeIssue);
    }
    if expires_at.saturating_sub(issued_at) > max_lifetime {
        return Err(TokenError::LifetimeTooLong);
    }
    let let_through_until = expires_at.saturating_add(LEEWAY_SECONDS).saturating_add(seconds(past_expiry));
    if now >= let_through_until {
        return Err(TokenError::Expired);
    }
    Ok(())
}

/// Whole seconds; what is too much for the type is as good as for ever.
fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
