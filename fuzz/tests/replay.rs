//! Replays what fuzzing has kept and found, on stable Rust: every target, every input, in seconds.

use gatepass_fuzz::inputs::{kept, kept_file, regressions};
use gatepass_fuzz::{TARGETS, Target};

/// Runs a test over all targets on its own thread.
fn each_target(test: impl Fn(&Target)) {
    TARGETS.iter().for_each(test);
    gatepass_fuzz::end();
}

/// Says which input it was, should it panic.
fn replay(target: &Target, name: &str, input: &[u8]) {
    let held = std::panic::catch_unwind(|| (target.run)(input));
    assert!(held.is_ok(), "{}: {name} is not borne: {}", target.name, gatepass_fuzz::inputs::escape(input));
}

#[test]
fn every_seed_is_borne() {
    each_target(|target| {
        replay(target, "the empty input", b"");
        for seed in (target.seeds)() {
            replay(target, "a seed", &seed);
        }
    });
}

#[test]
fn every_input_that_fuzzing_kept_is_borne() {
    each_target(|target| {
        let inputs =
            kept(target.name).unwrap_or_else(|error| panic!("{}: {error}", kept_file(target.name).display()));
        assert!(inputs.len() >= 20, "{} keeps only {} inputs", target.name, inputs.len());
        for (line, input) in inputs.iter().enumerate() {
            replay(target, &format!("line {}", line + 1), input);
        }
    });
}

#[test]
fn every_fault_that_fuzzing_found_stays_mended() {
    each_target(|target| {
        for (name, input) in regressions(target.name).expect("readable regressions") {
            replay(target, &name, &input);
        }
    });
}
