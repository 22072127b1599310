//! The life of a token as a model: a few lines that say what must come of every step, and stores that must agree
//! with it whatever the order of steps. A failing order is shrunk to the shortest one that still fails.

use gatepass_core::handoff::{ATTEMPT_WINDOW, Issuance, Refusal};
use gatepass_core::member::{Membership, Status};
use gatepass_core::pairing::Pairing;
use gatepass_core::{SiteId, Timestamp};
use gatepass_keys::SigningKey;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::pairing::{proven, put_code};
use crate::stage::{Came, Stage, T0, Ticket, attempt, context, new_site, wanted};

/// One step.
#[derive(Debug, Clone)]
enum Step {
    /// Time goes on, by milliseconds.
    Wait(u32),
    /// The panel says where a subscription stands, and for how many milliseconds from now.
    Put {
        subject: usize,
        status: Status,
        valid: Option<u32>,
    },
    Issue {
        subject: usize,
        key: usize,
        binding: Option<u8>,
    },
    /// Of the tokens so far, this one (counted round), by this attempt, from a browser with this cookie.
    Redeem {
        token: usize,
        attempt: u8,
        cookie: Option<u8>,
        forged: bool,
    },
    RevokeHandoff {
        token: usize,
    },
    RevokeSubject {
        subject: usize,
    },
    RevokeKey {
        key: usize,
    },
    PairAgain,
    /// A failover, or a restart: all data there, another primary.
    ChangePrimary,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let subject = 0..2_usize;
    let cookie = || proptest::option::weighted(0.3, 0..2_u8);
    let status = prop_oneof![
        4 => Just(Status::Active), 1 => Just(Status::Trialing), 1 => Just(Status::PastDue), 1 => Just(Status::Canceled),
    ];
    let step = prop_oneof![
        4 => prop_oneof![1..2000_u32, 1..80_000_u32, Just(15_000), Just(65_000)].prop_map(Step::Wait),
        4 => (subject.clone(), status, proptest::option::weighted(0.2, 1..90_000_u32))
            .prop_map(|(subject, status, valid)| Step::Put { subject, status, valid }),
        6 => (subject.clone(), 0..2_usize, cookie())
            .prop_map(|(subject, key, binding)| Step::Issue { subject, key, binding }),
        12 => (any::<usize>(), 0..3_u8, cookie(), proptest::bool::weighted(0.1))
            .prop_map(|(token, attempt, cookie, forged)| Step::Redeem { token, attempt, cookie, forged }),
        1 => any::<usize>().prop_map(|token| Step::RevokeHandoff { token }),
        1 => subject.prop_map(|subject| Step::RevokeSubject { subject }),
        1 => (0..2_usize).prop_map(|key| Step::RevokeKey { key }),
        1 => Just(Step::PairAgain),
        1 => Just(Step::ChangePrimary),
    ];
    proptest::collection::vec(step, 1..60)
}

/// What is true of a token.
struct Token {
    ticket: Ticket,
    subject: usize,
    key: usize,
    primary: u32,
    revoked: bool,
    spent: Option<(Timestamp, u8)>,
}

/// What is true of the site.
#[derive(Default)]
struct Model {
    primary: u32,
    not_before: Option<Timestamp>,
    /// Until when each member may come in, and up to when their tokens are void.
    members: [Option<(Option<Timestamp>, Option<Timestamp>)>; 2],
    revoked_keys: [bool; 2],
    tokens: Vec<Token>,
}

impl Model {
    fn may_come_in(&self, subject: usize, now: Timestamp) -> bool {
        self.members[subject].is_some_and(|(until, _)| until.is_some_and(|until| now < until))
    }

    /// The order of outcomes, once more, from design's words.
    fn redeem(&mut self, token: usize, by: u8, cookie: Option<u8>, forged: bool, now: Timestamp) -> Came {
        let token = &self.tokens[token];
        let issued_at = token.ticket.handoff.issued_at;
        let void = |limit: Option<Timestamp>| limit.is_some_and(|limit| issued_at <= limit);
        let revoked = token.revoked
            || self.revoked_keys[token.key]
            || void(self.not_before)
            || void(self.members[token.subject].and_then(|(_, not_before)| not_before));
        let repeats = token.spent.map(|(at, attempt)| attempt == by && at.age_at(now) < ATTEMPT_WINDOW);
        let active = self.may_come_in(token.subject, now);
        let bound = token.ticket.handoff.binding.as_deref();
        let refusal = match (forged, token.primary == self.primary, repeats) {
            (true, _, _) => Some(Refusal::Mismatch),
            (_, false, _) => Some(Refusal::Superseded),
            (_, _, Some(false)) => Some(Refusal::Used),
            _ if revoked => Some(Refusal::Revoked),
            (_, _, None) if now >= token.ticket.handoff.redeemable_until() => Some(Refusal::Expired),
            _ if !active => Some(Refusal::MembershipInactive),
            (_, _, None) if bound.is_some() && bound != cookie.map(cookie_hash).as_deref() => {
                Some(Refusal::BindingMismatch)
            }
            _ => None,
        };
        match refusal {
            Some(refusal) => Came::Refused(refusal),
            None if repeats == Some(true) => Came::Repeated,
            None => Came::Redeemed,
        }
    }
}

