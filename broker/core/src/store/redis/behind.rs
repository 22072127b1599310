//! Which sites have something to pull.
//!
//! A site's own keys lie in its own slot, so what is behind is kept outside of it, in one hash. A site is marked there
//! *before* what it is to pull is written, on the same connection: a crash in between leaves a mark too many, and a
//! replica that has the change has the mark. Whoever looks at a marked site and finds that it has pulled everything takes
//! the mark off, if it is still the one that was seen before looking. So each mark is one of its kind.
//!
//! After a change of the primary every site is behind: then all are marked once.

use std::sync::atomic::{AtomicU64, Ordering};

use ::redis::aio::ConnectionLike;
use ::redis::{AsyncCommands, Cmd, InfoDict, Pipeline, RedisFuture, ScriptInvocation, Value};
use tokio::sync::OnceCell;

use super::link::error_in;
use super::{Redis, keys, parsed, required};
use crate::id::SiteId;
use crate::store::{Result, Sites};
use crate::trail::Trail;

/// How many sites are marked at a time.
const AT_A_TIME: usize = 1000;

/// Makes marks of which none is like another.
#[derive(Default)]
pub(super) struct Marks {
    /// The number of this handle on the store, which no other has.
    handle: OnceCell<u64>,
    given: AtomicU64,
}

impl Redis {
    async fn new_mark(&self) -> Result<String> {
        let number = async || self.connection().incr(keys::BEHIND_HANDLES, 1).await;
        let handle = self.marks.handle.get_or_try_init(number).await?;
        Ok(format!("{handle}-{}", self.marks.given.fetch_add(1, Ordering::Relaxed)))
    }

    /// A connection on which whatever is sent marks a site first.
    pub(super) async fn marking<'a, C>(&self, site: SiteId, through: &'a mut C) -> Result<Marking<'a, C>> {
        let mut mark = ::redis::cmd("HSET");
        mark.arg(keys::BEHIND).arg(site.to_string()).arg(self.new_mark().await?);
        Ok(Marking { through, mark })
    }

    /// Paired sites that have not pulled everything.
    pub(super) async fn sites_behind(&self, limit: usize) -> Result<Vec<SiteId>> {
        let epoch = self.epoch().await?;
        let marked_in: Option<String> = self.connection().get(keys::BEHIND_EPOCH).await?;
        if marked_in.as_ref() != Some(&epoch) {
            self.mark_all().await?;
            let () = self.connection().set(keys::BEHIND_EPOCH, &epoch).await?;
        }
        let count = isize::try_from(limit).unwrap_or(isize::MAX);
        let some = ::redis::cmd("HRANDFIELD").arg(keys::BEHIND).arg(count).arg("WITHVALUES").to_owned();
        let marked: Vec<(String, String)> = some.query_async(&mut self.connection()).await?;
        let mut behind = Vec::new();
        for (name, mark) in marked {
            let site: SiteId = parsed(&name)?;
            if self.is_behind(site, &epoch).await? {
                behind.push(site);
            } else {
                let mut unmark = self.scripts.unmark.prepare_invoke();
                unmark.key(keys::BEHIND).arg(name).arg(mark);
                let _: i64 = self.run(&unmark).await?;
            }
        }
        Ok(behind)
    }

    async fn is_behind(&self, site: SiteId, epoch: &str) -> Result<bool> {
        let state = keys::state(&Trail::Site(site));
        let (is_paired, at): (bool, Vec<Option<String>>) = ::redis::pipe()
            .hexists(keys::site(site), "paired")
            .hmget(state, &["revision", "pulled", "pulled_epoch"])
            .query_async(&mut self.connection())
            .await?;
        let at = |index: usize| at.get(index).and_then(Option::as_deref);
        let number = |text: Option<&str>| text.map_or(Ok(0), parsed::<u64>);
        Ok(is_paired && (at(2) != Some(epoch) || number(at(1))? < number(at(0))?))
    }

    /// Marks every site there is.
    async fn mark_all(&self) -> Result<()> {
        for sites in self.all_sites().await?.chunks(AT_A_TIME) {
            let mark = self.new_mark().await?;
            let marks: Vec<_> = sites.iter().map(|site| (site.to_string(), mark.as_str())).collect();
            let () = self.connection().hset_multiple(keys::BEHIND, &marks).await?;
        }
        Ok(())
    }

    /// Which primary answers: what the scripts call `primary()`.
    async fn epoch(&self) -> Result<String> {
        let ask = ::redis::cmd("INFO").arg("replication").to_owned();
        let info: InfoDict = ask.query_async(&mut self.connection()).await?;
        required(info.get("master_replid"), "master_replid")
    }

    /// Runs a script that gives a site something to pull.
    pub(super) async fn run_marked<T: ::redis::FromRedisValue>(
        &self,
        site: SiteId,
        call: &ScriptInvocation<'_>,
    ) -> Result<T> {
        let mut link = self.connection();
        Ok(call.invoke_async(&mut self.marking(site, &mut link).await?).await?)
    }

    /// The same for one that takes rights away; an answer that tells that nothing was written is not waited with.
    pub(super) async fn run_marked_durably<T: ::redis::FromRedisValue>(
        &self,
        site: SiteId,
        call: &ScriptInvocation<'_>,
        written: impl FnOnce(&T) -> bool,
    ) -> Result<T> {
        let mut lane = self.lane().await?;
        let answer = call.invoke_async(&mut self.marking(site, &mut lane).await?).await?;
        if written(&answer) {
            lane.reach_replicas().await?;
        } else {
            lane.give_back();
        }
        Ok(answer)
    }
}

/// A connection that sends the mark of a site in front of each command, in one go.
pub(super) struct Marking<'a, C> {
    through: &'a mut C,
    mark: Cmd,
}

impl<C: ConnectionLike + Send> ConnectionLike for Marking<'_, C> {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let mut both = Pipeline::with_capacity(2);
            both.add_command(self.mark.clone()).add_command(command.clone());
            let values = self.through.req_packed_commands(&both, 0, 2).await?;
            let failed = values.iter().find(|value| error_in(value).is_some()).cloned();
            Ok(failed.or_else(|| values.into_iter().next_back()).unwrap_or(Value::Nil))
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.through.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        0
    }
}
