//! Times as an operator says them: `2h` (ago), `2026-11-17` (its beginning, in UTC), or RFC 3339.

use std::str::FromStr;
use std::time::Duration;

use gatepass_core::Timestamp;

/// A time, perhaps counted back from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// So long ago.
    Ago(Duration),
    /// Then.
    At(Timestamp),
}

impl When {
    /// The time that is meant at `now`.
    pub(crate) fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(span) => now.minus(span),
            Self::At(time) => time,
        }
    }
}

/// For how long: a number of seconds, minutes, hours or days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            let seconds = match unit {
                "s" => 1,
                "m" => 60,
                "h" => 60 * 60,
                "d" => 24 * 60 * 60,
                _ => return None,
            };
            let number = number.parse::<u32>().ok()?;
            Some(Self(Duration::from_secs(u64::from(number) * seconds)))
        };
        read().ok_or("expected a time such as 30m, 24h or 7d")
    }
}

impl FromStr for When {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ago = || text.parse().ok().map(|Span(span)| Self::Ago(span));
        let time = |text: String| serde_json::from_value(text.into()).ok().map(Self::At);
        ago()
            .or_else(|| time(text.to_owned()))
            .or_else(|| time(format!("{text}T00:00:00Z")))
            .ok_or("expected a time such as 2h, 3d, 2026-11-17 (in UTC) or 2026-11-17T08:30:00Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_is_said() {
        let now: Timestamp = serde_json::from_str("\"2026-11-18T10:00:00Z\"").unwrap();
        for (text, time) in [
            ("2h", "2026-11-18T08:00:00Z"),
            ("90m", "2026-11-18T08:30:00Z"),
            ("1d", "2026-11-17T10:00:00Z"),
            ("30s", "2026-11-18T09:59:30Z"),
            ("2026-11-17", "2026-11-17T00:00:00Z"),
            ("2026-11-17T08:30:00+01:00", "2026-11-17T07:30:00Z"),
        ] {
            assert_eq!(
                text.parse().map(|when: When| when.at(now).to_string()),
                Ok(time.to_owned()),
                "{text}"
            );
        }
        for wrong in ["", "h", "2", "2w", "-2h", "tuesday", "2026-13-01", "2026-11-17T08:30:00"] {
            assert!(wrong.parse::<When>().is_err(), "{wrong}");
        }
    }
}
