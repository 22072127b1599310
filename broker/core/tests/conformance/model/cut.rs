//! Cutting something off in mid-step, on either store, and being able to go on afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatepass_core::StoreError;
use gatepass_core::clock::System;
use gatepass_core::store::sqlite::Sqlite;

use super::steps::Cut;
use crate::stage::{Backend, RedisServer, Stage, T0};

/// How long the server is kept busy, so that what is sent to it meanwhile is met in one go.
const BUSY: &str = "local function us() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end \
                    local start = us() repeat until us() - start > 8000";

/// Starts `doing` and cuts it off. `None` if no answer came: then it happened, or not, but goes on no longer.
pub async fn cut_off<T: Send + 'static>(
    stage: &mut Stage,
    doing: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    cut: Cut,
) -> Option<T> {
    let answer = match &mut stage.backend {
        Backend::Redis(server) => match cut {
            Cut::Asker(micros) => lose_connections(server, doing, micros).await,
            Cut::Store(micros) => {
                let task = tokio::spawn(doing);
                tokio::time::sleep(Duration::from_micros(u64::from(micros))).await;
                server.kill();
                server.revive();
                task.await.unwrap()
            }
        },
        Backend::Sqlite { folder } => {
            let (Cut::Asker(micros) | Cut::Store(micros)) = cut;
            let path = folder.path().join("gatepass.db");
            let answer = abort(doing, micros).await;
            // What is on the store's own thread already comes to its end; whoever writes next waits for that.
            stage.store.sweep(T0).await.unwrap();
            if matches!(cut, Cut::Store(_)) {
                let open = || Arc::new(Sqlite::open(&path, &System).unwrap());
                stage.store = open();
                stage.other = open();
            }
            return answer;
        }
    };
    settle(stage).await;
    match answer {
        Ok(answer) => Some(answer),
        Err(StoreError::Unavailable(_)) => None,
        Err(other) => panic!("{other}"),
    }
}

impl Cut {
    /// Whether what was issued before is void: a Redis that was restarted is another primary.
    pub fn changes_primary(self, stage: &Stage) -> bool {
        matches!((self, &stage.backend), (Self::Store(_), Backend::Redis(_)))
    }
}

/// Goes away in the middle.
async fn abort<T: Send + 'static>(
    doing: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    micros: u16,
) -> Option<T> {
    let task = tokio::spawn(doing);
    // One thread runs all tasks: this lets it begin, and leaves the store's thread at work.
    tokio::task::yield_now().await;
    std::thread::sleep(Duration::from_micros(u64::from(micros / 4)));
    tokio::task::yield_now().await;
    task.abort();
    task.await.ok().map(Result::unwrap)
}

/// While the server is busy with something else, both the request and the order to close all connections arrive,
/// the one or the other first: it happens and nobody hears of it, or it does not happen.
async fn lose_connections<T: Send + 'static>(
    server: &RedisServer,
    doing: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    micros: u16,
) -> Result<T, StoreError> {
    let client = redis::Client::open(server.url()).unwrap();
    let (mut busy, mut killer) = (client.get_connection().unwrap(), client.get_connection().unwrap());
    busy.send_packed_command(&redis::cmd("EVAL").arg(BUSY).arg(0).get_packed_command()).unwrap();
    let mut kill = redis::cmd("CLIENT");
    kill.arg("KILL").arg("TYPE").arg("normal");
    let kill = kill.get_packed_command();
    let request_first = !micros.is_multiple_of(3);
    if !request_first {
        killer.send_packed_command(&kill).unwrap();
    }
    let task = tokio::spawn(doing);
    tokio::time::sleep(Duration::from_millis(2)).await;
    if request_first {
        killer.send_packed_command(&kill).unwrap();
    }
    let answer = task.await.unwrap();
    killer.recv_response().unwrap();
    answer
}

/// Goes on once both handles have a connection again. There is one thread, and so one connection for each.
async fn settle(stage: &Stage) {
    let since = Instant::now();
    for store in [&stage.store, &stage.other] {
        while store.ping().await.is_err() {
            assert!(since.elapsed() < Duration::from_secs(20), "the store does not come back");
        }
    }
}
