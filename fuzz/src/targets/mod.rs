//! One module a target.

pub mod bodies;
pub mod bridge;
pub mod challenge;
pub mod handoff;
pub mod identifiers;
pub mod keys;
pub mod panel;
pub mod poke;
pub mod redirects;
pub mod site_proof;

/// Seeds that are texts.
fn texts(seeds: &[&str]) -> Vec<Vec<u8>> {
    seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect()
}