fn cookie_hash(number: u8) -> String {
    format!("cookie-{number}")
}

fn subject(number: usize) -> String {
    format!("cust-{number}")
}

async fn play(stage: &Stage, site: SiteId, steps: &[Step]) -> Result<(), TestCaseError> {
    let (mut model, mut now, store) = (Model::default(), T0, &stage.store);
    let keys = [SigningKey::generate([21; 32]), SigningKey::generate([22; 32])];
    let by = context();
    for (index, step) in steps.iter().enumerate() {
        match step.clone() {
            Step::Wait(millis) => now = now.plus(std::time::Duration::from_millis(u64::from(millis))),
            Step::Put { subject: number, status, valid } => {
                let until = valid.map(|millis| now.plus(std::time::Duration::from_millis(u64::from(millis))));
                let mut member = wanted(status);
                member.membership = Membership {
                    status,
                    plan: None,
                    valid_until: until,
                    grace_until: Some(T0.plus(ATTEMPT_WINDOW * 10)),
                };
                let allowed = member.membership.allowed_until();
                store
                    .put_member(site, &subject(number).parse().unwrap(), &member, None, now, &by)
                    .await
                    .unwrap();
                let not_before = model.members[number].and_then(|(_, not_before)| not_before);
                model.members[number] = Some((allowed, not_before));
            }
            Step::Issue { subject: number, key, binding } => {
                let mut ticket = Ticket::for_subject(site, &subject(number), now);
                ticket.handoff.kid = keys[key].kid().clone();
                ticket.presented.kid = keys[key].kid().clone();
                ticket.handoff.binding = binding.map(cookie_hash);
                let expected = match model.members[number] {
                    None => Issuance::MemberNotFound,
                    Some(_) if model.may_come_in(number, now) => Issuance::Issued,
                    Some(_) => Issuance::MembershipInactive,
                };
                let issued = store.issue(site, &ticket.handoff, &by).await.unwrap();
                prop_assert_eq!(issued, expected, "step {}: {:?}", index, step);
                if issued == Issuance::Issued {
                    let primary = model.primary;
                    model.tokens.push(Token {
                        ticket,
                        subject: number,
                        key,
                        primary,
                        revoked: false,
                        spent: None,
                    });
                }
            }
            Step::Redeem { token, attempt: number, cookie, forged } if !model.tokens.is_empty() => {
                let token = token % model.tokens.len();
                let mut presented = model.tokens[token].ticket.clone();
                presented.presented.attempt_hash = attempt(number);
                presented.presented.binding = cookie.map(cookie_hash);
                if forged {
                    presented.presented.token_hash = Ticket::new(site).presented.token_hash;
                }
                let expected = model.redeem(token, number, cookie, forged, now);
                let came = stage.redeem(&presented, now).await;
                prop_assert_eq!(came, expected, "step {}: {:?} at {}", index, step, now);
                if came == Came::Redeemed {
                    let token = &mut model.tokens[token];
                    prop_assert!(token.spent.is_none(), "step {}: redeemed twice", index);
                    token.spent = Some((now, number));
                }
            }
            Step::RevokeHandoff { token } if !model.tokens.is_empty() => {
                let token = token % model.tokens.len();
                let token = &mut model.tokens[token];
                store.revoke_handoff(site, token.ticket.handoff.id, now, &by).await.unwrap();
                token.revoked |= token.spent.is_none();
            }
            Step::Redeem { .. } | Step::RevokeHandoff { .. } => {}
            Step::RevokeSubject { subject: number } => {
                let known =
                    store.revoke_subject(site, &subject(number).parse().unwrap(), now, &by).await.unwrap();
                prop_assert_eq!(known, model.members[number].is_some());
                if let Some((_, not_before)) = &mut model.members[number] {
                    *not_before = Some(now);
                }
            }
            Step::RevokeKey { key } => {
                store.revoke_key(site, keys[key].kid(), now).await.unwrap();
                model.revoked_keys[key] = true;
            }
            Step::PairAgain => {
                put_code(stage, site, "again", true, now).await;
                let paired = store.pair(site, &proven("again", 1), now, &by).await.unwrap();
                prop_assert!(matches!(paired, Pairing::Paired(_)));
                model.not_before = Some(now);
            }
            Step::ChangePrimary => {
                stage.change_primary();
                model.primary += 1;
            }
        }
    }
    Ok(())
}

fn follows_the_model(stage: impl AsyncFnOnce() -> Stage) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let stage = runtime.block_on(stage());
    let cases = if std::env::var_os("GATEPASS_TEST_LONG").is_some() { 5000 } else { 100 };
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    let result = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(async {
            let site = new_site("default", "https://example.com");
            stage.store.create_site(&site, T0, &context()).await.unwrap();
            let outcome = play(&stage, site.id, &steps).await;
            stage.store.remove_site(site.id).await.unwrap();
            outcome
        })
    });
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
    follows_the_model(async || Stage::redis().await);
}
