//! Keys are rotated again and again while customers log in: two brokers on one keyring, two bridges without any, a real
//! WordPress with its pinned key set, and clicks that take their time. No login may fail. In the end all keys are replaced
//! at once, as after a theft: from the command's return no token by an old key may let anybody in, at either bridge, and
//! the next click has to work.
//!
//! The short form rotates 8 times; `--long` (or `GATEPASS_TEST_LONG`) 50 times, in minutes.

mod clicks;
mod tally;
mod world;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use gatepass_tests::Result;
use gatepass_tests::process::tail;

use crate::world::World;

fn rotations() -> Result<usize> {
    let mut long = std::env::var_os("GATEPASS_TEST_LONG").is_some();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--long" => long = true,
            other => return Err(format!("{other} is not known; there is --long").into()),
        }
    }
    Ok(if long { 50 } else { 8 })
}

fn main() -> Result<ExitCode> {
    let rotations = rotations()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(rotate(rotations))
}

async fn rotate(rotations: usize) -> Result<ExitCode> {
    let world = Arc::new(World::start().await?);
    let clicks = clicks::begin(&world);

    let began = Instant::now();
    let first = world.active_key()?;
    for _ in 0..rotations {
        world.command(&["keys", "rotate", "--wait", "--yes"]).await?;
    }
    let rotated = began.elapsed();
    let mut faults = Vec::new();
    if world.active_key()? == first {
        faults.push("after all rotations the same key signs".to_owned());
    }
    clicks.end().await?;
    if let Some(fault) = world.pinned_is_behind().await? {
        faults.push(fault);
    }

    let emergency = clicks::replace_all_keys(&world).await?;
    faults.extend(world.tally.faults());
    faults.extend(emergency.faults);
    for log in world.logs() {
        if std::fs::read_to_string(&log).is_ok_and(|log| log.contains("panicked")) {
            faults.push(format!("somebody panicked, see {}", log.display()));
        }
    }

    println!("rotations                        {rotations:>8}");
    println!("seconds of rotations             {:>8.1}", rotated.as_secs_f64());
    println!("{}", world.tally);
    println!("tokens voided by the emergency   {:>8}", emergency.voided);
    println!("seconds of the emergency command {:>8.2}", emergency.command.as_secs_f64());
    println!(
        "seconds from its beginning until the second bridge refused first {:.2}",
        emergency.until_refused.as_secs_f64()
    );
    if faults.is_empty() {
        println!("\nno login failed");
        return Ok(ExitCode::SUCCESS);
    }
    println!("\n{} faults:", faults.len());
    faults.iter().take(50).for_each(|fault| println!("  {fault}"));
    for log in world.logs() {
        println!("\n---- {}\n{}", log.display(), tail(&log));
    }
    Ok(ExitCode::FAILURE)
}
