//! What a store says when it cannot answer. Each kind has faults of its own.

use std::time::{Duration, Instant};

use gatepass_core::StoreError;
use gatepass_core::clock::System;
use gatepass_core::handoff::Refusal;
use gatepass_core::store::{redis::Redis, sqlite::Sqlite};

use crate::stage::{Backend, Came, RedisServer, Stage, T0, after, context};

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

#[tokio::test]
async fn a_redis_that_is_not_there_is_named() {
    let server = RedisServer::start();
    let url = server.url();
    drop(server);
    let error = Redis::connect(&url).await.unwrap_err().to_string();
    assert!(error.contains("no Redis at 127.0.0.1:"), "{error}");
    let error = Redis::connect("http://127.0.0.1/").await.unwrap_err().to_string();
    assert!(error.contains("no Redis URL"), "{error}");
}

#[test]
fn a_password_in_the_redis_url_does_not_show() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let error = runtime.block_on(Redis::connect("redis://user:hunter2@127.0.0.1:1/")).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepass.db");
    drop(Sqlite::open(&path, &System).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let error = Sqlite::open(&path, &System).unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 99, .. }), "{error}");
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(found, 99);
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
