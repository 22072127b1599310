//! The story of a login: what belongs to it, and how it ended.

use std::collections::BTreeMap;

use gatepass_core::cause::{Explanation, Seen, explain};
use gatepass_core::event::{Event, EventKind};
use gatepass_core::store::Result;
use gatepass_core::trail::{About, Trail, about};
use gatepass_core::{Store, Timestamp};

/// Events and the trails that they stand in, in order.
pub(super) type Events = Vec<(Trail, Event)>;

/// Events of several trails, each by itself: what one tells says nothing of another.
pub(super) fn by_trail(events: Events) -> Vec<Events> {
    let mut trails = BTreeMap::<Trail, Events>::new();
    for told in events {
        trails.entry(told.0.clone()).or_default().push(told);
    }
    trails.into_values().collect()
}

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

    /// The same, for want of a store that could tell more.
    pub(super) fn unasked(self, error: &str) -> Self {
        let words = format!("{} The store could not be asked whether it knows more: {error}.", self.words);
        Self { words, ..self }
    }

    /// Of a refusal.
    fn refused(event: &Event, kind: EventKind) -> Self {
        let cause = event.cause.as_deref().unwrap_or_default();
        let mut end = explain(cause).map_or_else(
            || Self::plain(&format!("refused: {cause}"), Some("A newer gatepass may know this cause.")),
            Self::explained,
        );
        // However it is called, it did not come to light at WordPress.
        end.seen = match kind {
            EventKind::HandoffIssueRefused => Some(Seen::Panel.as_str()),
            EventKind::MemberRefused
            | EventKind::MemberSyncFailed
            | EventKind::SitePairingRefused
            | EventKind::SiteKeyRefused
            | EventKind::SiteHeartbeatRefused => Some(Seen::Nothing.as_str()),
            _ => end.seen,
        };
        end
    }

    /// Of a login, with what was tried with its link afterwards.
    fn signed_in(later: &[&Event]) -> Self {
        let mut tries: Vec<_> = later
            .iter()
            .filter(|event| event.handoff_id.is_some())
            .map(|event| event.cause.as_deref().unwrap_or("repeated"))
            .collect();
        if tries.is_empty() {
            return Self::plain("WordPress signed the customer in.", None);
        }
        tries.sort_unstable();
        tries.dedup();
        let words = format!(
            "WordPress signed the customer in; later the link was tried again ({}).",
            tries.join(", ")
        );
        Self::plain(&words, None)
    }
}

/// What kind of event it is, if this program knows it.
fn kind_of(event: &Event) -> Option<EventKind> {
    event.kind.parse().ok()
}

/// Whether it says why somebody was not let in, or something not done.
fn refuses(event: &Event) -> bool {
    matches!(
        kind_of(event),
        Some(
            EventKind::HandoffRefused
                | EventKind::HandoffIssueRefused
                | EventKind::HandoffLoginFailed
                | EventKind::MemberRefused
                | EventKind::MemberSyncFailed
                | EventKind::SitePairingRefused
                | EventKind::SiteKeyRefused
                | EventKind::SiteHeartbeatRefused
        )
    )
}

/// How a request ended, of the events of one trail: by its own if it was refused, else as its handoff did.
pub(super) fn end_of_request(own: &[&Event], whole: &[&Event]) -> Option<End> {
    let handoff = own.iter().rev().find_map(|event| event.handoff_id);
    if handoff.is_none() || own.iter().any(|event| refuses(event)) {
        return end(own);
    }
    end(&whole.iter().copied().filter(|event| event.handoff_id == handoff).collect::<Vec<_>>())
}

