//! How members look.

use gatepass_core::change::{Following, SyncState};
use gatepass_core::member::Member;
use gatepass_core::roster::{self, Filter};
use gatepass_core::store::Members;
use gatepass_core::{SiteId, StoreError};
use serde_json::{Value, json};

/// The columns of a list.
pub(super) const HEAD: [&str; 6] = ["SUBJECT", "E-MAIL", "STATUS", "CHANGED", "WORDPRESS", "WHY"];

/// Of how many members that WordPress refuses it is told why.
const FAILED_SHOWN: usize = 20;

pub(super) fn row(member: &Member) -> [String; 6] {
    let Following { error, .. } = &member.following;
    let state = member.following.state();
    [
        member.subject.to_string(),
        member.wanted.email.clone(),
        member.wanted.membership.status.as_str().to_owned(),
        member.updated_at.to_string(),
        state.as_str().to_owned(),
        error
            .as_ref()
            .filter(|_| state == SyncState::Failed)
            .map(|error| format!("{}: {}", error.code, error.message))
            .unwrap_or_default(),
    ]
}

/// A member in JSON.
pub(super) fn value(member: &Member) -> Value {
    let mut value = json!(member);
    if let Some(members) = value.as_object_mut() {
        members.insert("sync".to_owned(), sync(&member.following));
    }
    value
}

/// Where WordPress stands, as the panel API says it.
pub(super) fn sync(following: &Following) -> Value {
    let state = following.state();
    json!({
        "state": state,
        "wordpress_user_id": following.wordpress_user_id,
        "error": following.error.as_ref().filter(|_| state == SyncState::Failed),
        "at": following.at,
    })
}

/// The members that WordPress refuses.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Failed {
    count: usize,
    /// The first of them.
    members: Vec<Value>,
}

/// Finds the members of a site that WordPress refuses.
pub(crate) async fn failed(store: &dyn Members, site: SiteId) -> Result<Failed, StoreError> {
    let filter = Filter { sync: Some(SyncState::Failed), status: None };
    let (mut found, mut after) = (Failed::default(), 0);
    loop {
        let page = roster::page(store, site, filter, after, super::PAGE).await?;
        found.count += page.members.len();
        let room = FAILED_SHOWN.saturating_sub(found.members.len());
        found.members.extend(page.members.iter().take(room).map(|member| {
            json!({ "subject": member.subject, "error": member.following.error, "at": member.following.at })
        }));
        match page.next {
            Some(next) => after = next,
            None => return Ok(found),
        }
    }
}
