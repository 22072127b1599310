//! Places for what takes long: so many in all, and for each tenant only some of them, so that none locks out another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use gatepass_core::Tenant;

/// Places that can be taken.
#[derive(Debug)]
pub(crate) struct Places {
    all: usize,
    of_each: usize,
    taken: Mutex<HashMap<Tenant, usize>>,
}

/// A place that was taken, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    tenant: Tenant,
}

impl Places {
    /// So many, and for each tenant so many of them.
    pub(crate) fn new(all: usize, of_each: usize) -> Arc<Self> {
        Arc::new(Self { all, of_each, taken: Mutex::default() })
    }

    /// A place, if there is one; never more than `at_most` in all.
    pub(crate) fn take(self: &Arc<Self>, tenant: &Tenant, at_most: usize) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_this = taken.get(tenant).copied().unwrap_or_default();
        if taken.values().sum::<usize>() >= self.all.min(at_most) || of_this >= self.of_each {
            return None;
        }
        taken.insert(tenant.clone(), of_this + 1);
        Some(Place { places: Arc::clone(self), tenant: tenant.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.tenant) {
            Some(of_this) if *of_this > 1 => *of_this -= 1,
            _ => drop(taken.remove(&self.tenant)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tenant_takes_all_and_what_is_dropped_is_free_again() {
        let places = Places::new(3, 2);
        let (one, other): (Tenant, Tenant) = ("one".parse().unwrap(), "other".parse().unwrap());
        let first = places.take(&one, 9);
        let second = places.take(&one, 9);
        assert!(first.is_some() && second.is_some() && places.take(&one, 9).is_none());
        let third = places.take(&other, 9);
        assert!(third.is_some() && places.take(&other, 9).is_none(), "there are only three");
        drop(first);
        assert!(places.take(&other, 2).is_none(), "there are two");
        assert!(places.take(&other, 9).is_some());
        drop((second, third));
        assert!(places.taken.lock().unwrap().is_empty());
    }
}
