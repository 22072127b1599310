//! Time and randomness, handed to every service.

use std::sync::Arc;

use gatepass_core::{Clock, Rng, Timestamp};

/// The clock and the random numbers of a service.
#[derive(Clone)]
pub struct Ambient {
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
}

impl Ambient {
    /// From a clock and a source of randomness.
    pub fn new(clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Self {
        Self { clock, rng }
    }

    /// The operating system's.
    pub fn system() -> Self {
        Self::new(Arc::new(gatepass_core::clock::System), Arc::new(gatepass_core::clock::System))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The source of randomness.
    pub fn rng(&self) -> &dyn Rng {
        &*self.rng
    }
}

impl std::fmt::Debug for Ambient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ambient")
    }
}
