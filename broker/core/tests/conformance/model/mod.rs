//! The life of a token as a model: a few lines that say what must come of every step, and stores that must agree
//! with it whatever the order of steps, races and crashes among them. A failing order is shrunk to the shortest one
//! that still fails.

mod cut;
mod rules;
mod steps;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gatepass_core::handoff::{ATTEMPT_WINDOW, Issuance, Revocation};
use gatepass_core::member::Membership;
use gatepass_core::pairing::Pairing;
use gatepass_core::{SiteId, StoreError, Timestamp};
use gatepass_keys::SigningKey;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::task::JoinSet;

use self::cut::cut_off;
use self::rules::{Life, Model, Token, cookie_hash};
use self::steps::{Cut, Doing, Issuing, Racer, Redeeming, Step, steps};
use crate::pairing::{proven, put_code};
use crate::stage::{Came, Stage, T0, Ticket, attempt, came, context, new_site, wanted};

type Outcome = Result<(), TestCaseError>;

/// One case: a site, and what is true of it.
struct Play<'a> {
    stage: &'a mut Stage,
    site: SiteId,
    keys: [SigningKey; 2],
    model: Model,
    now: Timestamp,
}

fn subject(number: usize) -> String {
    format!("cust-{number}")
}

impl Play<'_> {
    async fn step(&mut self, step: Step) -> Outcome {
        let (site, now, by, store) = (self.site, self.now, context(), Arc::clone(&self.stage.store));
        match step {
            Step::Wait(millis) => self.now = after(now, millis),
            Step::Put { subject: number, status, valid } => {
                let mut member = wanted(status);
                member.membership = Membership {
                    status,
                    plan: None,
                    valid_until: valid.map(|millis| after(now, millis)),
                    grace_until: Some(T0.plus(ATTEMPT_WINDOW * 10)),
                };
                let allowed = member.membership.allowed_until();
                store
                    .put_member(site, &subject(number).parse().unwrap(), &member, None, now, &by)
                    .await
                    .unwrap();
                let not_before = self.model.members[number].and_then(|(_, not_before)| not_before);
                self.model.members[number] = Some((allowed, not_before));
            }
            Step::Issue(issuing) => {
                let ticket = self.ticket(&issuing);
                let issued = store.issue(site, &ticket.handoff, &by).await.unwrap();
                self.issued(&issuing, ticket, Some(issued))?;
            }
            Step::Redeem(redeeming) => {
                if let Some((token, presented)) = self.presented(&redeeming) {
                    let came = self.stage.redeem(&presented, now).await;
                    self.came(token, &[(redeeming.by, came)], redeeming.forged)?;
                }
            }
            Step::Race { token, racers } => self.race(token, &racers).await?,
            Step::Crash { doing: Doing::Issue(issuing), cut } => {
                let ticket = self.ticket(&issuing);
                let handoff = ticket.handoff.clone();
                let doing = async move { store.issue(site, &handoff, &by).await };
                let issued = cut_off(self.stage, doing, cut).await;
                self.issued(&issuing, ticket, issued)?;
                self.after_crash(cut).await?;
            }
            Step::Crash { doing: Doing::Redeem(redeeming), cut } => {
                let Some((token, presented)) = self.presented(&redeeming) else { return Ok(()) };
                let doing = async move { store.redeem(site, &presented.presented, now, &by).await };
                let answer = cut_off(self.stage, doing, cut).await;
                let (racer, forged) = (redeeming.by, redeeming.forged);
                match answer {
                    Some(answer) => self.came(token, &[(racer, came(answer))], forged)?,
                    None => {
                        self.model.tokens[token].lives =
                            self.model.redeemed_or_not(token, racer, forged, now);
                    }
                }
                self.after_crash(cut).await?;
            }
            Step::Look { token } => {
                if let Some(token) = self.token(token) {
                    self.look(token).await?;
                }
            }
            Step::RevokeHandoff { token } => {
                if let Some(token) = self.token(token) {
                    let token = &mut self.model.tokens[token];
                    let answer = store.revoke_handoff(site, token.ticket.handoff.id, now, &by).await.unwrap();
                    let (found, revoked) = match answer {
                        Revocation::Revoked(found) => (Some(found), true),
                        Revocation::AlreadyRedeemed(found) => (Some(found), false),
                        Revocation::NotFound => (None, false),
                    };
                    token.lives.retain(|life| life.shows_as(found.as_ref()));
                    prop_assert!(!token.lives.is_empty(), "revoking answered {:?}", found);
                    token.revoked |= revoked;
                }
            }
            Step::RevokeSubject { subject: number } => {
                let known =
                    store.revoke_subject(site, &subject(number).parse().unwrap(), now, &by).await.unwrap();
                prop_assert_eq!(known, self.model.members[number].is_some());
                if let Some((_, not_before)) = &mut self.model.members[number] {
                    *not_before = Some(now);
                }
            }
            Step::RevokeKey { key } => {
                store.revoke_key(site, self.keys[key].kid(), now, &by).await.unwrap();
                self.model.revoked_keys[key] = true;
            }
            Step::PairAgain => {
                put_code(&*store, site, "again", true, now).await;
                let paired = store.pair(site, &proven("again", 1), now, &by).await.unwrap();
                prop_assert!(matches!(paired, Pairing::Paired(_)));
                self.model.not_before = Some(now);
            }
            Step::ChangePrimary => {
                self.stage.change_primary();
                self.model.primary += 1;
            }
        }
        Ok(())
    }

    fn token(&self, number: usize) -> Option<usize> {
        number.checked_rem(self.model.tokens.len())
    }

    fn ticket(&self, issuing: &Issuing) -> Ticket {
        let mut ticket = Ticket::for_subject(self.site, &subject(issuing.subject), self.now);
        let kid = self.keys[issuing.key].kid();
        (ticket.handoff.kid, ticket.presented.kid) = (kid.clone(), kid.clone());
        ticket.handoff.binding = issuing.binding.map(cookie_hash);
        ticket
    }

    /// Enters a token that was issued, or that may have been.
    fn issued(&mut self, issuing: &Issuing, ticket: Ticket, answer: Option<Issuance>) -> Outcome {
        let expected = self.model.issue(issuing.subject, issuing.key, self.now);
        prop_assert_eq!(answer.unwrap_or(expected), expected);
        if expected == Issuance::Issued {
            let lives =
                if answer.is_some() { vec![Life::Unspent] } else { vec![Life::Absent, Life::Unspent] };
            let (subject, key, primary) = (issuing.subject, issuing.key, self.model.primary);
            self.model.tokens.push(Token { ticket, subject, key, primary, revoked: false, lives });
        }
        Ok(())
    }

    fn presented(&self, redeeming: &Redeeming) -> Option<(usize, Ticket)> {
        let token = self.token(redeeming.token)?;
        let mut ticket = self.by(token, redeeming.by);
        if redeeming.forged {
            ticket.presented.token_hash = Ticket::new(self.site).presented.token_hash;
        }
        Some((token, ticket))
    }

    fn by(&self, token: usize, racer: Racer) -> Ticket {
        let mut ticket = self.model.tokens[token].ticket.clone();
        ticket.presented.attempt_hash = attempt(racer.attempt);
        ticket.presented.binding = racer.cookie.map(cookie_hash);
        if racer.previews { ticket.previewed() } else { ticket }
    }

    /// Compares what came with what may come, and learns from it.
    fn came(&mut self, token: usize, raced: &[(Racer, Came)], forged: bool) -> Outcome {
        let lives = self.model.explain(token, raced, forged, self.now);
        let before = &mut self.model.tokens[token].lives;
        prop_assert!(!lives.is_empty(), "{:?} at {}, and the token was {:?}", raced, self.now, before);
        *before = lives;
        Ok(())
    }

    async fn race(&mut self, token: usize, racers: &[Racer]) -> Outcome {
        let Some(token) = self.token(token) else { return Ok(()) };
        let (site, now, mut race) = (self.site, self.now, JoinSet::new());
        for (index, racer) in racers.iter().enumerate() {
            let store = if index % 2 == 0 { &self.stage.store } else { &self.stage.other };
            let (store, racer, ticket) = (Arc::clone(store), *racer, self.by(token, *racer));
            race.spawn(async move {
                let answer = store.redeem(site, &ticket.presented, now, &context()).await;
                answer.map(|answer| (racer, came(answer)))
            });
        }
        let raced: Result<Vec<_>, StoreError> = race.join_all().await.into_iter().collect();
        let raced = raced.unwrap();
        let winners = raced.iter().filter(|(_, came)| *came == Came::Redeemed).count();
        prop_assert!(winners <= 1, "{} winners of {:?}", winners, raced);
        self.came(token, &raced, false)
    }

    /// Whatever was cut off: no token that was spent is unspent, and none that was there is gone.
    async fn after_crash(&mut self, cut: Cut) -> Outcome {
        self.model.primary += u32::from(cut.changes_primary(self.stage));
        for token in 0..self.model.tokens.len() {
            if self.model.tokens[token].lives.len() == 1 {
                self.look(token).await?;
            }
        }
        Ok(())
    }

    async fn look(&mut self, token: usize) -> Outcome {
        let token = &mut self.model.tokens[token];
        let found = self.stage.store.handoff(self.site, token.ticket.handoff.id).await.unwrap();
        let before = token.lives.clone();
        token.lives.retain(|life| life.shows_as(found.as_ref()));
        prop_assert!(!token.lives.is_empty(), "the token was {:?}, and shows as {:?}", before, found);
        Ok(())
    }
}

