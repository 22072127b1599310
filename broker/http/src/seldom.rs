//! A line of the log that a flood would repeat with every request.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the line may be written.
const PAUSE: Duration = Duration::from_secs(10);

/// One such line.
#[derive(Debug)]
pub(crate) struct Seldom(Mutex<(Option<Instant>, u64)>);

impl Seldom {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new((None, 0)))
    }

    /// Tells, or counts. `tell` is given how many were only counted since the last one.
    pub(crate) fn tell(&self, tell: impl FnOnce(u64)) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, silent) = &mut *state;
        if last.is_some_and(|last| last.elapsed() < PAUSE) {
            *silent += 1;
        } else {
            *last = Some(Instant::now());
            tell(std::mem::take(silent));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line() {
        let seldom = Seldom::new();
        let mut told = Vec::new();
        (0..100).for_each(|_| seldom.tell(|others| told.push(others)));
        assert_eq!(told, [0]);
        // As if ten seconds had passed.
        seldom.0.lock().unwrap().0 = None;
        seldom.tell(|others| told.push(others));
        assert_eq!(told, [0, 99]);
    }
}
