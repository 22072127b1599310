//! Writes that take rights away, with `wait-replicas`: real primaries and replicas.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatepass_core::client::{ApiKey, Client, Scope};
use gatepass_core::clock::System;
use gatepass_core::event::{Actor, Context};
use gatepass_core::limit::{Limits, Rate};
use gatepass_core::member::Status;
use gatepass_core::pairing::{PAIRING_LIFETIME, PairingCode};
use gatepass_core::site::Site;
use gatepass_core::site_key::Renewal;
use gatepass_core::store::redis::{Options, Redis};
use gatepass_core::store::{Clients, Errand, Handoffs, Keyrings, MemberPut, Members, Result, Sites};
use gatepass_core::{ClientId, SiteId, Store, StoreError};
use gatepass_keys::SigningKey;

use crate::faults::wait;
use crate::pairing::proven;
use crate::stage::{Came, RedisServer, T0, Ticket, after, came, context, new_site, wanted};

struct Pair {
    primary: RedisServer,
    replica: RedisServer,
    store: Arc<Redis>,
    site: SiteId,
}

impl Pair {
    /// A primary, a replica that follows it, and a site.
    async fn start() -> Self {
        let (primary, replica) = (RedisServer::start(), RedisServer::start());
        let pair_options = Options { wait_replicas: 1, ..Options::default() };
        let store = Arc::new(Redis::connect(&primary.url(), &pair_options).await.unwrap());
        let site = new_site("default", "https://example.com");
        let pair = Self { primary, replica, store, site: site.id };
        pair.follow();
        pair.store.create_site(&site, T0, &context()).await.unwrap();
        pair
    }

    fn follow(&self) {
        self.replica.command(&["REPLICAOF", "127.0.0.1", &self.primary.port().to_string()]);
        wait("the replica follows", || {
            let info = self.primary.query::<String>(&["INFO", "replication"]);
            info.is_ok_and(|info| info.contains("state=online"))
        });
    }

    async fn put(&self, subject: &str, status: Status) -> Result<MemberPut> {
        let subject = subject.parse().unwrap();
        self.store.put_member(self.site, &subject, &wanted(status), None, T0, &context()).await
    }

    async fn issued(&self) -> Ticket {
        let ticket = Ticket::new(self.site);
        self.store.issue(self.site, &ticket.handoff, &context()).await.unwrap();
        ticket
    }
}