/// How a login ended, by what the events of one trail say: whoever was signed in was, whatever was tried with the link
/// afterwards; else the last event that decides something.
pub(super) fn end(events: &[&Event]) -> Option<End> {
    let logged_in = events.iter().rposition(|event| kind_of(event) == Some(EventKind::HandoffLoggedIn));
    if let Some(later) = logged_in.and_then(|place| events.get(place + 1..)) {
        return Some(End::signed_in(later));
    }
    events.iter().rev().copied().find_map(|event| match kind_of(event)? {
        kind if refuses(event) => Some(End::refused(event, kind)),
        EventKind::HandoffRedeemed | EventKind::HandoffRepeated => Some(End::plain(
            "Gatepass let the customer in, and WordPress has not told what it made of it.",
            Some("If nobody was signed in, look into WordPress's debug log at that time."),
        )),
        kind @ EventKind::HandoffRevoked if event.cause.is_some() => Some(End::refused(event, kind)),
        EventKind::HandoffRevoked => Some(End::plain("It was taken back before it was used.", None)),
        EventKind::HandoffIssued => Some(End::plain(
            "The link was made, and has never come to Gatepass, or came too late (a late link is only counted).",
            Some(
                "The browser did not follow it in time, or WordPress refused it by itself: then the customer has a \
                 reference that begins with U, and gatepass audit show explains it.",
            ),
        )),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use gatepass_core::HandoffId;
    use gatepass_core::event::{Actor, Context};

    use super::*;

    fn handoff(letter: char) -> HandoffId {
        format!("ho_{letter}aaaaaaaaaaaaaaaaaaaaaaaaa").parse().unwrap()
    }

    /// An event of a handoff, or of none, said as `kind` or `kind:cause`.
    fn told(text: &str, handoff: Option<HandoffId>) -> Event {
        let (kind, cause) = text.split_once(':').map_or((text, None), |(kind, cause)| (kind, Some(cause)));
        assert!(kind.parse::<EventKind>().is_ok(), "{kind}");
        Event {
            seq: 1,
            at: Timestamp::from_secs(100),
            kind: kind.to_owned(),
            cause: cause.map(str::to_owned),
            subject: "mia".parse().ok(),
            handoff_id: handoff,
            context: Context::new("req-1".parse().unwrap(), Actor::Site),
        }
    }

    fn events(texts: &str) -> Vec<Event> {
        let id = Some(handoff('a'));
        texts.split_whitespace().map(|text| told(text, id)).collect()
    }

    fn end_of(texts: &str) -> Option<End> {
        end(&events(texts).iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_login_ends_as_its_events_say() {
        for (texts, words) in [
            ("handoff.issued", "or came too late (a late link is only counted)"),
            ("handoff.issued handoff.redeemed", "has not told what it made of it"),
            ("handoff.issued handoff.redeemed handoff.repeated", "has not told what it made of it"),
            ("handoff.issued handoff.redeemed handoff.logged_in", "signed the customer in."),
            (
                "handoff.redeemed handoff.logged_in handoff.repeated handoff.refused:used handoff.refused:used",
                "signed the customer in; later the link was tried again (repeated, used)",
            ),
            ("handoff.redeemed handoff.refused:used handoff.logged_in", "signed the customer in."),
            ("handoff.redeemed handoff.login_failed:busy handoff.logged_in", "signed the customer in."),
            ("handoff.redeemed handoff.logged_in handoff.login_failed:session_ended", "(session_ended)"),
            ("handoff.redeemed handoff.login_failed:account_blocked", "(account_blocked)"),
            ("handoff.issued handoff.revoked", "It was taken back before it was used."),
            ("handoff.revoked:all_of_subject", "(all_of_subject)"),
            ("handoff.issued handoff.revoked handoff.refused:revoked", "(revoked)"),
            ("handoff.issued handoff.refused:cause_of_tomorrow", "refused: cause_of_tomorrow"),
        ] {
            let end = end_of(texts).unwrap();
            assert!(end.words.contains(words), "{texts}: {}", end.words);
        }
        for texts in
            ["", "member.changed member.synced", "member.sessions_ended", "member.removed", "site.paired"]
        {
            assert!(end_of(texts).is_none(), "{texts}");
        }
    }

    #[test]
    fn each_trail_has_its_own_end() {
        let trail = |tenant: &str| Trail::Tenant(tenant.parse().unwrap());
        let mut all = Events::new();
        for (tenant, text) in
            [("a", "handoff.logged_in"), ("b", "handoff.refused:used"), ("a", "handoff.repeated")]
        {
            all.push((trail(tenant), told(text, Some(handoff('a')))));
        }
        let words =
            |events: &Events| end(&events.iter().map(|(_, event)| event).collect::<Vec<_>>()).unwrap().words;
        let ends: Vec<_> = by_trail(all).iter().map(words).collect();
        assert!(
            ends.len() == 2 && ends[0].contains("signed the customer in") && ends[1].ends_with("(used)"),
            "{ends:?}"
        );
    }

    #[test]
    fn only_whoever_was_there_saw_something() {
        for (text, seen) in [
            ("handoff.refused:limit_api_key", Seen::Temporary),
            ("handoff.issue_refused:limit_api_key", Seen::Panel),
            ("member.refused:limit_api_key", Seen::Nothing),
            ("member.synced member.sync_failed:email_taken", Seen::Nothing),
            ("site.heartbeat_refused:limit_site", Seen::Nothing),
            ("site.pairing_refused:limit_address", Seen::Nothing),
            ("site.key_refused:key_superseded", Seen::Nothing),
            ("handoff.revoked:all_of_subject", Seen::Nothing),
        ] {
            assert_eq!(end_of(text).unwrap().seen, Some(seen.as_str()), "{text}");
        }
        assert_eq!(end_of("handoff.redeemed handoff.logged_in handoff.refused:used").unwrap().seen, None);
    }

    #[test]
    fn a_request_ends_by_itself_if_refused_and_else_as_its_handoff() {
        let whole = events("handoff.issued handoff.redeemed handoff.logged_in handoff.refused:used");
        let mut with_another: Vec<_> = whole.iter().collect();
        let other = told("handoff.refused:expired", Some(handoff('b')));
        with_another.push(&other);
        let words = |own: &Event| end_of_request(&[own], &with_another).unwrap().words;
        for event in whole.iter().take(3) {
            assert!(words(event).ends_with("later the link was tried again (used)."), "{}", event.kind);
        }
        assert!(words(&whole[3]).ends_with("(used)"));
        let of_nobody = told("member.refused:limit_api_key", None);
        assert!(words(&of_nobody).ends_with("(limit_api_key)"));
    }
}
