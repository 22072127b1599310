//! What became of every token, and the verdict.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::StatusCode;

use crate::rules::{Asked, Conditions, allows};
use crate::wire::Answer;

/// A browser's attempt.
pub type Attempt = [u8; 16];

#[derive(Debug, Default)]
pub struct Ledger(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    tokens: HashMap<String, Life>,
    /// How often which answer came: asked, during an outage, status and code.
    answers: BTreeMap<(Asked, bool, String), u64>,
    redeemed: u64,
    double: u64,
    came_back: u64,
    never_issued: u64,
    faults: Vec<String>,
    slowest: Duration,
    last_unavailable: Option<Instant>,
}

#[derive(Debug, Default)]
struct Life {
    let_in: Option<Attempt>,
    /// How often it was spent by a redemption that was no repetition.
    spent: u8,
    /// Somebody was told that it is used.
    called_used: bool,
    /// An attempt whose outcome nobody knows: it may be the one that used it.
    unknown: bool,
}

impl Ledger {
    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters an answer. `token` and `attempt` are those of a redemption.
    pub fn enter(&self, asked: Asked, by: Option<(&str, Attempt)>, answer: &Answer, when: Conditions) {
        let mut book = self.book();
        let line = answer
            .status()
            .map_or("no answer".to_owned(), |status| format!("{} {}", status.as_u16(), answer.text("code")));
        *book.answers.entry((asked, when.outage, line)).or_default() += 1;
        book.slowest = book.slowest.max(answer.to - answer.from);
        if answer.is(StatusCode::SERVICE_UNAVAILABLE) {
            book.last_unavailable = book.last_unavailable.max(Some(answer.to));
        }
        if !allows(asked, answer, when) {
            book.fault(format!("{asked:?} was answered {:?}; {when:?}", answer.what));
        }
        match (asked, by) {
            (Asked::Issue, _) if answer.is(StatusCode::CREATED) => {
                book.tokens.insert(answer.text("id").to_owned(), Life::default());
            }
            (Asked::Redeem, Some((token, attempt))) => book.redemption(token, attempt, answer),
            (Asked::RedeemForged | Asked::RedeemForgedId, _) if answer.is(StatusCode::OK) => {
                book.never_issued += 1;
                book.fault("a token that was never issued let somebody in".to_owned());
            }
            _ => {}
        }
    }

    /// Something that is not as it should be.
    pub fn fault(&self, what: String) {
        self.book().fault(what);
    }

    pub fn tokens(&self) -> u64 {
        self.book().tokens.len() as u64
    }

    pub fn redeemed(&self) -> u64 {
        self.book().redeemed
    }

    /// When the last answer was that the store does not answer.
    pub fn last_unavailable(&self) -> Option<Instant> {
        self.book().last_unavailable
    }

    /// Everything that went wrong.
    pub fn verdict(&self) -> Vec<String> {
        let mut book = self.book();
        let unexplained: Vec<_> = book
            .tokens
            .iter()
            .filter(|(_, life)| life.called_used && life.let_in.is_none() && !life.unknown)
            .map(|(token, _)| format!("{token} was called used, and nobody can have used it"))
            .collect();
        for fault in unexplained {
            book.fault(fault);
        }
        book.faults.clone()
    }

    /// Every answer that came.
    pub fn table(&self) -> String {
        let mut table =
            format!("{:<14} {:<28} {:>10} {:>14}\n", "asked", "answer", "in calm", "during outages");
        let book = self.book();
        let lines: std::collections::BTreeSet<_> =
            book.answers.keys().map(|(asked, _, line)| (*asked, line)).collect();
        for (asked, line) in lines {
            let count =
                |outage| book.answers.get(&(asked, outage, line.clone())).copied().unwrap_or_default();
            let _ = writeln!(
                table,
                "{:<14} {line:<28} {:>10} {:>14}",
                format!("{asked:?}"),
                count(false),
                count(true)
            );
        }
        table
    }

    pub fn summary(&self) -> String {
        let book = self.book();
        let requests: u64 = book.answers.values().sum();
        let forged: u64 = book
            .answers
            .iter()
            .filter(|((asked, ..), _)| *asked == Asked::RedeemForged)
            .map(|(_, n)| n)
            .sum();
        format!(
            "tokens issued                  {:>9}\n\
             tokens redeemed                {:>9}\n\
             requests                       {requests:>9}\n\
             never issued, presented        {forged:>9}\n\
             never issued, redeemed         {:>9}\n\
             double redemptions             {:>9}\n\
             spent tokens that came back    {:>9}\n\
             slowest answer, ms             {:>9}",
            book.tokens.len(),
            book.redeemed,
            book.never_issued,
            book.double,
            book.came_back,
            book.slowest.as_millis(),
        )
    }
}

impl Book {
    fn fault(&mut self, what: String) {
        if self.faults.len() < 10 {
            println!("FAULT: {what}");
        }
        self.faults.push(what);
    }

    fn redemption(&mut self, token: &str, attempt: Attempt, answer: &Answer) {
        let Some(life) = self.tokens.get_mut(token) else { return };
        let repeat = answer.what.as_ref().is_ok_and(|(_, body)| body["repeat"] == true);
        match answer.status() {
            Some(StatusCode::OK) => {
                let other = life.let_in.replace(attempt).filter(|other| *other != attempt);
                life.spent += u8::from(!repeat);
                let spent = life.spent;
                self.redeemed += u64::from(other.is_none() && spent == 1 && !repeat);
                if other.is_some() {
                    self.double += 1;
                    self.fault(format!("DOUBLE REDEMPTION: {token} let two attempts in"));
                }
                if spent > 1 {
                    self.came_back += 1;
                    self.fault(format!("{token} was spent {spent} times"));
                }
                if answer.text("handoff_id") != token {
                    self.fault(format!("{token} was answered as {}", answer.text("handoff_id")));
                }
            }
            Some(StatusCode::GONE) => life.called_used |= answer.text("code") == "handoff_used",
            _ => life.unknown = true,
        }
    }
}
