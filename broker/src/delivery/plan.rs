//! Which site is poked next. No clock, no network: what happens is told to it, and it says what is to be done.
//!
//! A site has at most one poke in flight, and another right after it if something changed meanwhile. Of all places for
//! pokes in flight, sites that do not answer get only a few, so that they never stand in the way of those that do.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use gatepass_core::change::Delivery;
use gatepass_core::{SiteId, Timestamp};

use super::backoff;

/// The most pokes in flight.
pub(super) const MAX_IN_FLIGHT: usize = 64;

/// The most of them to sites that did not answer the one before.
pub(super) const MAX_IN_FLIGHT_FAILING: usize = 16;

/// The most sites that are remembered. Of others the store tells at the next look.
pub(super) const MAX_SITES: usize = 10_000;

/// However often something changes, a site that does not answer is not poked more often than this.
const PAUSE: Duration = Duration::from_secs(1);

/// What is known of the sites that are to be poked.
#[derive(Debug, Default)]
pub(super) struct Plan {
    sites: HashMap<SiteId, Entry>,
    in_flight: usize,
    failing_in_flight: usize,
}

/// What is known of one site.
#[derive(Debug, Default)]
struct Entry {
    /// When it is to be poked; `None` when nobody needs to.
    due: Option<Timestamp>,
    /// Whether a poke is in flight, and if so, whether it is one of the few to sites that fail.
    in_flight: Option<Failing>,
    /// Whether something has changed since that began.
    again: bool,
    /// How many pokes in a row came to nothing.
    failures: u32,
    /// Since when.
    failing_since: Option<Timestamp>,
    /// How often in a row it was found behind although the last poke was answered.
    fruitless: u32,
    /// When something last changed.
    changed: Option<Timestamp>,
    /// When it was last poked, or that ended.
    last: Option<Timestamp>,
    /// Whether the last poke was answered, but took longer than [`SLOW`].
    slow: bool,
}

/// How long a site takes at most that is not counted to those that fail: a change has to be everywhere within seconds,
/// and who answers slowly takes the others' places.
const SLOW: Duration = Duration::from_secs(2);

/// Whether a poke goes to a site that did not answer the one before, or only after a long time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failing {
    Yes,
    No,
}

impl Plan {
    /// Something changed on a site: it is due at once, or as soon as it may be.
    pub(super) fn changed(&mut self, site: SiteId, now: Timestamp) {
        let Some(entry) = self.entry(site) else { return };
        entry.changed = Some(now);
        if entry.in_flight.is_some() {
            entry.again = true;
        } else {
            entry.due = Some(entry.soonest(now));
        }
    }

    /// The store says that a site is behind, and how it stands with telling it. `keep_to_plan` leaves a site that another
    /// process takes care of to that one.
    pub(super) fn found_behind(
        &mut self,
        site: SiteId,
        known: &Delivery,
        keep_to_plan: bool,
        now: Timestamp,
    ) {
        let planned = known.next_try_at.filter(|at| keep_to_plan && !backoff::is_due(*at, now));
        if planned.is_some() && !self.sites.contains_key(&site) {
            return;
        }
        let Some(entry) = self.entry(site) else { return };
        if entry.in_flight.is_some() || entry.due.is_some() {
            return;
        }
        if let Some(last) = entry.last {
            // It answered, and did not pull; or has not come to it yet.
            entry.fruitless = entry.fruitless.saturating_add(1);
            entry.due = Some(last.plus(backoff::wait(entry.fruitless, 0)));
        } else {
            entry.failing_since = known.failing_since;
            entry.failures =
                known.failing_since.map_or(0, |since| backoff::failures_within(since.age_at(now)));
            entry.due = Some(now);
        }
    }

    /// Forgets the sites that were not behind when the store was asked, at `looked`: they were reached, or came by
    /// themselves. What changed since then is not forgotten.
    pub(super) fn forget_others(&mut self, behind: &HashSet<SiteId>, looked: Timestamp) {
        self.sites.retain(|site, entry| {
            let is_news = entry.changed.is_some_and(|at| at >= looked);
            behind.contains(site) || entry.in_flight.is_some() || is_news
        });
    }

    /// Whether a site is remembered.
    pub(super) fn knows(&self, site: SiteId) -> bool {
        self.sites.contains_key(&site)
    }

