//! `gatepass`: the one program. It serves, and it is how an operator registers sites and panels.
//!
//! What a program reads goes to stdout (a key or a code as its only line, or JSON with `--json`), what a person
//! reads goes to stderr. Exit status: 0, 1 (it failed) or 2 (it was called wrongly).

mod args;
mod audit;
mod clients;
mod config;
mod doctor;
mod error;
mod hardening;
mod instance;
mod keys;
mod logging;
mod members;
mod open;
mod operator;
mod output;
mod serve;
mod sites;
mod store;
mod when;

use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches};

use crate::args::{Args, Command, StoreCommand};
use crate::config::Config;
use crate::error::Failure;
use crate::serve::Role;

fn main() -> ExitCode {
    hardening::keep_memory_private();
    let matches = Args::command().get_matches();
    let mut args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // Of a secret and the file that holds it, a flag sends the environment's away.
    let by_flag = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
    let settings = &mut args.settings;
    match (by_flag("store"), by_flag("store_file")) {
        (true, false) => settings.store_file = None,
        (false, true) => settings.store = None,
        _ => {}
    }
    match (by_flag("keyring_key"), by_flag("keyring_key_file")) {
        (true, false) => settings.keyring_key_file = None,
        (false, true) => settings.keyring_key = None,
        _ => {}
    }
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("gatepass: {failure}");
            failure.exit_code()
        }
    }
}

fn run(args: Args) -> Result<(), Failure> {
    let config = Config::new(args.settings)?;
    if !matches!(args.command, Command::Store(StoreCommand::Copy(_))) {
        config.expect_no_stray_settings()?;
    }
    let system = actix_web::rt::System::new();
    system.block_on(async {
        match args.command {
            Command::Serve => serve::serve(&config, Role::Both).await,
            Command::Broker => serve::serve(&config, Role::Broker).await,
            Command::Bridge => serve::serve(&config, Role::Bridge).await,
            Command::Client(command) => clients::run(&config, command).await,
            Command::Doctor(args) => doctor::run(&config, args).await,
            Command::Keys(command) => keys::run(&config, command).await,
            Command::Member(command) => members::run(&config, command).await,
            Command::Site(command) => sites::run(&config, command).await,
            Command::Store(command) => store::run(&config, command).await,
            Command::Audit(command) => audit::run(&config, command).await,
        }
    })
}
