//! One member.

use std::time::{Duration, Instant};

use gatepass_core::change::{Following, Session};
use gatepass_core::clock::System;
use gatepass_core::store::{Asking, Errand, MemberRemoval};
use gatepass_core::{Clock, SiteId, Subject};
use serde_json::json;

use super::{Desk, shown};
use crate::error::Failure;
use crate::output;

/// How long a site has to tell its sessions: the running Gatepass looks every 10 seconds for what changed here.
const ANSWER_TIME: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(200);

fn not_found(subject: &Subject) -> Failure {
    Failure::Failed(format!("there is no member {subject} on this site; see gatepass member list"))
}

pub(super) async fn show(desk: &Desk<'_>, site: SiteId, subject: &Subject) -> Result<(), Failure> {
    let member = desk.store.member(site, subject).await?.ok_or_else(|| not_found(subject))?;
    output::line(&serde_json::to_string_pretty(&shown::value(&member)).unwrap_or_default())
}

pub(super) async fn remove(desk: &Desk<'_>, site: SiteId, subject: &Subject) -> Result<(), Failure> {
    match desk.store.remove_member(site, subject, None, System.now(), &desk.context).await? {
        MemberRemoval::Removed(following) => {
            eprintln!("Removed {subject}. WordPress follows as soon as it is told.");
            told(desk, subject, &following)
        }
        MemberRemoval::AlreadyRemoved(following) => {
            eprintln!("{subject} was removed before.");
            told(desk, subject, &following)
        }
        MemberRemoval::NotFound | MemberRemoval::SiteNotFound => Err(not_found(subject)),
        MemberRemoval::Limited(_) | MemberRemoval::RevisionMismatch { .. } => {
            Err(Failure::Failed("somebody else changed this member just now; try again".to_owned()))
        }
    }
}

pub(super) async fn try_again(desk: &Desk<'_>, site: SiteId, subject: &Subject) -> Result<(), Failure> {
    let following = ask(desk, site, subject, Errand::TryAgain).await?;
    eprintln!("WordPress tries again as soon as it is told.");
    told(desk, subject, &following)
}

pub(super) async fn end_sessions(desk: &Desk<'_>, site: SiteId, subject: &Subject) -> Result<(), Failure> {
    let following = ask(desk, site, subject, Errand::EndSessions).await?;
    eprintln!("WordPress ends the sessions of {subject} as soon as it is told.");
    told(desk, subject, &following)
}

pub(super) async fn sessions(desk: &Desk<'_>, site: SiteId, subject: &Subject) -> Result<(), Failure> {
    let position = ask(desk, site, subject, Errand::ReportSessions).await?.position;
    let began = Instant::now();
    loop {
        let reported = desk.store.reported_sessions(site, subject, position, System.now()).await?;
        if let Some(sessions) = reported {
            let rows: Vec<_> = sessions.iter().map(row).collect();
            return output::answer(desk.config, &json!({ "sessions": sessions }), || {
                output::table(["SESSION", "STARTED", "EXPIRES", "ADDRESS", "BY", "BROWSER"], &rows)
            });
        }
        if began.elapsed() > ANSWER_TIME {
            let why = "the site does not answer; see gatepass site show, and whether gatepass serve runs";
            return Err(Failure::Failed(why.to_owned()));
        }
        actix_web::rt::time::sleep(LOOK).await;
    }
}

fn row(session: &Session) -> [String; 6] {
    let by = match (session.handoff_id, session.on_behalf) {
        (Some(id), true) => format!("{id}, staff"),
        (Some(id), false) => id.to_string(),
        (None, _) => "password".to_owned(),
    };
    [
        session.id.clone(),
        session.started_at.to_string(),
        session.expires_at.to_string(),
        session.client_ip.map_or_else(String::new, |ip| ip.to_string()),
        by,
        session.user_agent.clone(),
    ]
}

async fn ask(desk: &Desk<'_>, site: SiteId, subject: &Subject, errand: Errand) -> Result<Following, Failure> {
    let asked = desk.store.ask_of_site(site, subject, errand, System.now(), &desk.context).await?;
    match asked {
        Asking::Asked(following) => Ok(following),
        Asking::NotFound => Err(not_found(subject)),
        // The command line is not counted.
        Asking::Limited(_) => Err(Failure::Failed("asked for too often; try again later".to_owned())),
    }
}

/// What a program wants to know of it.
fn told(desk: &Desk<'_>, subject: &Subject, following: &Following) -> Result<(), Failure> {
    if !desk.config.json {
        return Ok(());
    }
    output::answer(desk.config, &json!({ "subject": subject, "sync": shown::sync(following) }), String::new)
}
