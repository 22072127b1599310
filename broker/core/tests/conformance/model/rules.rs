//! What must come of every step, in few lines. A token may have more than one possible life: what was cut off
//! happened or did not, until the store says which.

use gatepass_core::Timestamp;
use gatepass_core::handoff::Handoff;
use gatepass_core::handoff::{ATTEMPT_WINDOW, Issuance, Refusal};

use super::steps::Racer;
use crate::stage::{Came, Ticket};

/// Where a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It was never issued.
    Absent,
    Unspent,
    /// Then, by this attempt.
    Spent(Timestamp, u8),
}

/// What is true of a token.
pub struct Token {
    pub ticket: Ticket,
    pub subject: usize,
    pub key: usize,
    pub primary: u32,
    pub revoked: bool,
    /// Where it may stand, as far as is known: at least one.
    pub lives: Vec<Life>,
}

/// What is true of the site.
#[derive(Default)]
pub struct Model {
    pub primary: u32,
    pub not_before: Option<Timestamp>,
    /// Until when each member may come in, and up to when their tokens are void.
    pub members: [Option<(Option<Timestamp>, Option<Timestamp>)>; 2],
    pub revoked_keys: [bool; 2],
    pub tokens: Vec<Token>,
}

impl Model {
    fn may_come_in(&self, subject: usize, now: Timestamp) -> bool {
        self.members[subject].is_some_and(|(until, _)| until.is_some_and(|until| now < until))
    }

    pub fn issue(&self, subject: usize, key: usize, now: Timestamp) -> Issuance {
        if self.revoked_keys[key] {
            return Issuance::KeyRevoked;
        }
        match self.members[subject] {
            None => Issuance::MemberNotFound,
            Some(_) if self.may_come_in(subject, now) => Issuance::Issued,
            Some(_) => Issuance::MembershipInactive,
        }
    }

    /// The order of outcomes, once more, from design's words.
    fn redeem(&self, token: &Token, life: Life, by: Racer, forged: bool, now: Timestamp) -> Came {
        let issued_at = token.ticket.handoff.issued_at;
        let void = |limit: Option<Timestamp>| limit.is_some_and(|limit| issued_at <= limit);
        let revoked = token.revoked
            || self.revoked_keys[token.key]
            || void(self.not_before)
            || void(self.members[token.subject].and_then(|(_, not_before)| not_before));
        let repeats = match life {
            Life::Absent => return Came::Refused(Refusal::NoRecord),
            Life::Unspent => None,
            Life::Spent(at, attempt) => Some(attempt == by.attempt && at.age_at(now) < ATTEMPT_WINDOW),
        };
        let active = self.may_come_in(token.subject, now);
        let bound = token.ticket.handoff.binding.as_deref();
        let refusal = match (forged, token.primary == self.primary, repeats) {
            (true, _, _) => Some(Refusal::Mismatch),
            (_, false, _) => Some(Refusal::Superseded),
            (_, _, Some(false)) => Some(Refusal::Used),
            _ if revoked => Some(Refusal::Revoked),
            (_, _, None) if now >= token.ticket.handoff.redeemable_until() => Some(Refusal::Expired),
            _ if !active => Some(Refusal::MembershipInactive),
            (_, _, None) if bound.is_some() && bound != by.cookie.map(cookie_hash).as_deref() => {
                Some(Refusal::BindingMismatch)
            }
            _ => None,
        };
        match refusal {
            Some(refusal) => Came::Refused(refusal),
            None if by.previews => Came::Previewed,
            None if repeats == Some(true) => Came::Repeated,
            None => Came::Redeemed,
        }
    }

    /// Where a token may stand after these came, in whatever order they were decided; nowhere, if no order explains
    /// them all.
    pub fn explain(&self, token: usize, raced: &[(Racer, Came)], forged: bool, now: Timestamp) -> Vec<Life> {
        let token = &self.tokens[token];
        let mut ends = Vec::new();
        for life in &token.lives {
            self.orders(token, *life, raced, forged, now, &mut ends);
        }
        ends
    }

    fn orders(
        &self,
        token: &Token,
        life: Life,
        left: &[(Racer, Came)],
        forged: bool,
        now: Timestamp,
        ends: &mut Vec<Life>,
    ) {
        if left.is_empty() && !ends.contains(&life) {
            ends.push(life);
        }
        for (index, (by, came)) in left.iter().enumerate() {
            if self.redeem(token, life, *by, forged, now) == *came {
                let rest = [&left[..index], &left[index + 1..]].concat();
                self.orders(token, after(life, *came, *by, now), &rest, forged, now, ends);
            }
        }
    }

    /// Where a token may stand after a redemption whose answer nobody heard.
    pub fn redeemed_or_not(&self, token: usize, by: Racer, forged: bool, now: Timestamp) -> Vec<Life> {
        let token = &self.tokens[token];
        let happened = |life: &Life| after(*life, self.redeem(token, *life, by, forged, now), by, now);
        let mut lives = token.lives.clone();
        for life in token.lives.iter().map(happened) {
            if !lives.contains(&life) {
                lives.push(life);
            }
        }
        lives
    }
}

impl Life {
    /// Whether a store that holds this shows that.
    pub fn shows_as(self, found: Option<&Handoff>) -> bool {
        match (self, found) {
            (Self::Absent, None) => true,
            (Self::Absent, Some(_)) | (_, None) => false,
            (Self::Unspent, Some(found)) => found.redeemed_at.is_none(),
            (Self::Spent(at, _), Some(found)) => found.redeemed_at == Some(at),
        }
    }
}

fn after(life: Life, came: Came, by: Racer, now: Timestamp) -> Life {
    if came == Came::Redeemed { Life::Spent(now, by.attempt) } else { life }
}

pub fn cookie_hash(number: u8) -> String {
    format!("cookie-{number}")
}
