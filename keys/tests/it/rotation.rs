//! What the plan promises, in a world of several brokers, their clocks, and whoever verifies.
//!
//! The brokers share one keyring on disk, and each has its own clock and its own snapshot. A verifier may hold any set
//! that was served within the time that caches and refreshes allow: all of these are looked at, so the worst one is.

use gatepass_keys::{
    Action, Delays, KeyId, KeyState, Keyring, KeyringError, KeyringFolder, MAX_PUBLISHED, RotationPolicy,
    Step, VerificationKeys as _, Wrapping, plan,
};
use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;

const START: u64 = 1_790_000_000;
const BROKERS: usize = 3;
const DELAYS: Delays = Delays { token_life: 40, jwks_max_age: 30, jwks_refresh: 10, clock_skew: 6 };
const LIFETIME: u64 = 200;

/// How far each clock is off: any two differ by at most the skew.
type Clocks = [i64; BROKERS];

#[derive(Debug, Clone)]
enum Event {
    Wait(u64),
    /// A broker carries out what is due by its clock.
    Tick(usize),
    Issue(usize),
    AskRotation(usize),
    RevokeActive(usize),
    RevokeOldest(usize),
    ReplaceAll(usize),
    /// By so much is a clock behind the last change.
    TickWithClockPutBack(u64),
}

struct Token {
    kid: KeyId,
    /// Live until then, in the world's time, by the slowest of clocks.
    until: u64,
    /// Whether its key had been published for as long as it should before it signed.
    ripe: bool,
}

struct World {
    _parent: TempDir,
    folder: KeyringFolder,
    policy: RotationPolicy,
    clocks: Clocks,
    now: u64,
    keyring: Keyring,
    snapshots: [Option<Keyring>; BROKERS],
    /// What was served from when on.
    served: Vec<(u64, Vec<KeyId>)>,
    unripe: Vec<KeyId>,
    tokens: Vec<Token>,
    seeds: u64,
}

impl World {
    fn new(policy: RotationPolicy, clocks: Clocks) -> Self {
        let parent = TempDir::new().unwrap();
        let folder = KeyringFolder::new(parent.path().join("keys"), Wrapping::none());
        let keyring = folder.open_or_create([0; 32], START).unwrap();
        let served = vec![(START, kids(&keyring))];
        Self {
            _parent: parent,
            folder,
            policy,
            clocks,
            now: START,
            keyring,
            snapshots: [const { None }; BROKERS],
            served,
            unripe: Vec::new(),
            tokens: Vec::new(),
            seeds: 0,
        }
    }

    fn clock(&self, broker: usize) -> u64 {
        self.now.saturating_add_signed(self.clocks[broker])
    }

