//! What a store says when it cannot answer. Each kind has faults of its own.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use gatepass_core::clock::System;
use gatepass_core::handoff::{Issuance, Refusal};
use gatepass_core::member::Status;
use gatepass_core::store::{Errand, Handoffs, Members, Sites};
use gatepass_core::store::{
    redis::{Options, Redis},
    sqlite::Sqlite,
};
use gatepass_core::{Store, StoreError};

use crate::stage::{Backend, Came, RedisServer, Stage, T0, Ticket, after, context, new_site};

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_redis_is_unavailable_and_the_same_attempt_finds_out() {
    let stage = Stage::redis().await;
    let Backend::Redis(server) = &stage.backend else { panic!() };
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    server.command(&["CLIENT", "PAUSE", "3000", "ALL"]);
    let asked = Instant::now();
    let answer = stage.store.redeem(site, &ticket.presented, T0, &context()).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert!(asked.elapsed() < Duration::from_secs(3), "it waited for {:?}", asked.elapsed());
    let mut came = None;
    while came.is_none() {
        assert!(asked.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(100)).await;
        let answer = stage.store.redeem(site, &ticket.presented, after(4000), &context()).await;
        came = answer.ok().map(crate::stage::came);
    }
    assert!(matches!(came, Some(Came::Redeemed | Came::Repeated)), "{came:?}");
    assert_eq!(stage.redeem(&ticket.by_attempt(2), after(4000)).await, Came::Refused(Refusal::Used));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_paused_nobody_waits_for_a_queue_of_others() {
    let server = RedisServer::start();
    // To connect takes an answer here (to SELECT), as it does with a password or by Sentinel.
    let store = Redis::connect(&format!("{}1", server.url()), &Options::default()).await.unwrap();
    let ticket = Ticket::new(crate::stage::new_site("default", "https://example.com").id);
    server.command(&["CLIENT", "PAUSE", "300000", "ALL"]);
    // At first the connection is there and silent; after that there is none.
    for _ in 0..2 {
        let asked = Instant::now();
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..32 {
            let (store, ticket) = (store.clone(), ticket.clone());
            all.spawn(async move { store.redeem(ticket.site, &ticket.presented, T0, &context()).await });
        }
        for answer in all.join_all().await {
            assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
        }
        assert!(asked.elapsed() < Duration::from_secs(8), "the last one waited for {:?}", asked.elapsed());
    }
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_named() {
    let server = RedisServer::start();
    let url = server.url();
    drop(server);
    let error = Redis::connect(&url, &Options::default()).await.unwrap_err().to_string();
    assert!(error.contains("no Redis at 127.0.0.1:"), "{error}");
    let error = Redis::connect("http://127.0.0.1/", &Options::default()).await.unwrap_err().to_string();
    assert!(error.contains("no Redis URL"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_is_followed_and_nothing_is_redeemed_twice() {
    let persistent = ["--appendonly", "yes", "--min-replicas-max-lag", "1"];
    let mut servers = [RedisServer::start_with(&persistent), RedisServer::start_with(&persistent)];
    servers[1].command(&["REPLICAOF", "127.0.0.1", &servers[0].port().to_string()]);
    let sentinels: Vec<_> = (0..3).map(|_| RedisServer::start_sentinel(servers[0].port())).collect();
    wait("the sentinels see each other and the replica", || {
        sentinels.iter().all(|sentinel| {
            let seen = |what| {
                sentinel.query::<Vec<redis::Value>>(&["SENTINEL", what, "gatepass"]).map_or(0, |v| v.len())
            };
            seen("sentinels") == 2 && seen("replicas") == 1
        })
    });
    let ports = [servers[0].port(), servers[1].port()];
    let nodes: Vec<_> = sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port())).collect();
    let url = format!("redis+sentinel://{}/gatepass", nodes.join(","));
    let store = Redis::connect(&url, &Options::default()).await.unwrap();
    let site = crate::stage::new_site("default", "https://example.com");
    store.create_site(&site, T0, &context()).await.unwrap();
    let (subject, wanted) = ("cust-1".parse().unwrap(), crate::stage::wanted(Status::Active));
    store.put_member(site.id, &subject, &wanted, None, T0, &context()).await.unwrap();
    let redeem = async |ticket: &Ticket| {
        store.redeem(site.id, &ticket.presented, T0, &context()).await.map(crate::stage::came)
    };

    // Who is primary is for the sentinels to say: on a busy machine they may change their minds once more.
    let primary = || {
        let says = sentinels.iter().find_map(|sentinel| {
            sentinel.query::<(String, u16)>(&["SENTINEL", "get-master-addr-by-name", "gatepass"]).ok()
        });
        says.and_then(|(_, port)| ports.iter().position(|known| *known == port))
    };
    for round in 0..2 {
        let (spent, fresh) = (Ticket::new(site.id), Ticket::new(site.id));
        for ticket in [&spent, &fresh] {
            assert_eq!(store.issue(site.id, &ticket.handoff, &context()).await.unwrap(), Issuance::Issued);
        }
        assert_eq!(redeem(&spent).await.unwrap(), Came::Redeemed);
        wait("the replica has it all", || {
            let wait = primary().map(|primary| servers[primary].query::<i64>(&["WAIT", "1", "1000"]));
            matches!(wait, Some(Ok(1)))
        });
        let killed = primary().expect("there is a primary");
        servers[killed].kill();

        let since = Instant::now();
        let came = loop {
            match redeem(&fresh).await {
                Ok(came) => break came,
                Err(error) => assert!(matches!(error, StoreError::Unavailable(_)), "{error}"),
            }
            assert!(since.elapsed() < Duration::from_secs(30), "it does not find the new primary");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert_eq!(came, Came::Refused(Refusal::Superseded), "round {round}");
        assert_eq!(redeem(&spent).await.unwrap(), Came::Refused(Refusal::Superseded), "round {round}");
        assert_eq!(redeem(&spent.by_attempt(2)).await.unwrap(), Came::Refused(Refusal::Superseded));
        let ticket = Ticket::new(site.id);
        assert_eq!(store.issue(site.id, &ticket.handoff, &context()).await.unwrap(), Issuance::Issued);
        assert_eq!(redeem(&ticket).await.unwrap(), Came::Redeemed);
        // The sentinels make a replica of it, after some 10 seconds.
        servers[killed].revive();
    }
}

/// Waits until `ready` says so, up to 30 seconds.
pub fn wait(what: &str, ready: impl Fn() -> bool) {
    let asked = Instant::now();
    while !ready() {
        assert!(asked.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_password_in_the_redis_url_does_not_show() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let error = runtime
        .block_on(Redis::connect("redis://user:hunter2@127.0.0.1:1/", &Options::default()))
        .unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn a_restored_backup_brings_no_spent_token_back() {
    let stage = Stage::sqlite().await;
    let Backend::Sqlite { folder } = &stage.backend else { panic!() };
    let (path, backup) = (folder.path().join("gatepass.db"), folder.path().join("backup.db"));
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    let beside = Sqlite::open(&path, &System).unwrap();
    beside.back_up(&backup).await.unwrap();
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Redeemed);
    // Nobody else may read it, and it takes no other file's place.
    assert_eq!(std::fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(beside.back_up(&backup).await, Err(StoreError::Unavailable(_))));
    drop(beside);

    // A plain restart forgets nothing and voids nothing.
    let fresh = stage.issued(site).await;
    let again = Sqlite::open(&path, &System).unwrap();
    let came = crate::stage::came(again.redeem(site, &fresh.presented, T0, &context()).await.unwrap());
    assert_eq!(came, Came::Redeemed);
    drop(again);

    for leftover in ["gatepass.db", "gatepass.db-wal", "gatepass.db-shm"] {
        std::fs::remove_file(folder.path().join(leftover)).ok();
    }
    std::fs::copy(&backup, &path).unwrap();
    let restored = Sqlite::open(&path, &System).unwrap();
    let thief = ticket.by_attempt(2);
    let came = crate::stage::came(restored.redeem(site, &thief.presented, T0, &context()).await.unwrap());
    assert_eq!(came, Came::Refused(Refusal::Superseded));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_another_process_holds_the_file_reads_are_answered_and_writers_wait_once() {
    let stage = Stage::sqlite().await;
    let Backend::Sqlite { folder } = &stage.backend else { panic!() };
    let site = stage.site().await;
    let other = rusqlite::Connection::open(folder.path().join("gatepass.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let asked = Instant::now();
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..4 {
        let store = std::sync::Arc::clone(&stage.store);
        writers.spawn(async move {
            let (subject, wanted) =
                (format!("c{number}").parse().unwrap(), crate::stage::wanted(Status::Active));
            store.put_member(site, &subject, &wanted, None, T0, &context()).await
        });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    stage.store.ping().await.unwrap();
    assert!(stage.store.site(site).await.unwrap().is_some());
    assert!(asked.elapsed() < Duration::from_secs(2), "a read waited for {:?}", asked.elapsed());
    for answer in writers.join_all().await {
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    assert!(asked.elapsed() < Duration::from_secs(12), "the last writer waited for {:?}", asked.elapsed());
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepass.db");
    let text = "this is not a database, it is a text that someone wants to keep\n".repeat(100);
    std::fs::write(&path, &text).unwrap();
    let error = Sqlite::open(&path, &System).unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt(why) if why.contains("gatepass.db")), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_file_that_is_closed_leaves_no_log_behind_although_handles_on_it_live_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepass.db");
    let log = folder.path().join("gatepass.db-wal");
    let store = Sqlite::open(&path, &System).unwrap();
    let handle = store.clone();
    store.create_site(&new_site("default", "https://example.com"), T0, &context()).await.unwrap();
    handle.ping().await.unwrap();
    assert!(log.exists());
    store.close().await;
    assert!(!log.exists());
    for answer in [handle.ping().await, handle.try_writing().await, store.sweep(T0).await.map(drop)] {
        assert!(matches!(&answer, Err(StoreError::Unavailable(why)) if why.contains("closed")), "{answer:?}");
    }
    handle.close().await;
    assert!(!log.exists());
    Sqlite::open(&path, &System).unwrap().ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closing_waits_for_what_is_being_done() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("gatepass.db"), &System).unwrap();
        let mut busy = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (writer, checker) = (store.clone(), store.clone());
            busy.spawn(async move { while writer.try_writing().await.is_ok() {} });
            busy.spawn(async move { while checker.ping().await.is_ok() && checker.check().await.is_ok() {} });
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        store.close().await;
        assert!(!folder.path().join("gatepass.db-wal").exists());
        busy.join_all().await;
        assert!(!folder.path().join("gatepass.db-wal").exists());
    }
}

/// A crash in between leaves a mark too many, never one too few.
#[tokio::test]
async fn a_site_is_marked_before_it_has_something_to_pull() {
    let stage = Stage::redis().await;
    let Backend::Redis(server) = &stage.backend else { panic!() };
    let site = stage.site_with_member().await;
    let subject = "cust-1".parse().unwrap();
    server.command(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    server.command(&["SLOWLOG", "RESET"]);
    stage.store.ask_of_site(site, &subject, Errand::EndSessions, T0, &context()).await.unwrap();
    let newest_first: Vec<(i64, i64, i64, Vec<String>, String, String)> =
        server.query(&["SLOWLOG", "GET", "100"]).unwrap();
    let calls: Vec<_> = newest_first.iter().rev().map(|(_, _, _, words, ..)| words.join(" ")).collect();
    let of = |begin: &str| calls.iter().position(|call| call.starts_with(begin));
    let (marked, done) = (of(&format!("HSET gp:behind {site}")), of("EVALSHA"));
    assert!(marked.is_some() && marked < done, "{calls:?}");
}
