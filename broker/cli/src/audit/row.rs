//! An event as a line: columns for people, JSON for programs.

use std::net::IpAddr;

use gatepass_core::event::{Actor, Event};
use gatepass_core::handoff::OnBehalf;
use gatepass_core::reference;
use gatepass_core::trail::Trail;
use serde::Serialize;

use super::places::Places;
use crate::config::Config;
use crate::error::Failure;
use crate::output;

/// An event, and whose trail it stands in.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    trail: String,
    #[serde(flatten)]
    event: &'a Event,
}

impl<'a> Told<'a> {
    pub(super) fn new((trail, event): &'a (Trail, Event)) -> Self {
        Self { trail: trail.to_string(), event }
    }
}

/// Who did it.
pub(super) fn who(event: &Event, places: &Places) -> String {
    let operator = event.context.operator.as_deref();
    let who = match event.context.actor {
        Actor::Client(id) => places.client(id),
        Actor::Site => "the site".to_owned(),
        Actor::Operator => operator.map_or_else(|| "operator".to_owned(), |name| format!("operator {name}")),
    };
    match &event.context.on_behalf {
        Some(staff) => format!("{who}, {}", staff.name),
        None => who,
    }
}

/// By which request, as whoever asks has it.
pub(super) fn reference(event: &Event) -> String {
    let id = &event.context.request_id;
    reference::shown(id).unwrap_or_else(|| id.to_string())
}

fn columns(cells: [&str; 7], width: usize) -> String {
    let [at, place, kind, cause, subject, who, reference] = cells;
    let line = format!("{at:24}  {place:width$}  {kind:22}  {cause:20}  {subject:20}  {who:18}  {reference}");
    line.trim_end().to_owned()
}

/// The line above.
pub(super) fn head(config: &Config, places: &Places) -> Result<(), Failure> {
    let names = ["TIME", "WHERE", "WHAT", "CAUSE", "SUBJECT", "WHO", "REFERENCE"];
    if config.json { Ok(()) } else { output::line(&columns(names, places.width())) }
}

/// One line, without what of it could move the cursor.
pub(super) fn print(config: &Config, places: &Places, told: &(Trail, Event)) -> Result<(), Failure> {
    if config.json {
        return output::line(&serde_json::to_string(&Told::new(told)).unwrap_or_default());
    }
    let (trail, event) = told;
    let subject = event.subject.as_ref().map(ToString::to_string);
    let cells: [&str; 7] = [
        &event.at.to_string(),
        &places.name(trail),
        &event.kind,
        event.cause.as_deref().unwrap_or("-"),
        subject.as_deref().unwrap_or("-"),
        &who(event, places),
        &reference(event),
    ];
    output::line(&columns(cells, places.width()))
}

/// Who of the panel's staff acted for the customer, and why.
pub(super) fn on_behalf(event: &Event) -> Option<String> {
    let OnBehalf { subject, name, reason } = event.context.on_behalf.as_ref()?;
    Some(format!("on behalf: {name} ({subject}): {reason}"))
}

/// What else is known of it.
pub(super) fn more(event: &Event) -> String {
    let from = event.context.client_ip.as_ref().map(IpAddr::to_string).map(|ip| format!("from {ip}"));
    let note = event.context.note.clone();
    let browser = event.context.user_agent.clone().filter(|browser| !browser.is_empty());
    [on_behalf(event), from, note, browser].into_iter().flatten().collect::<Vec<_>>().join("; ")
}
