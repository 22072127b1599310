//! Everything that can happen, and how often.

use gatepass_core::member::Status;
use proptest::prelude::*;

/// One step.
#[derive(Debug, Clone)]
pub enum Step {
    /// Time goes on, by milliseconds.
    Wait(u32),
    /// The panel says where a subscription stands, and for how many milliseconds from now.
    Put {
        subject: usize,
        status: Status,
        valid: Option<u32>,
    },
    Issue(Issuing),
    Redeem(Redeeming),
    /// Several present one token at once, by turns at either handle.
    Race {
        token: usize,
        racers: Vec<Racer>,
    },
    /// Something is cut off in mid-step. Whether it happened is for the store to tell.
    Crash {
        doing: Doing,
        cut: Cut,
    },
    /// The panel reads what became of a token.
    Look {
        token: usize,
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

#[derive(Debug, Clone)]
pub struct Issuing {
    pub subject: usize,
    pub key: usize,
    pub binding: Option<u8>,
}

/// Of the tokens so far, this one (counted round).
#[derive(Debug, Clone)]
pub struct Redeeming {
    pub token: usize,
    pub by: Racer,
    pub forged: bool,
}

/// An attempt, from a browser with this cookie; or a preview of it.
#[derive(Debug, Clone, Copy)]
pub struct Racer {
    pub attempt: u8,
    pub cookie: Option<u8>,
    pub previews: bool,
}

/// What is cut off.
#[derive(Debug, Clone)]
pub enum Doing {
    Issue(Issuing),
    Redeem(Redeeming),
}

/// How it is cut off, and after about how many microseconds: many moments are to be met.
#[derive(Debug, Clone, Copy)]
pub enum Cut {
    /// Whoever asked is gone; Redis closes every connection.
    Asker(u16),
    /// Redis is killed and started again on its append-only file; `SQLite` is opened again.
    Store(u16),
}

fn racer() -> impl Strategy<Value = Racer> {
    (0..3_u8, cookie(), proptest::bool::weighted(0.3)).prop_map(|(attempt, cookie, previews)| Racer {
        attempt,
        cookie,
        previews,
    })
}

fn cookie() -> impl Strategy<Value = Option<u8>> {
    proptest::option::weighted(0.3, 0..2_u8)
}

fn issuing() -> impl Strategy<Value = Issuing> {
    (0..2_usize, 0..2_usize, cookie()).prop_map(|(subject, key, binding)| Issuing { subject, key, binding })
}

fn redeeming() -> impl Strategy<Value = Redeeming> {
    (any::<usize>(), racer(), proptest::bool::weighted(0.1)).prop_map(|(token, by, forged)| Redeeming {
        token,
        by,
        forged,
    })
}

fn crash() -> impl Strategy<Value = Step> {
    let doing = prop_oneof![1 => issuing().prop_map(Doing::Issue), 3 => redeeming().prop_map(Doing::Redeem)];
    let cut = prop_oneof![3 => (0..3000_u16).prop_map(Cut::Asker), 1 => (0..3000_u16).prop_map(Cut::Store)];
    (doing, cut).prop_map(|(doing, cut)| Step::Crash { doing, cut })
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let subject = 0..2_usize;
    let status = prop_oneof![
        4 => Just(Status::Active), 1 => Just(Status::Trialing), 1 => Just(Status::PastDue), 1 => Just(Status::Canceled),
    ];
    let step = prop_oneof![
        4 => prop_oneof![1..2000_u32, 1..80_000_u32, Just(15_000), Just(65_000)].prop_map(Step::Wait),
        4 => (subject.clone(), status, proptest::option::weighted(0.2, 1..90_000_u32))
            .prop_map(|(subject, status, valid)| Step::Put { subject, status, valid }),
        6 => issuing().prop_map(Step::Issue),
        10 => redeeming().prop_map(Step::Redeem),
        4 => (any::<usize>(), proptest::collection::vec(racer(), 2..6))
            .prop_map(|(token, racers)| Step::Race { token, racers }),
        4 => crash(),
        1 => any::<usize>().prop_map(|token| Step::Look { token }),
        1 => any::<usize>().prop_map(|token| Step::RevokeHandoff { token }),
        1 => subject.prop_map(|subject| Step::RevokeSubject { subject }),
        1 => (0..2_usize).prop_map(|key| Step::RevokeKey { key }),
        1 => Just(Step::PairAgain),
        1 => Just(Step::ChangePrimary),
    ];
    proptest::collection::vec(step, 1..60)
}
