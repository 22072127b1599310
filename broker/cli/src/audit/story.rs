//! The story of a login: what belongs to it, and how it ended.

use gatepass_core::cause::{Explanation, Seen, explain};
use gatepass_core::event::{Event, EventKind};
use gatepass_core::store::Result;
use gatepass_core::trail::{About, Trail, about};
use gatepass_core::{Store, Timestamp};

/// Events and the trails that they stand in, in order.
pub(super) type Events = Vec<(Trail, Event)>;

/// Adds what belongs to the handoffs of these events, and to the requests of those.
pub(super) async fn whole(store: &dyn Store, mut events: Events) -> Result<Events> {
    let mut handoffs: Vec<_> =
        events.iter().filter_map(|(trail, event)| Some((trail.clone(), event.handoff_id?))).collect();
    handoffs.sort();
    handoffs.dedup();
    for (trail, id) in handoffs {
        let trails = [trail];
        // Nothing tells of a handoff before it was made, and its id has the time of that.
        let made = id.uuid().get_timestamp().map(|time| {
            let (seconds, _) = time.to_unix();
            Timestamp::from_secs(i64::try_from(seconds).unwrap_or(0) - 60)
        });
        let of_handoff = about(store, &trails, &About::Handoff(id), made).await?;
        let mut requests: Vec<_> =
            of_handoff.iter().map(|(_, event)| event.context.request_id.to_string()).collect();
        requests.sort();
        requests.dedup();
        for request in requests.iter().filter_map(|id| id.parse().ok()) {
            events.extend(about(store, &trails, &About::Request(request), made).await?);
        }
        events.extend(of_handoff);
    }
    events.sort_by(|(a, x), (b, y)| (x.at, a, x.seq).cmp(&(y.at, b, y.seq)));
    events.dedup_by(|(a, x), (b, y)| (&*a, x.seq) == (&*b, y.seq));
    Ok(events)
}

/// How something ended.
pub(super) struct End {
    /// In words.
    pub(super) words: String,
    /// What the customer saw, where nobody was let in.
    pub(super) seen: Option<&'static str>,
    /// What to do.
    pub(super) hint: Option<&'static str>,
}

impl End {
    fn plain(words: &str, hint: Option<&'static str>) -> Self {
        Self { words: words.to_owned(), seen: None, hint }
    }

    /// Of what a cause says.
    pub(super) fn explained(explanation: &Explanation) -> Self {
        let Explanation { cause, words, seen, hint } = *explanation;
        Self { words: format!("{words} ({cause})"), seen: Some(seen.as_str()), hint: Some(hint) }
    }

    /// Of a refusal.
    fn refused(event: &Event) -> Self {
        let cause = event.cause.as_deref().unwrap_or_default();
        let mut end = explain(cause).map_or_else(
            || Self::plain(&format!("refused: {cause}"), Some("A newer gatepass may know this cause.")),
            Self::explained,
        );
        // However it is called, nobody has come to WordPress yet.
        if event.kind == EventKind::HandoffIssueRefused.as_str() {
            end.seen = Some(Seen::Panel.as_str());
        }
        end
    }
}

/// How a login ended, by what its events say: the last of them that decides something.
pub(super) fn end(events: &[&Event]) -> Option<End> {
    let kind_of = |event: &Event| event.kind.parse::<EventKind>().ok();
    let refusals = [
        EventKind::HandoffRefused,
        EventKind::HandoffIssueRefused,
        EventKind::HandoffLoginFailed,
        EventKind::MemberRefused,
        EventKind::SitePairingRefused,
    ];
    events.iter().rev().copied().find_map(|event| match kind_of(event)? {
        kind if refusals.contains(&kind) => Some(End::refused(event)),
        EventKind::HandoffLoggedIn => Some(End::plain("WordPress signed the customer in.", None)),
        EventKind::HandoffRedeemed | EventKind::HandoffRepeated => Some(End::plain(
            "Gatepass let the customer in, and WordPress has not told what it made of it.",
            Some("If nobody was signed in, look into WordPress's debug log at that time."),
        )),
        EventKind::HandoffRevoked => Some(End::plain("It was taken back before it was used.", None)),
        EventKind::HandoffIssued => Some(End::plain(
            "The link was made, and has never come to Gatepass.",
            Some(
                "The browser did not follow it, or WordPress refused it by itself: then the customer has a reference \
                 that begins with U, and gatepass audit show explains it.",
            ),
        )),
        _ => None,
    })
}
