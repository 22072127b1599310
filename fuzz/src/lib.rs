//! Everything in Gatepass that reads what a stranger wrote, given to a coverage-guided fuzzer.
//!
//! A target is a plain function that takes any bytes and panics when something does not hold that always should: so
//! a test on stable Rust replays what fuzzing has kept (`kept/`) and what it has found (`regressions/`), and
//! libFuzzer, which looks for more, is only one way to call it. `deploy/fuzz.sh` runs that.
//!
//! # To add a target
//! A module in `targets/` with its `run`, `seeds` and invariants; a line in [`TARGETS`]; a file in `fuzz_targets/` and its
//! `[[bin]]`; then `deploy/fuzz.sh NAME`, which leaves what it kept in `kept/NAME.txt`.

pub mod inputs;
pub mod mutate;
pub mod oracle;
mod service;
pub mod targets;

/// Something to fuzz.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, of its module and of everything that is kept for it.
    pub name: &'static str,
    /// What it does with an input. Panics when an invariant does not hold.
    pub run: fn(&[u8]),
    /// Inputs to start from: what is honest, and what others have been attacked with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// To be called when a thread is done with its targets: some leave files standing from one input to the next.
pub fn end() {
    service::end();
}

macro_rules! targets {
    ($($name:ident),+ $(,)?) => {
        /// All there are.
        pub const TARGETS: &[Target] =
            &[$(Target { name: stringify!($name), run: targets::$name::run, seeds: targets::$name::seeds }),+];
    };
}

targets!(handoff, site_proof, poke, identifiers, redirects, keys, challenge, bodies, panel, bridge);
