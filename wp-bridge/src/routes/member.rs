//! A member as a site is told of it.

use gatepass_core::member::Wanted;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct MemberAnswer<'a> {
    revision: u64,
    email: &'a str,
    email_verified: bool,
    username: Option<&'a str>,
    display_name: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    locale: &'a str,
    roles: &'a [String],
}

impl<'a> MemberAnswer<'a> {
    pub(super) fn new(revision: u64, wanted: &'a Wanted) -> Self {
        Self {
            revision,
            email: &wanted.email,
            email_verified: wanted.email_verified,
            username: wanted.username.as_deref(),
            display_name: &wanted.display_name,
            first_name: &wanted.first_name,
            last_name: &wanted.last_name,
            locale: &wanted.locale,
            roles: &wanted.roles,
        }
    }
}
