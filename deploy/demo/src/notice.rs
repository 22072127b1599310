//! What the panel says at the top of the page after a click. Only its name travels in the URL, never a text.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Notice {
    Renewed,
    Canceled,
    Ended,
    Saved,
    SignedOut,
    NotValid,
    NotYet,
    TryAgain,
    Failed,
}

impl Notice {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Renewed => "renewed",
            Self::Canceled => "canceled",
            Self::Ended => "ended",
            Self::Saved => "saved",
            Self::SignedOut => "signed_out",
            Self::NotValid => "not_valid",
            Self::NotYet => "not_yet",
            Self::TryAgain => "try_again",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Renewed => "Welcome back",
            Self::Canceled => "Your subscription is canceled",
            Self::Ended => "Your subscription has ended",
            Self::Saved => "Saved",
            Self::SignedOut => "Signed out everywhere",
            Self::NotValid => "That is not an e-mail address",
            Self::NotYet => "The site is not ready yet",
            Self::TryAgain => "That did not work just now",
            Self::Failed => "We could not log you in",
        }
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Renewed => "The subscription is active again. You can log in right away.",
            Self::Canceled => "The site is closed to this reader from now on. You can renew at any time.",
            Self::Ended => "Renew it to log in to the site again.",
            Self::Saved => "The site follows by itself; the box shows when it has.",
            Self::SignedOut => "Every session of this reader on the site has ended.",
            Self::NotValid => "Please look at it again; nothing has changed.",
            Self::NotYet => "It is still being connected to your account. Please try again in a few minutes.",
            Self::TryAgain => "Nothing has changed. Please try again in a moment.",
            Self::Failed => "This is not your fault. Our support has been told what happened.",
        }
    }

    pub(crate) fn is_good(self) -> bool {
        matches!(self, Self::Renewed | Self::Saved | Self::SignedOut)
    }
}

#[cfg(test)]
mod tests {
    use super::Notice::{Canceled, Ended, Failed, NotValid, NotYet, Renewed, Saved, SignedOut, TryAgain};

    #[test]
    fn every_notice_travels_under_the_name_it_is_read_by() {
        for notice in [Renewed, Canceled, Ended, Saved, SignedOut, NotValid, NotYet, TryAgain, Failed] {
            let read: super::Notice = serde_plain(notice.name());
            assert_eq!(read, notice);
        }
    }

    fn serde_plain(name: &str) -> super::Notice {
        use serde::de::{Deserialize, IntoDeserializer, value::StrDeserializer};
        let name: StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
        super::Notice::deserialize(name).unwrap()
    }
}
