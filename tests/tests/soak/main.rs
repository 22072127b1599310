//! Panels change members of many sites without a pause, while Gatepass is killed (-9), Redis is restarted (another
//! epoch) and the sites go down and come up, die in the middle of following, or cannot be poked at all. In the end
//! every site must have exactly what its panel wants, and must have done nothing twice.
//!
//! The short form makes 1,000 changes over 10 sites; `--long` (or `GATEPASS_TEST_LONG`) 10,000 over 50, in minutes. `--seed N` (or
//! `GATEPASS_TEST_SEED`) rolls the same dice as an earlier run.

mod panel;
mod site;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gatepass_core::clock::{System, random_bytes};
use gatepass_tests::Result;
use gatepass_tests::dice::Dice;
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::process::{signal, tail};
use gatepass_tests::redis::Redis;

use crate::panel::Panel;
use crate::site::Site;

/// Nobody here asks like a person.
const SERVE_FLAGS: &[&str] = &["--limit-api-key", "0"];
/// How long the sites may take to catch up once all is well.
const CATCH_UP: Duration = Duration::from_secs(120);

struct Options {
    sites: usize,
    changes: u64,
    /// The longest pause of a panel between two changes.
    pause: Duration,
    seed: u64,
}

fn options() -> Result<Options> {
    let fresh = u64::from_be_bytes(random_bytes(&System)?) >> 32;
    let mut seed = std::env::var("GATEPASS_TEST_SEED").ok().map_or(Ok(fresh), |text| text.parse())?;
    let mut long = std::env::var_os("GATEPASS_TEST_LONG").is_some();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--long" => long = true,
            "--seed" => seed = arguments.next().ok_or("--seed needs a number")?.parse()?,
            other => return Err(format!("{other} is not known; there are --long and --seed N").into()),
        }
    }
    let (sites, changes, millis) = if long { (50, 10_000, 3000) } else { (10, 1_000, 300) };
    Ok(Options { sites, changes, pause: Duration::from_millis(millis), seed })
}

fn main() -> Result<ExitCode> {
    let options = options()?;
    println!("seed {} (--seed {} rolls the same dice)", options.seed, options.seed);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(soak(&options))
}

async fn soak(options: &Options) -> Result<ExitCode> {
    let folder = tempfile::Builder::new().prefix("gatepass-soak.").tempdir()?;
    let mut redis = Redis::start(&folder.path().join("redis"))?;
    let mut gatepass = Gatepass::start_with(&folder.path().join("gatepass"), &redis.url(), SERVE_FLAGS)?;
    let mut dice = Dice::new(options.seed);
    let key = gatepass.add_client("soak")?;
    let mut sites = Vec::new();
    for number in 0..options.sites {
        sites.push(Arc::new(Site::start(&gatepass, number, Dice::new(dice.roll())).await?));
    }

    let (began, done, stop) = (Instant::now(), Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut panels = Vec::new();
    for site in &sites {
        let panel = Panel::new(&gatepass.url(), site, &key, Dice::new(dice.roll()));
        panels.push(tokio::spawn(panel.work(Arc::clone(&done), options.changes, options.pause)));
    }
    let lives: Vec<_> =
        sites.iter().map(|site| tokio::spawn(Arc::clone(site).live(Arc::clone(&stop)))).collect();

    // What befalls Gatepass and its store meanwhile.
    let (mut kills, mut epochs) = (0_u32, 0_u32);
    while done.load(Ordering::Relaxed) < options.changes {
        tokio::time::sleep(Duration::from_millis(500 + dice.roll() % 1500)).await;
        if kills >= 4 * (epochs + 1) {
            redis.restart()?;
            epochs += 1;
        } else {
            signal("KILL", &[gatepass.service().pid()])?;
            gatepass.restart()?;
            kills += 1;
        }
    }
    let mut wanted = Vec::new();
    for panel in panels {
        wanted.push(panel.await??);
    }
    stop.store(true, Ordering::Relaxed);
    for life in lives {
        life.await?;
    }
    // Whoever was given up for some minutes is tried at once after a start.
    gatepass.restart()?;
    let (changed, well) = (began.elapsed(), Instant::now());
    for site in &sites {
        site.come_up()?;
    }

    let mut faults = Vec::new();
    for (site, wanted) in sites.iter().zip(&wanted) {
        loop {
            let differences = site.differences(wanted);
            if differences.is_empty() {
                break;
            }
            if well.elapsed() > CATCH_UP {
                faults.push(format!("site {}: {}", site.number(), differences.join("; ")));
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            site.cron(0).await;
        }
        faults.extend(site.faults());
    }
    let caught_up = well.elapsed();
    if std::fs::read_to_string(gatepass.log()).is_ok_and(|log| log.contains("panicked")) {
        faults.push("gatepass serve panicked, see its log".to_owned());
    }

    let sum = |count: fn(&Site) -> u64| sites.iter().map(|site| count(site)).sum::<u64>();
    println!("sites                          {:>9}", sites.len());
    println!("changes                        {:>9}", done.load(Ordering::Relaxed));
    println!("Gatepass killed                {kills:>9}");
    println!("Redis restarted                {epochs:>9}");
    println!("sites gone down                {:>9}", sum(Site::falls));
    println!("deaths in the middle of a pull {:>9}", sum(Site::deaths));
    println!("full resyncs                   {:>9}", sum(Site::resyncs));
    println!("pokes that arrived             {:>9}", sum(Site::pokes));
    println!("members applied with effect    {:>9}", sum(Site::effects));
    println!("seconds of changes             {:>9.0}", changed.as_secs_f64());
    println!("seconds until all had caught up{:>9.1}", caught_up.as_secs_f64());
    if faults.is_empty() {
        println!("\nno fault");
        return Ok(ExitCode::SUCCESS);
    }
    println!("\n{} faults (seed {}):", faults.len(), options.seed);
    faults.iter().take(50).for_each(|fault| println!("  {fault}"));
    println!("\nthe end of Gatepass's log:\n{}", tail(&gatepass.log()));
    Ok(ExitCode::FAILURE)
}
