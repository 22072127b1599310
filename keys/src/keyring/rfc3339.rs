//! Seconds since 1970, in files as RFC 3339: people read these files.
#![expect(clippy::trivially_copy_pass_by_ref, clippy::ref_option, reason = "serde calls them so")]

use serde::{Deserialize as _, Deserializer, Serializer, de, ser};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

fn text(seconds: u64) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp(seconds.try_into().ok()?).ok()?;
    time.format(&Rfc3339).ok()
}

fn seconds(text: &str) -> Option<u64> {
    OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp().try_into().ok()
}

pub(super) fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*value).ok_or_else(|| ser::Error::custom("no such time"))?)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    seconds(&text).ok_or_else(|| de::Error::custom("expected a time since 1970 as in RFC 3339"))
}

pub(super) mod option {
    //! A time that may be missing.

    use serde::{Deserialize as _, Deserializer, Serializer, de, ser};

    pub(in super::super) fn serialize<S: Serializer>(
        value: &Option<u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value.map(super::text) {
            None => serializer.serialize_none(),
            Some(text) => serializer.serialize_some(&text.ok_or_else(|| ser::Error::custom("no such time"))?),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<u64>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let expected = || de::Error::custom("expected a time since 1970 as in RFC 3339");
        text.map(|text| super::seconds(&text).ok_or_else(expected)).transpose()
    }
}
