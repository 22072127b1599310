//! Browsers that click: each asks for a token and has it presented, by several attempts at once, at both processes,
//! now or after the next failovers.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use gatepass_core::HandoffId;
use reqwest::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

use crate::ledger::{Attempt, Ledger};
use crate::rules::{Asked, Conditions, Outages};
use crate::wire::{Answer, Wire};
use crate::world::World;
use gatepass_tests::dice::Dice;

/// How many tokens are held back at most.
const HELD: usize = 2000;

/// All that clients and the conductor share.
#[derive(Debug)]
pub struct Traffic {
    pub ledger: Ledger,
    pub outages: Outages,
    /// How often another server became the primary.
    pub promotions: AtomicU64,
    pub wire: Wire,
    pub processes: [String; 2],
    world: RwLock<Arc<World>>,
    held: Mutex<Vec<Held>>,
    /// What is held back is presented now, and again when it is due.
    impatient: AtomicBool,
    stopped: AtomicBool,
}

/// An issued token.
#[derive(Debug)]
struct Token {
    world: Arc<World>,
    id: String,
    text: String,
    subject: String,
    /// When it was asked for.
    from: Instant,
}

/// A token that waits for a failover.
#[derive(Debug)]
struct Held {
    token: Arc<Token>,
    /// Who presented it already.
    attempts: Vec<Attempt>,
    /// The promotion after which it is presented again.
    due: u64,
}

