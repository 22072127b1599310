//! `gatepass audit show`: why somebody could not log in.

use std::sync::Arc;

use gatepass_core::cause::explain;
use gatepass_core::event::Event;
use gatepass_core::reference::Reference;
use gatepass_core::trail::{About, Filter, Newest, Trail, about};
use gatepass_core::{HandoffId, RequestId, Store, Subject};
use serde_json::json;

use super::places::Places;
use super::row::{self, Told};
use super::story::{self, End, Events};
use crate::args::Sought;
use crate::config::Config;
use crate::error::Failure;
use crate::output;

/// What a refusal before the trail means, for whoever finds nothing.
const NOTHING: &str = "It may be older than the trail is kept (--trail-days, --trail-events), of a Gatepass with another \
                       store, or of a token that was no good: those are only counted, see gatepass audit tail --kind \
                       handoff.refused";

pub(super) async fn run(
    config: &Config,
    store: Result<Arc<dyn Store>, Failure>,
    reference: Option<String>,
    sought: &Sought,
) -> Result<(), Failure> {
    match (reference, &sought.subject) {
        (Some(reference), None) => of_reference(config, store, &reference, sought).await,
        (None, Some(subject)) => of_subject(config, &*store?, subject, sought).await,
        _ => Err(Failure::Usage("say either a reference or --subject".to_owned())),
    }
}

async fn of_reference(
    config: &Config,
    store: Result<Arc<dyn Store>, Failure>,
    text: &str,
    sought: &Sought,
) -> Result<(), Failure> {
    // What a reference says by itself is the less exact: the trail may have the same request.
    let local = text.parse().ok().and_then(|reference: Reference| explain(reference.local_cause?));
    let unasked = |failure: Failure| match local {
        Some(explanation) => {
            print(config, None, &[], Some(&End::explained(explanation).unasked(&failure.to_string())))
        }
        None => Err(failure),
    };
    let found = match store {
        Ok(store) => find(&*store, text, sought).await,
        Err(failure) => return unasked(failure),
    };
    match found {
        Ok((places, stories)) if !stories.is_empty() => print_stories(config, &places, &stories),
        Ok(_) => match local {
            Some(explanation) => print(config, None, &[], Some(&End::explained(explanation))),
            None => Err(Failure::Failed(format!("nothing in the trail is about {text}. {NOTHING}"))),
        },
        Err(failure @ Failure::Store(_)) => unasked(failure),
        Err(failure) => Err(failure),
    }
}

/// What one trail tells, and how it ended there.
struct Story {
    events: Events,
    end: Option<End>,
}

/// What each trail tells of a request or a handoff. Two panels may have named a request alike.
async fn find(store: &dyn Store, text: &str, sought: &Sought) -> Result<(Places, Vec<Story>), Failure> {
    let (places, since) = (Places::find(store, sought).await?, sought.filter().since);
    let handoff = text.parse::<HandoffId>().ok().map(About::Handoff);
    let as_shown = text.parse().ok().map(|Reference { request_id, .. }| About::Request(request_id));
    let as_given = text.parse::<RequestId>().ok().map(About::Request);
    let mut asked = Vec::new();
    for what in [handoff, as_shown, as_given].into_iter().flatten() {
        asked = about(store, &places.trails(), &what, since).await?;
        if !asked.is_empty() {
            break;
        }
    }
    let mut stories = Vec::new();
    for own in story::by_trail(asked) {
        let whole = story::whole(store, own.clone()).await?;
        let end = story::end_of_request(&only_events(&own), &only_events(&whole));
        stories.push(Story { events: whole, end });
    }
    Ok((places, stories))
}

fn only_events(events: &[(Trail, Event)]) -> Vec<&Event> {
    events.iter().map(|(_, event)| event).collect()
}

fn print_stories(config: &Config, places: &Places, stories: &[Story]) -> Result<(), Failure> {
    stories.iter().try_for_each(|Story { events, end }| print(config, Some(places), events, end.as_ref()))
}

/// Each try of a customer, and how it ended.
async fn of_subject(
    config: &Config,
    store: &dyn Store,
    subject: &Subject,
    sought: &Sought,
) -> Result<(), Failure> {
    let (places, filter) = (Places::find(store, sought).await?, sought.filter());
    let (mut newest, mut events) = (Newest::of(store, &places.trails(), filter.since), Events::new());
    // Of a try at midnight also what came after it.
    let wider = Filter { until: filter.until.map(|until| until.plus(STORY)), ..filter.clone() };
    while let Some((trail, event)) = newest.next().await? {
        if wider.matches(&event) {
            events.push((trail, event));
        }
    }
    events.reverse();
    let begins = |event: &Event| filter.until.is_none_or(|until| event.at < until);
    let mut tries: Vec<Events> = Vec::new();
    for told in events {
        let of_try = |try_: &&mut Events| {
            try_.iter().any(|(trail, event)| *trail == told.0 && event.handoff_id == told.1.handoff_id)
        };
        match told.1.handoff_id.and_then(|_| tries.iter_mut().rev().find(of_try)) {
            Some(known) => known.push(told),
            None if begins(&told.1) => tries.push(vec![told]),
            None => {}
        }
    }
    if tries.is_empty() {
        let message = format!(
            "nothing in the trail is about {subject} at that time: this customer has never come to Gatepass, or came too \
             late (a late link is only counted). {NOTHING}"
        );
        return Err(Failure::Failed(message));
    }
    tries.iter().try_for_each(|events| print_try(config, &places, events))
}

/// How long after its beginning a login may have an end.
const STORY: std::time::Duration = std::time::Duration::from_secs(600);

fn print_try(config: &Config, places: &Places, events: &[(Trail, Event)]) -> Result<(), Failure> {
    let Some((trail, first)) = events.first() else { return Ok(()) };
    let end = story::end(&only_events(events));
    if config.json {
        return output::line(&as_json(events, end.as_ref()).to_string());
    }
    let what = first.handoff_id.map_or_else(|| first.kind.clone(), |id| format!("login {id}"));
    output::line(&format!("{}  {}  {what}", first.at, places.name(trail)))?;
    match end {
        Some(end) => {
            // Every event of such a login names who acted in it.
            if let Some(staff) = row::on_behalf(first) {
                output::line(&format!("  {staff}"))?;
            }
            print_end(&end)
        }
        None => output::line(&format!("  {}", row::more(first))),
    }
}

fn as_json(events: &[(Trail, Event)], end: Option<&End>) -> serde_json::Value {
    json!({
        "events": events.iter().map(Told::new).collect::<Vec<_>>(),
        "end": end.map(|end| &end.words),
        "seen": end.and_then(|end| end.seen),
        "hint": end.and_then(|end| end.hint),
    })
}

fn print(
    config: &Config,
    places: Option<&Places>,
    events: &[(Trail, Event)],
    end: Option<&End>,
) -> Result<(), Failure> {
    if config.json {
        return output::line(&as_json(events, end).to_string());
    }
    if let Some(places) = places {
        row::head(config, places)?;
        for told in events {
            row::print(config, places, told)?;
            let more = row::more(&told.1);
            if !more.is_empty() {
                output::line(&format!("{:26}{more}", ""))?;
            }
        }
        output::line("")?;
    }
    end.map_or(Ok(()), print_end)
}

fn print_end(end: &End) -> Result<(), Failure> {
    output::line(&format!("  What happened:         {}", end.words))?;
    if let Some(seen) = end.seen {
        output::line(&format!("  What the customer saw: {seen}"))?;
    }
    end.hint.map_or(Ok(()), |hint| output::line(&format!("  What to do:            {hint}")))
}
