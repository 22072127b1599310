//! `gatepass store copy`: what arrives in Redis is what Redis' own code would have written, or nothing.

use std::collections::BTreeMap;

use gatepass_core::change::PAGE;
use gatepass_core::client::{ApiKey, ApiKeyHash, Client, Scope};
use gatepass_core::clock::System;
use gatepass_core::handoff::Issuance;
use gatepass_core::member::Status;
use gatepass_core::site::Site;
use gatepass_core::site_key::Renewal;
use gatepass_core::store::copy::{CopyError, Counts, copy, count};
use gatepass_core::store::redis::{Found, Options, Redis, Target};
use gatepass_core::store::sqlite::Sqlite;
use gatepass_core::store::{Clients, Errand, Events, Feed, Handoffs, Keyrings, MemberPut, Members, Sites};
use gatepass_core::trail::{Reading, Trail};
use gatepass_core::{ClientId, Store};
use gatepass_keys::SigningKey;

use crate::changes::synced;
use crate::heartbeat::heartbeat;
use crate::pairing::{proven, put_code};
use crate::stage::{RedisServer, T0, Ticket, after, context, new_site, wanted};

/// A store on `SQLite` in a folder of its own.
struct Source {
    store: Sqlite,
    folder: tempfile::TempDir,
}

impl Source {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Sqlite::open(&folder.path().join("gatepass.db"), &System).unwrap(), folder }
    }

    /// One with a site and so many members.
    async fn with_members(number: u64) -> (Self, Site) {
        let (source, site) = (Self::new(), new_site("default", "https://example.com"));
        source.store.create_site(&site, T0, &context()).await.unwrap();
        let members: Vec<_> = (0..number)
            .map(|number| (format!("cust-{number}").parse().unwrap(), wanted(Status::Active)))
            .collect();
        source.store.put_members(site.id, &members, T0, &context()).await.unwrap();
        (source, site)
    }

    /// What another process writes.
    fn write(&self) {
        let connection = rusqlite::Connection::open(self.folder.path().join("gatepass.db")).unwrap();
        connection.execute("INSERT INTO client_uses VALUES ('somebody', 1)", []).unwrap();
    }
}

/// Who and what plays in a history.
struct Cast {
    sites: [Site; 2],
    clients: [(ApiKeyHash, Client); 2],
}

impl Cast {
    fn new() -> Self {
        let client = |name: &str| {
            let client = Client {
                id: ClientId::generate(T0, &System).unwrap(),
                tenant: "default".parse().unwrap(),
                name: name.to_owned(),
                scopes: Scope::ALL.to_vec(),
                created_at: T0,
                revoked_at: None,
                expires_at: None,
                replaces: None,
            };
            (ApiKey::generate(&System).unwrap().hash(), client)
        };
        let sites = [new_site("default", "https://example.com"), new_site("other", "https://other.example")];
        Self { sites, clients: [client("one"), client("two")] }
    }

    /// Something of everything that is kept.
    async fn play(&self, store: &dyn Store) {
        let [site, other] = &self.sites;
        let by = context();
        store.forbid_key(SigningKey::generate([8; 32]).kid(), after(1)).await.unwrap();
        for site in &self.sites {
            store.create_site(site, T0, &by).await.unwrap();
        }
        let site = site.id;
        put_code(store, site, "one", false, T0).await;
        store.pair(site, &proven("one", 1), T0, &by).await.unwrap();
        store.hear(site, &heartbeat(), after(1), &by).await.unwrap();
        let renewal = Renewal {
            proven_by: SigningKey::generate([1; 32]).kid().clone(),
            key: SigningKey::generate([2; 32]).public(),
        };
        store.renew_site_key(site, &renewal, after(2), &by).await.unwrap();
        for subject in ["cust-1", "cust-2", "cust-3", "cust-4", "cust-5"] {
            for site in [site, other.id] {
                let subject = subject.parse().unwrap();
                store.put_member(site, &subject, &wanted(Status::Active), None, T0, &by).await.unwrap();
            }
        }
        let subject = |name: &str| name.parse().unwrap();
        let canceled = wanted(Status::Canceled);
        store.put_member(site, &subject("cust-2"), &canceled, None, after(3), &by).await.unwrap();
        let epoch = store.changes(site, None, 0, PAGE, T0).await.unwrap().unwrap().epoch;
        store.acknowledge(site, &epoch, &[synced("cust-1", 1), synced("cust-3", 3)], T0, &by).await.unwrap();
        store.remove_member(site, &subject("cust-3"), None, after(4), &by).await.unwrap();
        store.ask_of_site(site, &subject("cust-4"), Errand::EndSessions, after(5), &by).await.unwrap();
        store.ask_of_site(site, &subject("cust-1"), Errand::ReportSessions, after(6), &by).await.unwrap();
        store.revoke_subject(site, &subject("cust-5"), after(7), &by).await.unwrap();
        store.revoke_key(site, SigningKey::generate([9; 32]).kid(), after(8), &by).await.unwrap();
        for (hash, client) in &self.clients {
            store.add_client(hash, client, &by).await.unwrap();
        }
        store.note_client_use(self.clients[0].1.id, after(9)).await.unwrap();
        store.revoke_client(self.clients[1].1.id, after(10), &by).await.unwrap();
        store.announce_keyring(7, &[], T0, &by).await.unwrap();
        // Numbers go on where they were, also when the beginning is gone.
        store.remove_events(&Trail::Site(other.id), 2).await.unwrap();
    }
}

