//! What is done to Redis, one thing at a time, each followed until all is well again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use gatepass_tests::Result;
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::sentinel::{Group, wait_until};
use tokio::runtime::Runtime;

use crate::traffic::Traffic;
use crate::world::World;
use gatepass_tests::dice::Dice;

/// One kind of misfortune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The primary is killed.
    Kill,
    /// The replica is cut off, tokens go on being issued and spent, the primary is killed: what becomes the primary
    /// does not know of them.
    KillWhileReplicaLags,
    /// The primary is killed and is back, empty, before a sentinel takes notice: its replica follows it.
    RestartEmpty,
    /// Somebody flushes the data.
    Flush,
    /// The primary is stopped (SIGSTOP) and goes on after the failover, as a primary that it takes itself for.
    Stop,
    /// The same by `CLIENT PAUSE`: what was sent to it in between waits inside of it.
    Pause,
    /// The primary is stopped for as long, and nobody takes its place: it goes on as if nothing had been.
    Silence,
    /// A planned failover, and back again: the first primary is the primary once more, within a token's life.
    FailBack,
}

impl Fault {
    pub const ALL: [Self; 8] = [
        Self::Kill,
        Self::KillWhileReplicaLags,
        Self::RestartEmpty,
        Self::Flush,
        Self::Stop,
        Self::Pause,
        Self::Silence,
        Self::FailBack,
    ];
}

/// For how long `CLIENT PAUSE` pauses: longer than a failover takes.
const PAUSE: Duration = Duration::from_secs(10);
/// How long the sentinels may take to agree on another primary, and then to make a replica of the old one (they wait
/// 8 s before they correct a server that comes back as a primary).
const PROMOTION: Duration = Duration::from_secs(40);
const REPAIR: Duration = Duration::from_secs(60);
/// Once there is a primary with its replica, both processes must work within this.
const RECOVERY: Duration = Duration::from_secs(10);

/// Does it, and counts.
pub struct Conductor<'a> {
    pub rounds: u32,
    pub replication_ids: u32,
    runtime: &'a Runtime,
    group: Group,
    gatepass: &'a Gatepass,
    traffic: Arc<Traffic>,
    /// For what depends on the moment; the order of things has dice of its own.
    dice: Dice,
}

impl<'a> Conductor<'a> {
    pub fn new(
        runtime: &'a Runtime,
        group: Group,
        gatepass: &'a Gatepass,
        traffic: Arc<Traffic>,
        dice: Dice,
    ) -> Self {
        Self { rounds: 0, replication_ids: 0, runtime, group, gatepass, traffic, dice }
    }

    pub fn promotions(&self) -> u64 {
        self.traffic.promotions.load(Ordering::Relaxed)
    }

    pub fn tokens(&self) -> u64 {
        self.traffic.ledger.tokens()
    }

    /// Waits until the replica has the data for the first time: before that nobody promised anything.
    pub fn begin(&mut self) -> Result {
        self.traffic.outages.begin();
        self.until_all_works()
    }

    /// Some calm, then the fault, until everything works again.
    pub fn round(&mut self, fault: Fault, calm: Duration, order: &mut Dice) -> Result {
        // A lag needs a primary that writes without its replica; else it is as the deployment may have it.
        let min_replicas = if fault == Fault::KillWhileReplicaLags { 0 } else { u8::from(order.percent(50)) };
        self.group.set_min_replicas(min_replicas)?;
        sleep(calm);
        let (began, primary) = (Instant::now(), self.group.primary().ok_or("the sentinels know no primary")?);
        let note = match fault {
            Fault::Kill => self.kill(primary)?,
            Fault::KillWhileReplicaLags => self.kill_while_replica_lags(primary)?,
            Fault::RestartEmpty => self.restart_empty(primary)?,
            Fault::Flush => self.flush(primary)?,
            Fault::Stop => self.stop(primary)?,
            Fault::Pause => self.pause(primary)?,
            Fault::Silence => self.silence(primary)?,
            Fault::FailBack => self.fail_back(primary)?,
        };
        self.until_all_works()?;
        self.rounds += 1;
        let last_refused = self.traffic.ledger.last_unavailable().unwrap_or(began).max(began) - began;
        println!(
            "round {:>2}  {:<20}  min-replicas {min_replicas}  {:>4.1} s, last 503 after {:>4.1} s  {:>6} tokens  {note}",
            self.rounds,
            format!("{fault:?}"),
            began.elapsed().as_secs_f64(),
            last_refused.as_secs_f64(),
            self.tokens(),
        );
        Ok(())
    }

    fn kill(&mut self, primary: usize) -> Result<String> {
        self.traffic.outages.begin();
        let id = self.group.replication_id();
        self.group.node(primary).service().kill()?;
        let promoted = self.until_promoted(primary, id.as_deref())?;
        self.group.node(primary).revive(false)?;
        Ok(promoted)
    }

    fn kill_while_replica_lags(&mut self, primary: usize) -> Result<String> {
        let redeemed = self.traffic.ledger.redeemed();
        self.group.node(1 - primary).command(&["REPLICAOF", "127.0.0.1", "1"])?;
        // What is spent now was issued, for the most part, while the replica still followed: it has the record, unspent.
        self.traffic.set_impatient(true);
        sleep(Duration::from_secs(2));
        self.traffic.set_impatient(false);
        let redeemed = self.traffic.ledger.redeemed() - redeemed;
        let lag = self.group.node(primary).offset()?.saturating_sub(self.group.node(1 - primary).offset()?);
        if lag == 0 || redeemed == 0 {
            return Err("the replica did not lag".into());
        }
        let promoted = self.kill(primary)?;
        Ok(format!("{promoted}, {lag} bytes and {redeemed} redemptions behind"))
    }