fn unavailable<T: std::fmt::Debug>(what: &str, answer: Result<T>) {
    let why = match answer {
        Err(StoreError::Unavailable(why)) => why,
        other => panic!("{what} was answered for: {other:?}"),
    };
    assert!(why.contains("0 of 1 replicas"), "{what}: {why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_write_that_takes_rights_away_waits_and_so_does_its_repetition() {
    let pair = Pair::start().await;
    let (store, site) = (&pair.store, pair.site);
    pair.put("cust-1", Status::Active).await.unwrap();
    let ticket = pair.issued().await;
    let client = Client {
        id: ClientId::generate(T0, &System).unwrap(),
        tenant: "default".parse().unwrap(),
        name: "panel".to_owned(),
        scopes: Scope::ALL.to_vec(),
        created_at: T0,
        revoked_at: None,
        expires_at: None,
        replaces: None,
    };
    store.add_client(&ApiKey::generate(&System).unwrap().hash(), &client, &context()).await.unwrap();
    let removed = new_site("default", "https://removed.example");
    store.create_site(&removed, T0, &context()).await.unwrap();
    let code =
        PairingCode { secret_hash: "one".to_owned(), expires_at: T0.plus(PAIRING_LIFETIME), replace: true };
    store.put_pairing_code(site, &code, T0, &context()).await.unwrap();
    let other = new_site("default", "https://other.example");
    store.create_site(&other, T0, &context()).await.unwrap();

    let (by, subject) = (context(), "cust-1".parse().unwrap());
    let (gone, ended) = ("cust-3".parse().unwrap(), "cust-4".parse().unwrap());
    for subject in ["cust-2", "cust-3", "cust-4"] {
        pair.put(subject, Status::Active).await.unwrap();
    }
    let (pairing, kid) = (proven("one", 1), ticket.handoff.kid.clone());
    let [renewed, revoked] = ["https://renewed.example", "https://revoked.example"]
        .map(|url| Site { paired: Some(proven("two", 2).paired), ..new_site("default", url) });
    for site in [&renewed, &revoked] {
        store.create_site(site, T0, &context()).await.unwrap();
    }
    let renewal = Renewal {
        proven_by: SigningKey::generate([2; 32]).kid().clone(),
        key: SigningKey::generate([3; 32]).public(),
    };
    let rolled = Client { id: ClientId::generate(T0, &System).unwrap(), ..client.clone() };
    store.add_client(&ApiKey::generate(&System).unwrap().hash(), &rolled, &context()).await.unwrap();
    let all = async |check: &dyn Fn(&str, Result<()>)| {
        // At once, for each takes as long as the replicas are given.
        tokio::join!(
            async { check("put_member", pair.put("cust-1", Status::Canceled).await.map(drop)) },
            async {
                let many = [("cust-2".parse().unwrap(), wanted(Status::Canceled))];
                check("put_members", store.put_members(site, &many, T0, &by).await.map(drop));
            },
            async {
                check("remove_member", store.remove_member(site, &gone, None, T0, &by).await.map(drop));
            },
            async {
                let asked = store.ask_of_site(site, &ended, Errand::EndSessions, T0, &by).await;
                check("ask_of_site", asked.map(drop));
            },
            async {
                let revoked = store.revoke_handoff(site, ticket.handoff.id, T0, &by).await;
                check("revoke_handoff", revoked.map(drop));
            },
            async { check("revoke_subject", store.revoke_subject(site, &subject, T0, &by).await.map(drop)) },
            async { check("revoke_key", store.revoke_key(site, &kid, T0, &by).await) },
            async { check("revoke_client", store.revoke_client(client.id, T0, &by).await.map(drop)) },
            async {
                let changed = store.change_policy(site, Arc::new(Ok), T0, &by).await;
                check("change_policy", changed.map(drop));
            },
            async {
                let made = store.put_pairing_code(other.id, &code, T0, &by).await;
                check("put_pairing_code", made.map(drop));
            },
            async { check("pair", store.pair(site, &pairing, T0, &by).await.map(drop)) },
            async { check("remove_site", store.remove_site(removed.id, T0, &by).await.map(drop)) },
            async {
                let made = store.renew_site_key(renewed.id, &renewal, T0, &by).await;
                check("renew_site_key", made.map(drop));
            },
            async {
                let ended = store.revoke_site_key(revoked.id, T0, &by).await;
                check("revoke_site_key", ended.map(drop));
            },
            async {
                // Each time another successor, as whoever repeats it makes one.
                let new = Client { id: ClientId::generate(T0, &System).unwrap(), ..rolled.clone() };
                let hash = ApiKey::generate(&System).unwrap().hash();
                let made = store.roll_client(rolled.id, (&hash, &new), after(1000), T0, &by).await;
                check("roll_client", made.map(drop));
            },
            async { check("announce_keyring", store.announce_keyring(7, &[], T0, &by).await.map(drop)) },
            async { check("forbid_key", store.forbid_key(&kid, T0).await) },
            async { check("settled", store.settled().await) },
        );
    };
    pair.replica.signal("STOP");
    all(&|what, answer| unavailable(what, answer)).await;
    // It happened, and repeating it changes nothing: that must not be answered for either.
    let member = store.member(site, &subject).await.unwrap().unwrap();
    assert_eq!(member.wanted.membership.status, Status::Canceled);
    all(&|what, answer| unavailable(&format!("{what}, repeated,"), answer)).await;
    pair.replica.signal("CONT");
    let since = Instant::now();
    while store.settled().await.is_err() {
        assert!(since.elapsed() < Duration::from_secs(30), "the replica does not come back");
    }
    all(&|what, answer| answer.unwrap_or_else(|error| panic!("{what}: {error}"))).await;
    assert!(matches!(pair.put("cust-1", Status::Canceled).await, Ok(MemberPut::Unchanged(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_writes_wait_for_a_replica_logins_go_on() {
    let pair = Arc::new(Pair::start().await);
    pair.put("cust-1", Status::Active).await.unwrap();
    pair.replica.signal("STOP");
    let asked = Instant::now();
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..64 {
        let pair = Arc::clone(&pair);
        writers.spawn(async move { pair.put(&format!("c{number}"), Status::Canceled).await });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let ticket = pair.issued().await;
    let redeemed = pair.store.redeem(pair.site, &ticket.presented, after(1), &context()).await.unwrap();
    assert_eq!(came(redeemed), Came::Redeemed);
    let mut answers: Vec<_> =
        std::iter::from_fn(|| writers.try_join_next()).map(std::result::Result::unwrap).collect();
    assert!(answers.len() < 64, "the logins waited with the writes");
    answers.extend(writers.join_all().await);
    for answer in answers {
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    assert!(asked.elapsed() < Duration::from_secs(15), "the last one waited for {:?}", asked.elapsed());
    pair.replica.signal("CONT");
}

/// Nobody's cancellation queues behind it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_answered_without_waiting() {
    let pair = Pair::start().await;
    let limits = Limits { api_key: Rate::per_minute(1), ..Limits::NONE };
    let store = Redis::clone(&pair.store).limited(limits);
    pair.replica.signal("STOP");
    let by = Context { actor: Actor::Client(ClientId::generate(T0, &System).unwrap()), ..context() };
    let subject = "cust-1".parse().unwrap();
    let put = |site, if_match| {
        let (store, by, subject, wanted) = (&store, &by, &subject, wanted(Status::Active));
        async move { store.put_member(site, subject, &wanted, if_match, T0, by).await }
    };
    unavailable("a member", put(pair.site, None).await);
    assert!(matches!(put(pair.site, None).await, Ok(MemberPut::Limited(_))));
    let elsewhere = new_site("default", "https://other.example");
    assert_eq!(put(elsewhere.id, None).await.unwrap(), MemberPut::SiteNotFound);
    let unlimited =
        pair.store.put_member(pair.site, &subject, &wanted(Status::Paused), Some(9), T0, &by).await;
    assert_eq!(unlimited.unwrap(), MemberPut::RevisionMismatch { current: 1 });
    pair.replica.signal("CONT");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_for_outlasts_the_primary() {
    let mut pair = Pair::start().await;
    let subject = |number: u32| format!("cust-{number}");
    for number in 0..40 {
        pair.put(&subject(number), Status::Active).await.unwrap();
    }
    let mut answered = Vec::new();
    for number in 0..40 {
        // From here on the primary is alone: what it takes is lost with it.
        if number == 30 {
            pair.replica.command(&["REPLICAOF", "NO", "ONE"]);
        }
        if number < 36 && pair.put(&subject(number), Status::Canceled).await.is_ok() {
            answered.push(number);
        }
    }
    assert_eq!(answered, (0..30).collect::<Vec<_>>());
    pair.primary.kill();
    let promoted = Redis::connect(&pair.replica.url(), &Options::default()).await.unwrap();
    for number in answered {
        let member = promoted.member(pair.site, &subject(number).parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(member.wanted.membership.status, Status::Canceled, "the cancellation of {number} is lost");
    }
}
