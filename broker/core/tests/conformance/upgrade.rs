//! Stores that another release of Gatepass wrote: an older one's are brought up to date, a newer one's are refused;
//! either way nothing is lost.

use std::path::Path;

use gatepass_core::change::Acknowledged;
use gatepass_core::clock::System;
use gatepass_core::handoff::Issuance;
use gatepass_core::heartbeat::Heartbeat;
use gatepass_core::limit::{Limits, Rate};
use gatepass_core::member::Status;
use gatepass_core::store::{Clients, Events, Feed, Handoffs, MemberPut, Members, Sites};
use gatepass_core::store::{
    redis::{Options, Redis},
    sqlite::Sqlite,
};
use gatepass_core::trail::{Reading, Trail};
use gatepass_core::{SiteId, StoreError};

use crate::changes::synced;
use crate::heartbeat::heartbeat;
use crate::pairing::{proven, put_code};
use crate::stage::{RedisServer, T0, Ticket, context, new_site, wanted};

const SITE: &str = "site_agrag6hy5byvbdbav5e43yh4bu";

fn schema_of(path: &Path) -> i64 {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

fn schema_of_a_new_file() -> i64 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepass.db");
    drop(Sqlite::open(&path, &System).unwrap());
    schema_of(&path)
}

/// What made each older schema out of the one before.
const STEPS: [&str; 4] = [
    include_str!("../../src/store/sqlite/schema/2.sql"),
    include_str!("../../src/store/sqlite/schema/3.sql"),
    include_str!("../../src/store/sqlite/schema/4.sql"),
    include_str!("../../src/store/sqlite/schema/5.sql"),
];

/// A file of an older schema, with what the release that wrote the first put in.
fn old_file(folder: &Path, schema: usize) -> std::path::PathBuf {
    let path = folder.join("gatepass.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(include_str!("fixtures/schema-1.sql")).unwrap();
    for (step, version) in STEPS[..schema - 1].iter().zip(2..) {
        connection.execute_batch(step).unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
    }
    drop(connection);
    assert_eq!(schema_of(&path), i64::try_from(schema).unwrap());
    path
}

#[tokio::test]
async fn an_older_schema_is_migrated_with_all_that_is_in_it() {
    for schema in 1..=STEPS.len() + 1 {
        assert_migrated(schema).await;
    }
}

async fn assert_migrated(schema: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = old_file(folder.path(), schema);
    // The second opening finds it migrated already.
    for _ in 0..2 {
        let store = Sqlite::open(&path, &System).unwrap();
        let site: SiteId = SITE.parse().unwrap();
        let found = store.site(site).await.unwrap().unwrap();
        assert_eq!(found.policy.renew_url.unwrap().as_str(), "https://panel.example.com/renew");
        assert_eq!(store.clients().await.unwrap()[0].client.name, "old-panel");
        let member = store.member(site, &"cust-active".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((member.revision, member.wanted.email.as_str()), (1, "active@example.com"));
        let events = store.events(&Trail::Site(site), Reading::After(0), 4).await.unwrap();
        assert_eq!(events.len(), 4);
        assert_eq!(events[3].kind, "member.changed");

        // What came with the newer schema works on it.
        let store = store.limited(Limits { member: Rate::per_minute(1), ..Limits::NONE });
        let issue = async || {
            let ticket = Ticket::for_subject(site, "cust-active", T0);
            store.issue(site, &ticket.handoff, &context()).await.unwrap()
        };
        let first = issue().await;
        assert!(matches!(first, Issuance::Issued | Issuance::Limited(_)), "{first:?}");
        assert!(matches!(issue().await, Issuance::Limited(_)));
        put_code(&store, site, "code", true, T0).await;
        store.pair(site, &proven("code", 1), T0, &context()).await.unwrap();
        let said = Heartbeat { url: found.origin.url().clone(), ..heartbeat() };
        store.hear(site, &said, T0, &context()).await.unwrap();
        assert!(store.site(site).await.unwrap().unwrap().pulse.seen.is_some());
        assert_eq!(store.behind(10).await.unwrap(), [site]);
        let all = store.changes(site, None, 0, 10, T0).await.unwrap().unwrap();
        let positions: Vec<_> = all.members.iter().map(|change| (change.position, change.revision)).collect();
        assert!(positions.iter().zip(1..).all(|(found, number)| *found == (number, number)), "{positions:?}");
        let acks = [synced("cust-active", 1)];
        let kept = store.acknowledge(site, &all.epoch, &acks, T0, &context()).await.unwrap();
        assert_eq!(kept, Acknowledged::Kept { kept: 1 });
    }
    assert_eq!(schema_of(&path), schema_of_a_new_file());
}

/// The layout of Redis has no number for it: what an older Gatepass did not write is known from what it did.
#[tokio::test]
async fn members_that_an_older_gatepass_put_into_redis_are_followed() {
    let server = RedisServer::start();
    let store = Redis::connect(&server.url(), &Options::default()).await.unwrap();
    let site = new_site("default", "https://example.com");
    store.create_site(&site, T0, &context()).await.unwrap();
    put_code(&store, site.id, "code", true, T0).await;
    store.pair(site.id, &proven("code", 1), T0, &context()).await.unwrap();
    let subject = "cust-1".parse().unwrap();
    store.put_member(site.id, &subject, &wanted(Status::Active), None, T0, &context()).await.unwrap();
    server.command(&["HDEL", &format!("gp:{{{}}}:m:cust-1", site.id), "position", "effect"]);
    server.command(&["DEL", "gp:behind", "gp:{gp:behind}:epoch", "gp:{gp:behind}:handles"]);

    assert_eq!(store.behind(10).await.unwrap(), [site.id]);
    let all = store.changes(site.id, None, 0, 10, T0).await.unwrap().unwrap();
    assert_eq!((all.members[0].position, all.members[0].revision), (1, 1));
    assert_eq!(store.sync(site.id, &subject).await.unwrap().unwrap().position, 1);
    assert_eq!(store.members(site.id, 0, 10).await.unwrap()[0].following.position, 1);
    let kept = store.acknowledge(site.id, &all.epoch, &[synced("cust-1", 1)], T0, &context()).await.unwrap();
    assert_eq!(kept, Acknowledged::Kept { kept: 1 });
    let put =
        store.put_member(site.id, &subject, &wanted(Status::Paused), None, T0, &context()).await.unwrap();
    assert!(matches!(put, MemberPut::Updated(member) if member.following.position == 2));
}

#[test]
fn a_migration_that_fails_leaves_the_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = old_file(folder.path(), 1);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE buckets (somebody TEXT)").unwrap();
    let error = Sqlite::open(&path, &System).unwrap_err().to_string();
    assert!(error.contains("gatepass.db") && error.contains("buckets"), "{error}");
    assert_eq!(schema_of(&path), 1);
    connection.execute_batch("DROP TABLE buckets").unwrap();
    drop(Sqlite::open(&path, &System).unwrap());
    assert!(schema_of(&path) > 1);
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
    assert!(error.to_string().contains("newer gatepass"), "{error}");
    assert_eq!(schema_of(&path), 99);
}

#[tokio::test]
async fn a_redis_of_a_newer_layout_is_refused_and_left_alone() {
    let server = RedisServer::start();
    drop(Redis::connect(&server.url(), &Options::default()).await.unwrap());
    drop(Redis::connect(&server.url(), &Options::default()).await.unwrap());
    server.command(&["SET", "gp:schema", "99"]);
    let error = Redis::connect(&server.url(), &Options::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 99, .. }), "{error}");
    assert_eq!(server.query::<i64>(&["GET", "gp:schema"]).unwrap(), 99);
}