    fn restart_empty(&mut self, primary: usize) -> Result<String> {
        self.traffic.outages.begin();
        self.traffic.world().lose();
        let id = self.group.replication_id();
        self.group.node(primary).service().kill()?;
        self.group.node(primary).revive(true)?;
        self.until_whole()?;
        let same = self.group.primary() == Some(primary);
        self.note_replication_id(id.as_deref());
        if !same {
            // The sentinels were quicker: an ordinary failover.
            self.traffic.promotions.fetch_add(1, Ordering::Relaxed);
        }
        self.register_again()?;
        Ok(format!("{}, registered again", if same { "all data lost" } else { "promoted before" }))
    }

    fn flush(&mut self, primary: usize) -> Result<String> {
        self.traffic.world().lose();
        self.group.node(primary).command(&["FLUSHALL"])?;
        // What was remembered of the lost data is forgotten after a second.
        sleep(Duration::from_millis(1500));
        self.register(primary)?;
        Ok("all data lost, registered again".to_owned())
    }

    fn stop(&mut self, primary: usize) -> Result<String> {
        self.traffic.outages.begin();
        let id = self.group.replication_id();
        self.group.node(primary).service().pause()?;
        let promoted = self.until_promoted(primary, id.as_deref());
        sleep(Duration::from_secs(2));
        self.group.node(primary).service().resume()?;
        Ok(format!("{}, and the old one went on", promoted?))
    }

    fn pause(&mut self, primary: usize) -> Result<String> {
        self.traffic.outages.begin();
        let id = self.group.replication_id();
        let millis = PAUSE.as_millis().to_string();
        self.group.node(primary).command(&["CLIENT", "PAUSE", &millis, "ALL"])?;
        let promoted = self.until_promoted(primary, id.as_deref())?;
        Ok(format!("{promoted}, and the old one went on"))
    }

    fn silence(&mut self, primary: usize) -> Result<String> {
        self.traffic.outages.begin();
        self.group.set_patience(true)?;
        self.group.node(primary).service().pause()?;
        sleep(PAUSE);
        self.group.node(primary).service().resume()?;
        self.until_whole()?;
        self.group.set_patience(false)?;
        let same = self.group.primary() == Some(primary);
        if same { Ok("no failover".to_owned()) } else { Err("a failover that nobody wanted".into()) }
    }

    fn fail_back(&mut self, primary: usize) -> Result<String> {
        self.traffic.outages.begin();
        let there = self.planned_failover(primary)?;
        self.until_all_works()?;
        self.traffic.outages.begin();
        let back = self.planned_failover(1 - primary)?;
        Ok(format!("{there}, and back: {back}"))
    }

    fn planned_failover(&mut self, primary: usize) -> Result<String> {
        let id = self.group.replication_id();
        // Refused while the sentinels are still busy with the one before.
        wait_until(PROMOTION, "the sentinels take the order", || self.group.ask_for_failover().is_ok())?;
        self.until_promoted(primary, id.as_deref())
    }

    /// Waits until the other server is the primary.
    fn until_promoted(&mut self, primary: usize, id: Option<&str>) -> Result<String> {
        let took = wait_until(PROMOTION, "the replica is promoted", || {
            self.group.primary() == Some(1 - primary) && self.group.replication_id().is_some()
        })?;
        self.note_replication_id(id);
        self.traffic.promotions.fetch_add(1, Ordering::Relaxed);
        Ok(format!("promoted after {:.1} s", took.as_secs_f64()))
    }

    fn note_replication_id(&mut self, before: Option<&str>) {
        self.replication_ids += u32::from(self.group.replication_id().as_deref() != before);
    }

    fn until_whole(&self) -> Result {
        wait_until(REPAIR, "there is a primary with its replica", || self.group.is_whole())?;
        Ok(())
    }

    /// Waits for the sentinels' repair, then for both processes, and ends the outage.
    fn until_all_works(&mut self) -> Result {
        self.until_whole()?;
        wait_until(RECOVERY, "both processes work again", || {
            self.runtime.block_on(async {
                let mut good = true;
                for process in [0, 1, 0, 1] {
                    good &= self.traffic.works(process, &mut self.dice).await;
                }
                good
            })
        })?;
        self.traffic.outages.end();
        Ok(())
    }

    fn register_again(&mut self) -> Result {
        wait_until(RECOVERY, "both processes are ready", || {
            self.runtime.block_on(async {
                let [first, second] = &self.traffic.processes;
                self.traffic.wire.is_ready(first).await && self.traffic.wire.is_ready(second).await
            })
        })?;
        let primary = self.group.primary().ok_or("the sentinels know no primary")?;
        self.register(primary)
    }

    /// Registers anew, and waits until the replica knows of it. What no replica has is lost with its primary, and the
    /// traffic would be of a world that never was.
    fn register(&mut self, primary: usize) -> Result {
        let world = self.runtime.block_on(World::register(self.gatepass, &self.group.url()))?;
        let registered = self.group.node(primary).offset()?;
        wait_until(REPAIR, "the replica has the registration", || {
            self.group.node(1 - primary).offset().is_ok_and(|replicated| replicated >= registered)
        })?;
        self.traffic.move_to(world);
        Ok(())
    }
}
