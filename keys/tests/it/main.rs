//! The tests of `gatepass-keys`, one binary.

#[cfg(test)]
mod causes;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod first_start;
#[cfg(test)]
mod forge;
#[cfg(test)]
mod handoff_claims;
#[cfg(test)]
mod handoff_envelope;
#[cfg(test)]
mod handoff_signature;
#[cfg(test)]
mod handoff_times;
#[cfg(test)]
mod keyring;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod poke;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod rfc8037;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod second_opinion;
#[cfg(test)]
mod site;
#[cfg(test)]
mod transfer;
#[cfg(test)]
mod wrapping;
#[cfg(test)]
mod wycheproof;