    fn change(&mut self, now: u64, decide: impl FnOnce(&Keyring) -> Vec<Action>) -> &Keyring {
        self.seeds += 1;
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seeds.to_be_bytes());
        let decide = |keyring: &Keyring| Ok::<_, KeyringError>(decide(keyring));
        let keyring = self.folder.change(seed, now, "world", decide).unwrap();
        self.served.push((self.now, kids(&keyring)));
        self.keyring = keyring;
        &self.keyring
    }

    /// Carries out what is due at a time, and says how many steps that were.
    fn tick(&mut self, now: u64) -> usize {
        let policy = self.policy;
        let mut count = 0;
        self.change(now, |keyring| {
            let planned = plan(keyring.entries(), &policy, keyring.rotation_asked(), now);
            let due = planned.into_iter().filter(|planned| planned.at <= now);
            let actions: Vec<_> = due.map(|planned| Action::Take(planned.step)).collect();
            count = actions.len();
            actions
        });
        count
    }

    fn emergency(&mut self, now: u64, decide: impl FnOnce(&Keyring) -> Vec<Action>) {
        // Whoever verifies and does not know it asks at once; see `holds`.
        let kid = self.change(now, decide).active_kid().clone();
        self.unripe.push(kid);
    }

    fn take(&mut self, event: &Event) {
        match *event {
            Event::Wait(seconds) => self.now += seconds,
            Event::Tick(broker) => _ = self.tick(self.clock(broker)),
            Event::TickWithClockPutBack(by) => {
                let last = self.keyring.changes().last().unwrap().at;
                assert_eq!(self.tick(last - by), 0);
            }
            Event::AskRotation(broker) => {
                _ = self.change(self.clock(broker), |_| vec![Action::AskRotation]);
            }
            Event::RevokeActive(broker) => self.emergency(self.clock(broker), |keyring| {
                vec![Action::Revoke { kid: keyring.active_kid().clone(), reason: "lost".to_owned() }]
            }),
            Event::RevokeOldest(broker) => {
                let active = self.keyring.active_kid().clone();
                let keyring = self.change(self.clock(broker), |keyring| {
                    let oldest = keyring.entries().iter().find(|entry| entry.state == KeyState::Retired);
                    let revoke = |kid: &KeyId| Action::Revoke { kid: kid.clone(), reason: "lost".to_owned() };
                    oldest.map(|entry| revoke(&entry.kid)).into_iter().collect()
                });
                assert_eq!(*keyring.active_kid(), active);
            }
            Event::ReplaceAll(broker) => self
                .emergency(self.clock(broker), |_| vec![Action::ReplaceAll { reason: "stolen".to_owned() }]),
            Event::Issue(broker) => self.issue(broker),
        }
    }

    /// As a broker does: it asks whether its snapshot is the newest before it signs.
    fn issue(&mut self, broker: usize) {
        let snapshot = match self.snapshots[broker].take() {
            None => self.folder.open().unwrap().unwrap(),
            Some(old) => self.folder.reload(&old).unwrap().unwrap_or(old),
        };
        let kid = snapshot.active().kid().clone();
        let slowest = self.clocks.iter().min().unwrap();
        let until = self.now + DELAYS.token_life;
        let until = until.saturating_add_signed(self.clocks[broker] - slowest);
        let ripe = !self.unripe.contains(&kid);
        self.tokens.push(Token { kid, until, ripe });
        self.snapshots[broker] = Some(snapshot);
    }

    /// What must be true at any time.
    fn holds(&self) -> Result<(), String> {
        let keyring = &self.keyring;
        let state = |kid: &KeyId| keyring.entries().iter().find(|entry| entry.kid == *kid).map(|e| e.state);
        let published = keyring.entries().iter().filter(|entry| entry.state.is_published()).count();
        if published > MAX_PUBLISHED {
            return Err(format!("{published} keys are published"));
        }
        if state(keyring.active_kid()) != Some(KeyState::Active) {
            return Err("one signs that is not active".to_owned());
        }
        let since = self.now.saturating_sub(DELAYS.jwks_max_age + DELAYS.jwks_refresh);
        let at_first = self.served.iter().rposition(|(at, _)| *at <= since).unwrap_or(0);
        for token in self.tokens.iter().filter(|token| self.now < token.until) {
            if state(&token.kid) == Some(KeyState::Revoked) {
                if keyring.key_set().find(&token.kid).is_some() {
                    return Err("a revoked key is believed".to_owned());
                }
                continue;
            }
            if keyring.key_set().find(&token.kid).is_none() {
                return Err(format!("a live token's key {} is not published", token.kid));
            }
            let held = &self.served[at_first..];
            if token.ripe && held.iter().any(|(_, kids)| !kids.contains(&token.kid)) {
                return Err(format!("a verifier may not know the key {} of a live token", token.kid));
            }
        }
        Ok(())
    }

    /// Left to itself, everything that is planned happens.
    fn goes_on(&mut self) {
        for _ in 0..200 {
            let keyring = &self.keyring;
            let planned = plan(keyring.entries(), &self.policy, keyring.rotation_asked(), self.now);
            let first = planned.first().expect("something always comes");
            let has_next = keyring.entries().iter().any(|entry| entry.state == KeyState::Next);
            if has_next && planned.len() == 1 && first.at > self.now {
                let Step::Promote(_) = first.step else { panic!("{planned:?}") };
                return;
            }
            self.now = self.now.max(first.at);
            assert!(self.tick(self.now) > 0, "what is due is not done: {planned:?}");
        }
        panic!("it never comes to rest");
    }
}

fn kids(keyring: &Keyring) -> Vec<KeyId> {
    keyring.key_set().iter().map(|key| key.kid().clone()).collect()
}

