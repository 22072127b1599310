//! `gatepass audit tail`: the last events of all trails in the order of their times, and those that come.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::rt::time::sleep;
use gatepass_core::Store;
use gatepass_core::trail::{Filter, Newest, Reading, Trail};

use super::places::Places;
use super::row;
use crate::args::{Sought, TailArgs};
use crate::config::Config;
use crate::error::Failure;

/// How often is looked for new events.
const PAUSE: Duration = Duration::from_secs(1);
/// After so many looks also for new sites.
const LOOKS: u32 = 30;
/// How many events of a trail are read at a time.
const BATCH: usize = 500;

pub(super) async fn run(config: &Config, store: &dyn Store, args: TailArgs) -> Result<(), Failure> {
    let filter = Filter {
        handoff_id: args.handoff,
        kind: args.kind,
        request_id: args.request_id,
        cause: args.cause,
        ..args.sought.filter()
    };
    let places = Places::find(store, &args.sought).await?;
    let mut told = BTreeMap::new();
    if args.follow {
        for trail in places.trails() {
            let newest = store.extent(&trail).await?.newest;
            told.insert(trail, newest);
        }
    }
    let (mut newest, mut events) = (Newest::of(store, &places.trails(), filter.since), Vec::new());
    while events.len() < args.lines {
        let Some((trail, event)) = newest.next().await? else { break };
        // What came since is told by who follows.
        let is_new = told.get(&trail).is_some_and(|told| event.seq > *told);
        if !is_new && filter.matches(&event) {
            events.push((trail, event));
        }
    }
    row::head(config, &places)?;
    events.iter().rev().try_for_each(|event| row::print(config, &places, event))?;
    if args.follow { follow(config, store, &args.sought, places, &filter, told).await } else { Ok(()) }
}

/// Tells what comes, until it is stopped.
async fn follow(
    config: &Config,
    store: &dyn Store,
    sought: &Sought,
    mut places: Places,
    filter: &Filter,
    mut told: BTreeMap<Trail, u64>,
) -> Result<(), Failure> {
    loop {
        for _ in 0..LOOKS {
            sleep(PAUSE).await;
            let mut events = Vec::new();
            for trail in places.trails() {
                let last = told.entry(trail.clone()).or_default();
                for event in store.events(&trail, Reading::After(*last), BATCH).await? {
                    *last = event.seq;
                    events.push((trail.clone(), event));
                }
            }
            events.retain(|(_, event)| filter.matches(event));
            events.sort_by_key(|(_, event)| event.at);
            events.iter().try_for_each(|event| row::print(config, &places, event))?;
        }
        places = Places::find(store, sought).await?;
    }
}