/// All that lies in a Redis, but for what is not copied.
fn everything(server: &RedisServer) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    let keys: Vec<String> = server.query(&["KEYS", "*"]).unwrap();
    for key in keys.into_iter().filter(|key| !key.contains("gp:behind")) {
        let kind: String = server.query(&["TYPE", &key]).unwrap();
        let mut value: Vec<String> = match kind.as_str() {
            "hash" => {
                let fields: BTreeMap<String, String> = server.query(&["HGETALL", &key]).unwrap();
                let place = ["pulled", "pulled_epoch", "pulled_at", "handed_out", "delivery"];
                let copied = fields.into_iter().filter(|(name, _)| !place.contains(&name.as_str()));
                copied.map(|(name, value)| format!("{name}: {value}")).collect()
            }
            "zset" => server.query(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]).unwrap(),
            "stream" => {
                let all: redis::Value = server.query(&["XRANGE", &key, "-", "+"]).unwrap();
                vec![format!("{all:?}")]
            }
            _ => vec![server.query(&["GET", &key]).unwrap()],
        };
        value.insert(0, kind);
        all.insert(key, value);
    }
    all
}

async fn target(server: &RedisServer) -> Target {
    Target::open(&server.url(), &Options::default(), &System).await.unwrap()
}

async fn connect(server: &RedisServer) -> gatepass_core::store::Result<Redis> {
    Redis::connect(&server.url(), &Options::default()).await
}

