//! Who is at the command line, for the trail.

use gatepass_core::RequestId;
use gatepass_core::clock::{NoRandomness, System};
use gatepass_core::event::{Actor, Context};

/// What the trail says of what this call does.
pub(crate) fn context() -> Result<Context, NoRandomness> {
    let context = Context::new(RequestId::generate(&System)?, Actor::Operator);
    Ok(Context { operator: name(), ..context })
}

/// Who became root by sudo, else who is signed in. As good as the environment: it tells colleagues apart, and proves
/// nothing about somebody who hides.
fn name() -> Option<String> {
    ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|variable| {
        let name: String =
            std::env::var(variable).ok()?.chars().filter(|c| !c.is_control()).take(64).collect();
        Some(name).filter(|name| !name.is_empty())
    })
}