fn after(now: Timestamp, millis: u32) -> Timestamp {
    now.plus(Duration::from_millis(u64::from(millis)))
}

async fn play(stage: &mut Stage, steps: Vec<Step>) -> Outcome {
    // An origin of its own: a case that panics leaves its site behind.
    static CASE: AtomicU32 = AtomicU32::new(0);
    let case = CASE.fetch_add(1, Ordering::Relaxed);
    let site = new_site("default", &format!("https://case-{case}.example.com"));
    stage.store.create_site(&site, T0, &context()).await.unwrap();
    let keys = [SigningKey::generate([21; 32]), SigningKey::generate([22; 32])];
    let mut play = Play { stage, site: site.id, keys, model: Model::default(), now: T0 };
    let mut outcome = Ok(());
    for (index, step) in steps.into_iter().enumerate() {
        let what = format!("step {index}: {step:?}");
        outcome = play.step(step).await.map_err(|error| TestCaseError::fail(format!("{what}: {error}")));
        if outcome.is_err() {
            break;
        }
    }
    stage.store.remove_site(site.id, T0, &context()).await.unwrap();
    outcome
}

/// Runs on one thread: a handle has one connection then, and after a crash it is known when it is back. The stores
/// have threads and a process of their own all the same.
fn follows_the_model(stage: impl AsyncFnOnce() -> Stage) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stage = RefCell::new(runtime.block_on(stage()));
    let cases = if std::env::var_os("GATEPASS_TEST_LONG").is_some() { 2500 } else { 100 };
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    let result =
        TestRunner::new(config).run(&steps(), |steps| runtime.block_on(play(&mut stage.borrow_mut(), steps)));
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn sqlite_follows_the_model_of_a_tokens_life() {
    follows_the_model(async || Stage::sqlite().await);
}

#[test]
fn redis_follows_the_model_of_a_tokens_life() {
    let persistent = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];
    follows_the_model(async || Stage::redis_with(&persistent).await);
}
