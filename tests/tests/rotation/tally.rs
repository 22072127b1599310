//! What came of the clicks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts what worked, and keeps what did not.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    done: BTreeMap<&'static str, u64>,
    keys: BTreeSet<String>,
    faults: Vec<String>,
}

impl Tally {
    /// Something worked.
    pub fn done(&self, what: &'static str) {
        *self.counts().done.entry(what).or_default() += 1;
    }

    /// A token by this key let somebody in.
    pub fn opened_by(&self, kid: String) {
        self.counts().keys.insert(kid);
    }

    /// Something did not work.
    pub fn failed(&self, fault: String) {
        self.counts().faults.push(fault);
    }

    pub fn faults(&self) -> Vec<String> {
        self.counts().faults.clone()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts();
        for (what, count) in &counts.done {
            writeln!(f, "{what:<32} {count:>8}")?;
        }
        writeln!(f, "{:<32} {:>8}", "keys whose tokens let in", counts.keys.len())?;
        write!(f, "{:<32} {:>8}", "failures", counts.faults.len())
    }
}
