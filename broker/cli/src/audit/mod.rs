//! `gatepass audit`: what happened, to whom, by whom, and why.

mod places;
mod row;
mod show;
mod story;
mod tail;

use gatepass_core::Clock;
use gatepass_core::clock::System;
use gatepass_core::trail::{Filter, Retention};

use crate::args::{AuditCommand, Sought};
use crate::config::Config;
use crate::error::Failure;
use crate::open;
use crate::when::When;

pub(crate) async fn run(config: &Config, command: AuditCommand) -> Result<(), Failure> {
    let store = open::store(config, Retention::NONE).await;
    match command {
        AuditCommand::Tail(args) => tail::run(config, &*store?, args).await,
        AuditCommand::Show { reference, sought } => show::run(config, store, reference, &sought).await,
    }
}

impl Sought {
    /// What it says, at the time of now.
    fn filter(&self) -> Filter {
        let now = System.now();
        let at = |when: Option<When>| when.map(|when| when.at(now));
        Filter {
            subject: self.subject.clone(),
            since: at(self.since),
            until: at(self.until),
            ..Filter::default()
        }
    }
}