fn event() -> impl Strategy<Value = Event> {
    let broker = 0..BROKERS;
    prop_oneof![
        8 => (1_u64..60).prop_map(Event::Wait),
        8 => broker.clone().prop_map(Event::Tick),
        8 => broker.clone().prop_map(Event::Issue),
        4 => broker.clone().prop_map(Event::AskRotation),
        1 => broker.clone().prop_map(Event::RevokeActive),
        1 => broker.clone().prop_map(Event::RevokeOldest),
        1 => broker.prop_map(Event::ReplaceAll),
        1 => (1_u64..100_000).prop_map(Event::TickWithClockPutBack),
    ]
}

fn clocks() -> impl Strategy<Value = Clocks> {
    [0_i64..=6, 0_i64..=6, 0_i64..=6]
}

fn cases() -> u32 {
    if std::env::var_os("GATEPASS_TEST_LONG").is_some() { 500 } else { 60 }
}

fn live(policy: RotationPolicy, clocks: Clocks, events: &[Event]) -> Result<World, String> {
    let mut world = World::new(policy, clocks);
    for event in events {
        world.take(event);
        world.holds()?;
    }
    Ok(world)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_live_token_is_without_its_key_and_what_is_due_is_done(
        clocks in clocks(),
        events in vec(event(), 1..120),
    ) {
        let world = live(DELAYS.policy(Some(LIFETIME)), clocks, &events);
        world.map_err(TestCaseError::fail)?.goes_on();
    }
}

/// The promises would not be kept by shorter times: the world above does find what is wrong.
#[test]
fn shorter_times_break_the_promises() {
    use Event::{AskRotation, Issue, Tick, Wait};
    let good = DELAYS.policy(Some(LIFETIME));
    let clocks = [6, 0, 6];
    // Published by one whose clock is fast, promoted by one whose clock is right; and the other way round.
    let early = [Tick(1), AskRotation(0), Wait(good.lead - 6), Tick(0), Issue(0)];
    assert!(live(good, clocks, &early).is_ok());
    let short = RotationPolicy { lead: good.lead - 1, ..good };
    let early = [Tick(1), AskRotation(0), Wait(short.lead - 6), Tick(0), Issue(0)];
    assert!(live(short, clocks, &early).err().unwrap().contains("a verifier may not know"));

    let ripe = |policy: RotationPolicy| {
        vec![Tick(1), AskRotation(1), Wait(good.lead), Issue(0), Tick(1), Wait(policy.tail - 6), Tick(0)]
    };
    assert!(live(good, clocks, &ripe(good)).is_ok());
    let short = RotationPolicy { tail: good.tail - 1, ..good };
    assert!(live(short, clocks, &ripe(short)).err().unwrap().contains("is not published"));
}

#[test]
fn by_hand_only_nothing_is_promoted_unless_it_is_asked_for() {
    let mut world = World::new(DELAYS.policy(None), [0; BROKERS]);
    assert_eq!(world.tick(START), 1);
    let keyring = &world.keyring;
    assert_eq!(plan(keyring.entries(), &world.policy, false, START + 1_000_000), []);
    let asked = plan(keyring.entries(), &world.policy, true, START);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].at, START + world.policy.lead);
}

#[test]
fn with_thirty_keys_published_the_next_one_waits_for_room() {
    let mut world = World::new(DELAYS.policy(Some(LIFETIME)), [0; BROKERS]);
    world.policy.lead = 0;
    world.policy.tail = 10_000;
    while world.keyring.key_set().iter().count() < MAX_PUBLISHED || world.tick(world.now) > 0 {
        world.change(world.now, |_| vec![Action::AskRotation]);
        world.now += 1;
        world.tick(world.now);
        assert!(world.now < START + 1000);
        world.holds().unwrap();
    }
    let keyring = &world.keyring;
    let planned = plan(keyring.entries(), &world.policy, true, world.now);
    let room = planned.iter().find(|planned| planned.step == Step::Publish).unwrap().at;
    assert_eq!(room, planned.iter().find(|planned| matches!(planned.step, Step::Remove(_))).unwrap().at);
    world.now = room;
    assert_eq!(world.tick(room), 2);
    assert!(world.keyring.entries().iter().any(|entry| entry.state == KeyState::Next));
}