fn is_empty(server: &RedisServer) -> bool {
    server.query::<u64>(&["DBSIZE"]).unwrap() == 0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_copied_is_what_redis_own_code_would_have_written() {
    let (source, cast) = (Source::new(), Cast::new());
    let (own, copied) = (RedisServer::start(), RedisServer::start());
    cast.play(&source.store).await;
    cast.play(&connect(&own).await.unwrap()).await;
    let counts = copy(&source.store, &target(&copied).await, |_, _| {}).await.unwrap();
    assert_eq!((counts.sites, counts.members, counts.removed_members, counts.clients), (2, 9, 1, 2));
    let (copied_all, own_all) = (everything(&copied), everything(&own));
    for key in own_all.keys().chain(copied_all.keys()) {
        assert_eq!(copied_all.get(key), own_all.get(key), "{key}");
    }

    let (from, to) = (&source.store, connect(&copied).await.unwrap());
    for Site { id, .. } in &cast.sites {
        assert_eq!(to.site(*id).await.unwrap(), from.site(*id).await.unwrap());
        assert_eq!(to.members(*id, 0, 100).await.unwrap(), from.members(*id, 0, 100).await.unwrap());
        let pulled = |changes: Option<gatepass_core::change::Changes>| changes.unwrap().members;
        assert_eq!(
            pulled(to.changes(*id, None, 0, PAGE, T0).await.unwrap()),
            pulled(from.changes(*id, None, 0, PAGE, T0).await.unwrap())
        );
        for subject in ["cust-1", "cust-3", "cust-4"] {
            let subject = subject.parse().unwrap();
            assert_eq!(to.sync(*id, &subject).await.unwrap(), from.sync(*id, &subject).await.unwrap());
        }
    }
    for trail in from.trails().await.unwrap() {
        let all = Reading::After(0);
        assert_eq!(to.events(&trail, all, 100).await.unwrap(), from.events(&trail, all, 100).await.unwrap());
        assert_eq!(to.extent(&trail).await.unwrap(), from.extent(&trail).await.unwrap());
    }
    assert_eq!(to.clients().await.unwrap(), from.clients().await.unwrap());
    assert_eq!(to.keyring_revision().await.unwrap(), 7);

    // It goes on as the other would have.
    let site = cast.sites[0].id;
    let mut ticket = Ticket::new(site);
    ticket.handoff.kid = SigningKey::generate([9; 32]).kid().clone();
    assert_eq!(to.issue(site, &ticket.handoff, &context()).await.unwrap(), Issuance::KeyRevoked);
    let (subject, new) = ("cust-6".parse().unwrap(), wanted(Status::Active));
    let mut came = Vec::new();
    for store in [from as &dyn Store, &to] {
        let put = store.put_member(site, &subject, &new, None, T0, &context()).await.unwrap();
        let MemberPut::Created(member) = put else { panic!("{put:?}") };
        came.push((member.revision, store.extent(&Trail::Site(site)).await.unwrap().newest));
    }
    assert_eq!(came[0], came[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_redis_that_holds_a_store_is_left_alone() {
    let ((source, _), server) = (Source::with_members(1).await, RedisServer::start());
    drop(connect(&server).await.unwrap());
    let before = everything(&server);
    let target = target(&server).await;
    assert_eq!(target.found().await.unwrap(), Found::Store);
    let refused = copy(&source.store, &target, |_, _| {}).await;
    assert!(matches!(refused, Err(CopyError::NotEmpty)), "{refused:?}");
    assert_eq!(everything(&server), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_store_that_is_written_meanwhile_nothing_is_kept() {
    let ((source, _), server) = (Source::with_members(3000).await, RedisServer::start());
    let mut first = true;
    let changed = copy(&source.store, &target(&server).await, |_, _| {
        if std::mem::take(&mut first) {
            source.write();
        }
    })
    .await;
    assert!(matches!(changed, Err(CopyError::Changed)), "{changed:?}");
    assert!(is_empty(&server));
    copy(&source.store, &target(&server).await, |_, _| {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_an_interrupted_copy_left_is_served_by_nobody_and_removed_by_the_next() {
    let ((source, site), server) = (Source::with_members(3000).await, RedisServer::start());
    let mut steps = Vec::new();
    let failed = copy(&source.store, &target(&server).await, |arrived, total| {
        if steps.is_empty() {
            server.signal("STOP");
        }
        steps.push((arrived, total));
    })
    .await;
    server.signal("CONT");
    assert!(matches!(failed, Err(CopyError::Abandoned(_))), "{failed:?}");
    assert_eq!(steps.len(), 1, "it is written batch by batch: {steps:?}");
    assert!(!is_empty(&server));
    let refused = connect(&server).await.unwrap_err().to_string();
    assert!(refused.contains("gatepass store copy"), "{refused}");
    // Not even what no copy would write again stays.
    server.command(&["SET", "gp:{site_x}:left", "1"]);
    let target = target(&server).await;
    assert_eq!(target.found().await.unwrap(), Found::Interrupted);
    let counts = copy(&source.store, &target, |_, _| {}).await.unwrap();
    assert_eq!(counts, count(&source.store).await.unwrap());
    assert!(!everything(&server).contains_key("gp:{site_x}:left"));
    let copied = connect(&server).await.unwrap();
    assert_eq!(copied.members(site.id, 0, 5000).await.unwrap().len(), 3000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_members_are_copied_in_batches() {
    let ((source, _), server) = (Source::with_members(10_000).await, RedisServer::start());
    let mut steps = vec![0];
    let counts = copy(&source.store, &target(&server).await, |arrived, _| steps.push(arrived)).await.unwrap();
    let all = Counts { sites: 1, members: 10_000, removed_members: 0, clients: 0, events: 10_001 };
    assert_eq!(counts, all);
    assert_eq!(steps.last(), Some(&all.total()));
    assert!(steps.windows(2).all(|step| step[1] - step[0] <= 500), "{steps:?}");
}
