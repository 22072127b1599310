//! Members of a merge patch (RFC 7396): what is not named stays, `null` takes away.

use serde::{Deserialize, Deserializer};

/// One member of a change.
#[derive(Debug, Default)]
pub(super) enum Field<T> {
    /// Not named.
    #[default]
    Kept,
    /// Named; `None` for `null`.
    Named(Option<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(member: D) -> Result<Self, D::Error> {
        Option::deserialize(member).map(Self::Named)
    }
}

impl<T: Clone> Field<T> {
    /// What it is afterwards, of what may be taken away.
    pub(super) fn optional(&self, old: Option<T>) -> Option<T> {
        match self {
            Self::Kept => old,
            Self::Named(new) => new.clone(),
        }
    }

    /// What it is afterwards, of what then has its default.
    pub(super) fn required(&self, old: T, default: T) -> T {
        self.optional(Some(old)).unwrap_or(default)
    }
}
