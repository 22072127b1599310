//! Tokens are issued and redeemed without a pause, by two Gatepass on one Redis with sentinels, while the primary is
//! killed, cut off, emptied, flushed, stopped, paused and failed back. In the end a ledger says whether any token
//! let two attempts in, and whether any answer was one that nothing explains.
//!
//! `--long` (or `GATEPASS_TEST_LONG`): at least 20 promotions and 100,000 tokens. `--seed N` (or
//! `GATEPASS_TEST_SEED`): the order of an earlier run.

mod ledger;
mod rounds;
mod rules;
mod traffic;
mod wire;
mod world;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatepass_core::clock::{System, random_bytes};
use gatepass_tests::Result;
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::process::tail;
use gatepass_tests::sentinel::Group;

use crate::rounds::{Conductor, Fault};
use crate::traffic::Traffic;
use crate::world::World;
use gatepass_tests::dice::Dice;

/// More flags for `gatepass serve`: nobody here asks like a person.
const SERVE_FLAGS: &[&str] = &["--limit-member", "0", "--limit-token", "0", "--limit-address", "0"];
/// How many browsers click at a time.
const CLIENTS: u64 = 16;
/// What the long form is not content without.
const PROMOTIONS: u64 = 20;
const TOKENS: u64 = 100_000;

struct Options {
    long: bool,
    seed: u64,
}

fn options() -> Result<Options> {
    let fresh = u64::from_be_bytes(random_bytes(&System)?) >> 32;
    let seed = std::env::var("GATEPASS_TEST_SEED").ok().map_or(Ok(fresh), |text| text.parse())?;
    let mut options = Options { long: std::env::var_os("GATEPASS_TEST_LONG").is_some(), seed };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--long" => options.long = true,
            "--seed" => options.seed = arguments.next().ok_or("--seed needs a number")?.parse()?,
            other => return Err(format!("{other} is not known; there are --long and --seed N").into()),
        }
    }
    Ok(options)
}

fn main() -> Result<ExitCode> {
    let options = options()?;
    println!("seed {} (--seed {} has the same order of faults)", options.seed, options.seed);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::Builder::new().prefix("gatepass-failover.").tempdir()?;
    let group = Group::start(&folder.path().join("redis"))?;
    let first = Gatepass::start_with(&folder.path().join("gatepass"), &group.url(), SERVE_FLAGS)?;
    let second = first.beside(SERVE_FLAGS)?;

    let addresses = [first.address(), second.address()];
    let world = runtime.block_on(World::register(&first, &group.url()))?;
    let traffic = Arc::new(Traffic::new(addresses, world));
    let mut order = Dice::new(options.seed);
    let mut dice = Dice::new(order.roll());
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| runtime.spawn(Arc::clone(&traffic).click(Dice::new(dice.roll())))).collect();

    let began = Instant::now();
    let mut conductor = Conductor::new(&runtime, group, &first, Arc::clone(&traffic), Dice::new(dice.roll()));
    let played = conductor.begin().and_then(|()| play(&mut conductor, options.long, &mut order));
    traffic.stop();
    let ended: Result = runtime.block_on(async {
        for client in clients {
            client.await?;
        }
        // Whatever is still held back is presented now, when all is well.
        traffic.present_all_held(&mut dice).await;
        Ok(())
    });
    let seconds = began.elapsed().as_secs_f64();
    let mut faults = traffic.ledger.verdict();
    if let Err(error) = played.and(ended) {
        faults.push(format!("it did not come to its end: {error}"));
    }
    if std::fs::read_to_string(first.log()).is_ok_and(|log| log.contains("panicked")) {
        faults.push("gatepass serve panicked, see its log".to_owned());
    }

    println!("\n{}", traffic.ledger.table());
    println!("rounds                         {:>9}", conductor.rounds);
    println!("promotions                     {:>9}", conductor.promotions());
    println!("changes of the replication id  {:>9}", conductor.replication_ids);
    println!("{}", traffic.ledger.summary());
    println!("seconds                        {seconds:>9.0}");
    if faults.is_empty() {
        println!("\nno fault");
        return Ok(ExitCode::SUCCESS);
    }
    println!("\n{} faults (seed {}):", faults.len(), options.seed);
    faults.iter().take(50).for_each(|fault| println!("  {fault}"));
    println!("\nthe end of Gatepass's log:\n{}", tail(&first.log()));
    Ok(ExitCode::FAILURE)
}

/// The rounds: few of them, or all kinds over and over until it is enough.
fn play(conductor: &mut Conductor<'_>, long: bool, order: &mut Dice) -> Result {
    let calm = Duration::from_secs(if long { 5 } else { 2 });
    if !long {
        let another = [Fault::Kill, Fault::Stop, Fault::Pause][order.below(3)];
        let mut faults = [Fault::KillWhileReplicaLags, another, Fault::Flush];
        order.shuffle(&mut faults);
        return faults.into_iter().try_for_each(|fault| conductor.round(fault, calm, order));
    }
    while conductor.promotions() < PROMOTIONS || conductor.tokens() < TOKENS {
        let mut faults = Fault::ALL;
        order.shuffle(&mut faults);
        faults.into_iter().try_for_each(|fault| conductor.round(fault, calm, order))?;
    }
    Ok(())
}