    /// The sites to be poked now. From here on each has a poke in flight.
    pub(super) fn begin(&mut self, now: Timestamp) -> Vec<SiteId> {
        let is_due = |entry: &Entry| entry.due.is_some_and(|at| backoff::is_due(at, now));
        let mut due: Vec<(Option<Timestamp>, SiteId)> = self
            .sites
            .iter()
            .filter(|(_, entry)| is_due(entry))
            .map(|(site, entry)| (entry.due, *site))
            .collect();
        // Whoever waits longest is first.
        due.sort_unstable();
        let mut begun = Vec::new();
        for (_, site) in due {
            let Some(entry) = self.sites.get_mut(&site) else { continue };
            let failing = entry.failing();
            let no_room = self.in_flight >= MAX_IN_FLIGHT
                || failing == Failing::Yes && self.failing_in_flight >= MAX_IN_FLIGHT_FAILING;
            if no_room {
                continue;
            }
            self.in_flight += 1;
            self.failing_in_flight += usize::from(failing == Failing::Yes);
            entry.due = None;
            entry.again = false;
            entry.in_flight = Some(failing);
            entry.last = Some(now);
            begun.push(site);
        }
        begun
    }

    /// When the next site is due for which there is room; `None` when none is.
    pub(super) fn next(&self) -> Option<Timestamp> {
        if self.in_flight >= MAX_IN_FLIGHT {
            return None;
        }
        let has_room =
            |entry: &&Entry| entry.failing() == Failing::No || self.failing_in_flight < MAX_IN_FLIGHT_FAILING;
        self.sites.values().filter(has_room).filter_map(|entry| entry.due).min()
    }

    /// A poke was answered as it should.
    pub(super) fn reached(&mut self, site: SiteId, now: Timestamp) {
        if let Some(entry) = self.end(site, now) {
            entry.failures = 0;
            entry.failing_since = None;
            entry.due = entry.again.then_some(now);
        }
    }

    /// A poke came to nothing. The answer is since when that is so, and when the next one is due.
    pub(super) fn failed(
        &mut self,
        site: SiteId,
        random: u64,
        now: Timestamp,
    ) -> Option<(Timestamp, Timestamp)> {
        let entry = self.end(site, now)?;
        entry.failures = entry.failures.saturating_add(1);
        let since = *entry.failing_since.get_or_insert(now);
        let due =
            if entry.again { entry.soonest(now) } else { now.plus(backoff::wait(entry.failures, random)) };
        entry.due = Some(due);
        Some((since, due))
    }

    /// A poke cannot be: there is no such site, or it is not paired. The store tells should that change.
    pub(super) fn gone(&mut self, site: SiteId, now: Timestamp) {
        self.end(site, now);
        self.sites.remove(&site);
    }

    /// Since when the site fails that has failed the longest.
    pub(super) fn failing_since(&self) -> Option<Timestamp> {
        self.sites.values().filter_map(|entry| entry.failing_since).min()
    }

    fn entry(&mut self, site: SiteId) -> Option<&mut Entry> {
        if self.sites.len() >= MAX_SITES && !self.sites.contains_key(&site) {
            return None;
        }
        Some(self.sites.entry(site).or_default())
    }

    fn end(&mut self, site: SiteId, now: Timestamp) -> Option<&mut Entry> {
        let entry = self.sites.get_mut(&site)?;
        entry.slow = entry.last.is_some_and(|began| began.age_at(now) > SLOW);
        let failing = entry.in_flight.take()?;
        self.in_flight = self.in_flight.saturating_sub(1);
        self.failing_in_flight = self.failing_in_flight.saturating_sub(usize::from(failing == Failing::Yes));
        entry.last = Some(now);
        Some(entry)
    }
}

impl Entry {
    /// Whether it has to take one of the few places.
    const fn failing(&self) -> Failing {
        if self.failures > 0 || self.slow { Failing::Yes } else { Failing::No }
    }