impl Traffic {
    pub fn new(processes: [String; 2], world: World) -> Self {
        Self {
            ledger: Ledger::default(),
            outages: Outages::default(),
            promotions: AtomicU64::new(0),
            wire: Wire::new(),
            processes,
            world: RwLock::new(Arc::new(world)),
            held: Mutex::default(),
            impatient: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        }
    }

    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn move_to(&self, world: World) {
        *self.world.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(world);
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether half of all presentations are of tokens that were issued before, and come again later.
    pub fn set_impatient(&self, impatient: bool) {
        self.impatient.store(impatient, Ordering::Relaxed);
    }

    /// One client, until it is told to stop.
    pub async fn click(self: Arc<Self>, mut dice: Dice) {
        while !self.stopped.load(Ordering::Relaxed) {
            if let Some(held) = self.take_held(&mut dice) {
                self.present(held, &mut dice).await;
            } else if dice.percent(5) {
                self.present_forged(&mut dice).await;
            } else if let Some(token) = self.issue(&mut dice).await {
                self.use_token(token, &mut dice).await;
            } else {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Asks for a token, redeems it, and nothing else: whether the process works.
    pub async fn works(self: &Arc<Self>, process: usize, dice: &mut Dice) -> bool {
        let Some(token) = self.issue_at(process, dice).await else { return false };
        self.redeem(&token, attempt(dice), process, dice).await.is(StatusCode::OK)
    }

    /// Presents everything that is held back.
    pub async fn present_all_held(self: &Arc<Self>, dice: &mut Dice) {
        let all = std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
        for held in all {
            self.present(held, dice).await;
        }
    }

    async fn issue(self: &Arc<Self>, dice: &mut Dice) -> Option<Arc<Token>> {
        let process = dice.below(2);
        self.issue_at(process, dice).await
    }

    async fn issue_at(self: &Arc<Self>, process: usize, dice: &mut Dice) -> Option<Arc<Token>> {
        let (world, subject) = (self.world(), World::any_member(dice));
        let url = format!("{}/v1/sites/{}/handoffs", self.processes[process], world.site);
        let body = json!({ "subject": subject, "client_ip": address(dice) });
        let answer = self.wire.post(&url, &world.key, &body).await;
        let when = self.conditions(&world, &answer, answer.from);
        self.ledger.enter(Asked::Issue, None, &answer, when);
        let text = answer.text("login_url").split_once("#token=")?.1.to_owned();
        let (id, from) = (answer.text("id").to_owned(), answer.from);
        Some(Arc::new(Token { world, id, text, subject, from }))
    }

    /// Of ten tokens, seven are raced for at once, one is shown by one after the other, two wait.
    async fn use_token(self: &Arc<Self>, token: Arc<Token>, dice: &mut Dice) {
        let (one, two, process) = (attempt(dice), attempt(dice), dice.below(2));
        let attempts = match dice.below(10) {
            0..7 => {
                let racers = [(one, process), (two, 1 - process), (one, 1 - process)];
                let answers = self.race(&token, &racers, dice).await;
                self.expect_a_winner(&token, &answers);
                vec![one, two]
            }
            7 => {
                let first = self.redeem(&token, one, process, dice).await;
                self.redeem(&token, two, 1 - process, dice).await;
                self.redeem(&token, one, 1 - process, dice).await;
                self.expect_a_winner(&token, &[first]);
                vec![one, two]
            }
            _ => Vec::new(),
        };
        if attempts.is_empty() || dice.percent(25) {
            self.hold(token, attempts, dice);
        }
    }

    /// In calm somebody must be let in.
    fn expect_a_winner(&self, token: &Token, answers: &[Answer]) {
        let Some(to) = answers.iter().map(|answer| answer.to).max() else { return };
        let calm = !token.world.is_lost() && !self.outages.overlap(token.from, to);
        if calm && !answers.iter().any(|answer| answer.is(StatusCode::OK)) {
            self.ledger.fault(format!("{} let nobody in, though all is well: {answers:?}", token.id));
        }
    }

    /// Several at once.
    async fn race(
        self: &Arc<Self>,
        token: &Arc<Token>,
        racers: &[(Attempt, usize)],
        dice: &mut Dice,
    ) -> Vec<Answer> {
        let mut race = JoinSet::new();
        for (attempt, process) in racers.iter().copied() {
            let (this, token, mut dice) = (Arc::clone(self), Arc::clone(token), Dice::new(dice.roll()));
            race.spawn(async move { this.redeem(&token, attempt, process, &mut dice).await });
        }
        race.join_all().await
    }

    async fn redeem(&self, token: &Token, attempt: Attempt, process: usize, dice: &mut Dice) -> Answer {
        let answer = self.post_redemption(&token.world, &token.text, attempt, process, dice).await;
        let when = self.conditions(&token.world, &answer, token.from);
        self.ledger.enter(Asked::Redeem, Some((&token.id, attempt)), &answer, when);
        if answer.is(StatusCode::OK) && answer.text("subject") != token.subject {
            self.ledger.fault(format!("{} let {} in", token.id, answer.text("subject")));
        }
        answer
    }

    /// Presents what was never issued, though the right key signed it: under an id of its own, or under that of a
    /// token that was issued.
    async fn present_forged(&self, dice: &mut Dice) {
        let world = self.world();
        let Ok(mut claims) = world.forge.claims(&World::any_member(dice)) else { return };
        let stolen = self.any_held_id(dice).filter(|_| dice.percent(50));
        if let Some(id) = stolen {
            claims.id = id.uuid();
        }
        let (text, process) = (world.forge.token(&claims), dice.below(2));
        let answer = self.post_redemption(&world, &text, attempt(dice), process, dice).await;
        let when = self.conditions(&world, &answer, answer.from);
        let asked = if stolen.is_some() { Asked::RedeemForgedId } else { Asked::RedeemForged };
        self.ledger.enter(asked, None, &answer, when);
    }

    async fn post_redemption(
        &self,
        world: &World,
        token: &str,
        attempt: Attempt,
        process: usize,
        dice: &mut Dice,
    ) -> Answer {
        let body = json!({
            "token": token,
            "attempt": BASE64URL_NOPAD.encode(&attempt),
            "client_ip": address(dice),
            "user_agent": "failover",
        });
        let url = format!("{}/wp/v1/redemptions", self.processes[process]);
        self.wire.post(&url, &world.proof(), &body).await
    }

    fn conditions(&self, world: &World, answer: &Answer, issued_from: Instant) -> Conditions {
        Conditions {
            outage: self.outages.overlap(answer.from, answer.to),
            outage_since_issue: self.outages.overlap(issued_from, answer.to),
            any_lost: World::any_lost(),
            lost: world.is_lost(),
            age: issued_from.elapsed(),
        }
    }

    /// Keeps a token for after the next promotion, or the one after that; when there is no room, instead of another.
    fn hold(&self, token: Arc<Token>, attempts: Vec<Attempt>, dice: &mut Dice) {
        let due = self.promotions.load(Ordering::Relaxed) + 1 + u64::from(dice.percent(40));
        let held = Held { token, attempts, due };
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < HELD {
            all.push(held);
        } else {
            all[dice.below(HELD)] = held;
        }
    }

    /// One that is due; now and then one that is not.
    fn take_held(&self, dice: &mut Dice) -> Option<Held> {
        let promotions = self.promotions.load(Ordering::Relaxed);
        let any = dice.percent(if self.impatient.load(Ordering::Relaxed) { 50 } else { 5 });
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if any && !all.is_empty() {
            let index = dice.below(all.len());
            return Some(all.swap_remove(index));
        }
        let index = all.iter().position(|held| held.due <= promotions)?;
        Some(all.swap_remove(index))
    }

    fn any_held_id(&self, dice: &mut Dice) -> Option<HandoffId> {
        let all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = all.get(dice.below(all.len()))?;
        held.token.id.parse().ok()
    }

    /// By whoever presented it before, and by somebody else, at once. Whose answer is lost comes again later, and so
    /// does a token that was not due yet.
    async fn present(self: &Arc<Self>, mut held: Held, dice: &mut Dice) {
        let stranger = attempt(dice);
        let mut racers: Vec<_> = held.attempts.iter().take(2).map(|old| (*old, dice.below(2))).collect();
        racers.push((stranger, dice.below(2)));
        dice.shuffle(&mut racers);
        let answers = self.race(&held.token, &racers, dice).await;
        let unheard = answers.iter().any(|answer| answer.is(StatusCode::SERVICE_UNAVAILABLE));
        if unheard || held.due > self.promotions.load(Ordering::Relaxed) {
            // The first two are those that come again.
            held.attempts.insert(if unheard { 0 } else { held.attempts.len() }, stranger);
            self.hold(held.token, held.attempts, dice);
        }
    }
}

fn attempt(dice: &mut Dice) -> Attempt {
    ((u128::from(dice.roll()) << 64) | u128::from(dice.roll())).to_be_bytes()
}

/// Any address: customers are many.
fn address(dice: &mut Dice) -> Ipv4Addr {
    let [_, b, c, d, ..] = dice.roll().to_be_bytes();
    Ipv4Addr::new(10, b, c, d)
}
