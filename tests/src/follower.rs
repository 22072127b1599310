//! What a site does in the store when it follows, without the site: for tests of those who wait for it.

use std::path::Path;
use std::time::Duration;

use gatepass_core::change::{Ack, Applied, Change, Session, SyncError};
use gatepass_core::clock::System;
use gatepass_core::event::{Actor, Context};
use gatepass_core::store::redis::{Options, Redis};
use gatepass_core::store::{Feed, sqlite::Sqlite};
use gatepass_core::{Clock, SiteId};

use crate::Result;

/// A site's cursor.
#[derive(Debug)]
pub struct Follower {
    store: Box<dyn Feed>,
    site: SiteId,
    epoch: Option<String>,
    cursor: u64,
}

impl Follower {
    /// Of this site, in the database of a Gatepass with this data folder.
    pub fn in_sqlite(data: &Path, site: &str) -> Result<Self> {
        Self::new(Box::new(Sqlite::open(&data.join("gatepass.db"), &System)?), site)
    }

    /// Of this site, in this Redis.
    pub async fn in_redis(url: &str, site: &str) -> Result<Self> {
        Self::new(Box::new(Redis::connect(url, &Options::default()).await?), site)
    }

    fn new(store: Box<dyn Feed>, site: &str) -> Result<Self> {
        Ok(Self { store, site: site.parse()?, epoch: None, cursor: 0 })
    }

    /// Pulls all there is.
    pub async fn pull(&mut self) -> Result<Vec<Change>> {
        let mut pulled = Vec::new();
        loop {
            let (epoch, now) = (self.epoch.as_deref(), System.now());
            let page = self.store.changes(self.site, epoch, self.cursor, 100, now).await?;
            let page = page.ok_or("no such site")?;
            (self.epoch, self.cursor) = (Some(page.epoch), page.next);
            if page.members.is_empty() {
                return Ok(pulled);
            }
            pulled.extend(page.members);
        }
    }

    /// Says of a change what came of it.
    pub async fn acknowledge(
        &self,
        change: &Change,
        applied: Applied,
        sessions: Option<Vec<Session>>,
    ) -> Result {
        let context = Context::new("follower".parse()?, Actor::Site);
        let ack = Ack { subject: change.subject.clone(), position: change.position, applied, sessions };
        let epoch = self.epoch.as_deref().ok_or("nothing was pulled yet")?;
        self.store.acknowledge(self.site, epoch, &[ack], System.now(), &context).await?;
        Ok(())
    }

    /// Pulls, and says of every change that it was made so for this user; of each that asks for sessions, these.
    pub async fn follow(&mut self, user: u64, sessions: &[Session]) -> Result<usize> {
        let changes = self.pull().await?;
        for change in &changes {
            let applied = Applied::Synced { wordpress_user_id: change.wanted.as_ref().map(|_| user) };
            let told = change.report_sessions.then(|| sessions.to_vec());
            self.acknowledge(change, applied, told).await?;
        }
        Ok(changes.len())
    }

    /// Pulls, and refuses every change.
    pub async fn refuse(&mut self, code: &str, message: &str) -> Result<usize> {
        let changes = self.pull().await?;
        for change in &changes {
            let error = SyncError { code: code.to_owned(), message: message.to_owned() };
            self.acknowledge(change, Applied::Failed(error), None).await?;
        }
        Ok(changes.len())
    }

    /// Follows for so long, every few milliseconds.
    pub async fn follow_for(&mut self, time: Duration, user: u64, sessions: &[Session]) -> Result {
        let began = std::time::Instant::now();
        while began.elapsed() < time {
            self.follow(user, sessions).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}