    /// At once; a site that does not answer, after a pause.
    fn soonest(&self, now: Timestamp) -> Timestamp {
        match self.last {
            Some(last) if self.failures > 0 && last <= now => last.plus(PAUSE).max(now),
            _ => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use gatepass_core::Rng;
    use gatepass_core::clock::NoRandomness;
    use proptest::prelude::*;

    use super::*;

    const T0: Timestamp = Timestamp::from_secs(1_790_000_000);

    fn at(millis: u64) -> Timestamp {
        T0.plus(Duration::from_millis(millis))
    }

    /// The sites of these tests, by number.
    fn site(number: u8) -> SiteId {
        site_of(number, T0)
    }

    fn site_of(number: u8, registered: Timestamp) -> SiteId {
        struct Fixed(u8);
        impl Rng for Fixed {
            fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
                bytes.fill(self.0);
                Ok(())
            }
        }
        SiteId::generate(registered, &Fixed(number)).unwrap()
    }

    #[test]
    fn a_change_is_told_at_once_and_one_meanwhile_right_after() {
        let mut plan = Plan::default();
        plan.changed(site(1), at(0));
        assert_eq!(plan.begin(at(0)), [site(1)]);
        for _ in 0..1000 {
            plan.changed(site(1), at(1));
        }
        assert_eq!(plan.begin(at(1)), []);
        plan.reached(site(1), at(5));
        assert_eq!(plan.begin(at(5)), [site(1)]);
        plan.reached(site(1), at(9));
        assert_eq!((plan.begin(at(9)), plan.next()), (vec![], None));
    }

    #[test]
    fn a_site_that_does_not_answer_waits_and_a_change_shortens_that_to_a_second() {
        let mut plan = Plan::default();
        plan.changed(site(1), at(0));
        plan.begin(at(0));
        for failure in 0..10 {
            assert!(plan.failed(site(1), 0, at(0)).is_some(), "{failure}");
            plan.sites.get_mut(&site(1)).unwrap().due = Some(at(0));
            plan.begin(at(0));
        }
        let (since, due) = plan.failed(site(1), 0, at(0)).unwrap();
        assert_eq!(since, at(0));
        assert!(due >= at(300_000), "{due}");
        plan.changed(site(1), at(10));
        assert_eq!(plan.begin(at(999)), []);
        assert_eq!(plan.begin(at(1000)), [site(1)]);
        plan.reached(site(1), at(1001));
        assert_eq!(plan.failing_since(), None);
    }

    #[test]
    fn sites_that_do_not_answer_take_no_place_from_those_that_do() {
        let mut plan = Plan::default();
        for number in 0..200 {
            plan.changed(site(number), at(0));
        }
        let mut silent = BTreeSet::new();
        loop {
            let begun = plan.begin(at(0));
            if begun.is_empty() {
                break;
            }
            assert!(begun.len() <= MAX_IN_FLIGHT);
            for one in begun {
                plan.failed(one, 0, at(0));
                silent.insert(one);
            }
        }
        assert_eq!(silent.len(), 200);
        assert_eq!(plan.begin(at(2000)).len(), MAX_IN_FLIGHT_FAILING);
        plan.changed(site(201), at(2000));
        assert_eq!(plan.begin(at(2000)), [site(201)]);
    }

    #[test]
    fn a_site_that_answers_and_does_not_pull_is_poked_more_and_more_seldom() {
        let mut plan = Plan::default();
        let behind = HashSet::from([site(1)]);
        let mut pokes = 0;
        for second in 0..3600 {
            let now = at(second * 1000);
            if second % 10 == 0 {
                plan.found_behind(site(1), &Delivery::default(), true, now);
                plan.forget_others(&behind, now);
            }
            for one in plan.begin(now) {
                pokes += 1;
                plan.reached(one, now);
            }
        }
        assert!((8..30).contains(&pokes), "{pokes} pokes in an hour");
    }

    #[test]
    fn a_site_that_another_process_takes_care_of_is_left_to_it_until_its_time() {
        let known =
            Delivery { failing_since: Some(at(0)), next_try_at: Some(at(400_000)), ..Delivery::default() };
        let mut plan = Plan::default();
        plan.found_behind(site(1), &known, true, at(300_000));
        assert!(!plan.knows(site(1)));
        plan.found_behind(site(1), &known, true, at(400_000));
        assert_eq!(plan.begin(at(400_000)), [site(1)]);
        let (since, due) = plan.failed(site(1), 0, at(400_001)).unwrap();
        assert_eq!(since, at(0));
        assert!(due > at(500_000), "it goes on where the other was: {due}");
        // After a start nobody else is asked.
        let mut anew = Plan::default();
        anew.found_behind(site(1), &known, false, at(300_000));
        assert_eq!(anew.begin(at(300_000)), [site(1)]);
    }

    #[test]
    fn what_changed_while_the_store_was_asked_is_not_forgotten() {
        let mut plan = Plan::default();
        plan.changed(site(1), at(0));
        plan.begin(at(0));
        plan.failed(site(1), 0, at(1));
        plan.changed(site(1), at(10));
        plan.forget_others(&HashSet::new(), at(10));
        assert!(plan.knows(site(1)));
        plan.forget_others(&HashSet::new(), at(11));
        assert!(!plan.knows(site(1)));
    }

    #[test]
    fn no_number_of_sites_fills_the_memory() {
        let mut plan = Plan::default();
        for number in 0..=u8::MAX {
            for second in 0..100 {
                plan.changed(site_of(number, at(second * 1000)), T0);
            }
        }
        assert_eq!(plan.sites.len(), MAX_SITES);
    }

    #[test]
    fn a_site_that_answers_slowly_takes_one_of_the_few_places_until_it_is_quick_again() {
        let mut plan = Plan::default();
        let poke_all = |plan: &mut Plan, now: u64| {
            for number in 0..64 {
                plan.changed(site(number), at(now));
            }
            plan.begin(at(now))
        };
        assert_eq!(poke_all(&mut plan, 0).len(), 64);
        for number in 0..64 {
            plan.reached(site(number), at(9_500));
        }
        let begun = poke_all(&mut plan, 20_000);
        assert_eq!(begun.len(), MAX_IN_FLIGHT_FAILING, "they leave room for others");
        for site in &begun {
            plan.reached(*site, at(20_100));
            plan.changed(*site, at(30_000));
        }
        let again = plan.begin(at(30_000));
        assert!(begun.iter().all(|site| again.contains(site)), "they were quick");
    }

    #[derive(Debug, Clone)]
    enum Step {
        Changed(u8),
        Behind(u8),
        Ended(usize, bool),
        Gone(usize),
        Pass(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..100_u8).prop_map(Step::Changed),
            (0..100_u8).prop_map(Step::Behind),
            (any::<usize>(), any::<bool>()).prop_map(|(which, well)| Step::Ended(which, well)),
            any::<usize>().prop_map(Step::Gone),
            (0..700_000_u64).prop_map(Step::Pass),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_no_site_has_two_pokes_and_none_that_changed_is_left_out(
            steps in proptest::collection::vec(step(), 1..400)
        ) {
            let (mut plan, mut millis) = (Plan::default(), 0);
            let (mut flying, mut owed) = (Vec::<SiteId>::new(), BTreeSet::new());
            for step in steps {
                let now = at(millis);
                match step {
                    Step::Changed(number) => {
                        plan.changed(site(number), now);
                        owed.insert(site(number));
                    }
                    Step::Behind(number) => plan.found_behind(site(number), &Delivery::default(), true, now),
                    Step::Ended(which, well) if !flying.is_empty() => {
                        let ended = flying.remove(which % flying.len());
                        if well {
                            plan.reached(ended, now);
                        } else {
                            plan.failed(ended, u64::try_from(which).unwrap(), now);
                            owed.insert(ended);
                        }
                    }
                    Step::Gone(which) if !flying.is_empty() => {
                        let gone = flying.remove(which % flying.len());
                        plan.gone(gone, now);
                        owed.remove(&gone);
                    }
                    Step::Ended(..) | Step::Gone(_) => {}
                    Step::Pass(time) => millis += time,
                }
                for begun in plan.begin(at(millis)) {
                    prop_assert!(!flying.contains(&begun), "two pokes at a time");
                    flying.push(begun);
                    owed.remove(&begun);
                }
                prop_assert!(flying.len() <= MAX_IN_FLIGHT && plan.in_flight == flying.len());
                prop_assert!(plan.failing_in_flight <= MAX_IN_FLIGHT_FAILING);
            }
            // All come back well from now on; whoever is owed a poke gets it.
            for _ in 0..200 {
                millis += 601_000;
                for ended in std::mem::take(&mut flying) {
                    plan.reached(ended, at(millis));
                }
                for begun in plan.begin(at(millis)) {
                    owed.remove(&begun);
                    flying.push(begun);
                }
            }
            prop_assert!(owed.is_empty(), "{} are left out", owed.len());
            prop_assert_eq!(plan.next(), None);
        }
    }
}
