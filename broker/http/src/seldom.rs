//! Lines of the log that a flood would repeat with every request.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often one line may be written.
const PAUSE: Duration = Duration::from_secs(10);
/// How many lines are told apart; more count as the last of them.
const LINES: usize = 16;

/// Lines that say much the same.
#[derive(Debug)]
pub(crate) struct Seldom(Mutex<Vec<Line>>);

#[derive(Debug)]
struct Line {
    text: String,
    told: Option<Instant>,
    silent: u64,
}

impl Seldom {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Tells, or counts, the line that says `text`. `tell` is given how many were only counted since the last one.
    pub(crate) fn tell(&self, text: &str, tell: impl FnOnce(u64)) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !lines.iter().any(|line| line.text == text) && lines.len() < LINES {
            lines.push(Line { text: text.to_owned(), told: None, silent: 0 });
        }
        let place = lines.iter().position(|line| line.text == text).unwrap_or(LINES - 1);
        let Some(line) = lines.get_mut(place) else { return };
        if line.told.is_some_and(|told| told.elapsed() < PAUSE) {
            line.silent += 1;
        } else {
            line.told = Some(Instant::now());
            tell(std::mem::take(&mut line.silent));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_of_each_kind() {
        let seldom = Seldom::new();
        let mut told = Vec::new();
        (0..100).for_each(|_| seldom.tell("a", |others| told.push(others)));
        seldom.tell("b", |others| told.push(others));
        assert_eq!(told, [0, 0]);
        // As if ten seconds had passed.
        seldom.0.lock().unwrap().iter_mut().for_each(|line| line.told = None);
        seldom.tell("a", |others| told.push(others));
        assert_eq!(told, [0, 0, 99]);
    }

    #[test]
    fn ever_new_words_are_no_way_to_flood_it() {
        let seldom = Seldom::new();
        let mut told = 0;
        (0..1000).for_each(|n| seldom.tell(&n.to_string(), |_| told += 1));
        assert_eq!(told, LINES);
    }
}
