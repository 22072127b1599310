//! All that a panel says to Gatepass.
//!
//! 1. [`Gatepass::put_member`], whenever a subscription begins, changes or ends: the whole wanted state, under
//!    the panel's own customer number. Repeating it is harmless.
//! 2. [`Gatepass::start_url`], for the button "Log in to site": the site's start address, with the customer number as
//!    `login_hint`. The site gives the browser a cookie and sends it to the panel's own start page, with the cookie's
//!    hash as `binding`.
//! 3. [`Gatepass::log_in`], on that start page: the answer's `login_url` is where to send the browser. It is good for
//!    one login within a minute, in the browser with that cookie, so it is asked for right there, never before.
//!
//! 4. [`Gatepass::standing`] and [`Gatepass::sessions`] tell what WordPress made of it, and
//!    [`Gatepass::end_sessions`] signs the customer out there.
//!
//! This file is meant to be copied; it knows nothing of the rest of the panel.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode};
use serde::{Deserialize, Serialize};
use url::Url;

/// A client of the panel API for one site.
#[derive(Clone)]
pub(crate) struct Gatepass {
    http: reqwest::Client,
    site: Url,
    members: Url,
    handoffs: Url,
    api_key: String,
}

/// What WordPress is to know of a customer.
#[derive(Debug, Serialize)]
pub(crate) struct Member<'a> {
    pub email: String,
    /// Whether the panel has seen proof that the address is the customer's.
    pub email_verified: bool,
    pub display_name: &'a str,
    pub first_name: &'a str,
    pub last_name: &'a str,
    pub membership: Membership<'a>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Membership<'a> {
    pub status: Status,
    pub plan: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Active,
    Canceled,
}

#[derive(Deserialize)]
struct Known {
    sync: Standing,
}

/// What WordPress made of the last change.
#[derive(Debug, Deserialize)]
pub(crate) struct Standing {
    pub state: SyncState,
    pub wordpress_user_id: Option<u64>,
    pub error: Option<Refusal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SyncState {
    Synced,
    Pending,
    Failed,
}

/// Why WordPress does not follow; `code` is made for programs.
#[derive(Debug, Deserialize)]
pub(crate) struct Refusal {
    pub code: String,
    pub message: String,
}

/// A place where the customer is signed in.
#[derive(Debug, Deserialize)]
pub(crate) struct Session {
    pub started_at: String,
    pub client_ip: Option<String>,
    pub user_agent: String,
    /// The click that it came from; none with a password.
    pub handoff_id: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Gatepass said no. `code` is stable and made for programs; `detail` is for the panel's log.
    #[error("Gatepass refused: {code} ({status}): {detail}")]
    Refused { status: StatusCode, code: String, detail: String },
    /// No answer, or none that makes sense.
    #[error("Gatepass cannot be reached: {0}")]
    Unreachable(#[from] reqwest::Error),
}

impl Gatepass {
    /// `base` is Gatepass's address, `site` the id that `gatepass site add` printed, `api_key` what
    /// `gatepass client add` printed.
    pub(crate) fn new(base: &Url, site: &str, api_key: String) -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Self {
            http: reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?,
            site: base.join(&format!("/v1/sites/{site}"))?,
            members: base.join(&format!("/v1/sites/{site}/members/"))?,
            handoffs: base.join(&format!("/v1/sites/{site}/handoffs"))?,
            api_key,
        })
    }

    /// `PUT /v1/sites/{site}/members/{subject}`. It is kept once this returns; WordPress is given two seconds to follow,
    /// and if it does not, follows later.
    pub(crate) async fn put_member(&self, subject: &str, member: &Member<'_>) -> Result<Standing, Error> {
        let request = self.http.put(self.member_url(subject, None)).header("Prefer", "wait=2").json(member);
        Ok(self.call(request).await?.json::<Known>().await?.sync)
    }

    /// `GET /v1/sites/{site}/members/{subject}`: whether WordPress has followed.
    pub(crate) async fn standing(&self, subject: &str) -> Result<Standing, Error> {
        let request = self.http.get(self.member_url(subject, None));
        Ok(self.call(request).await?.json::<Known>().await?.sync)
    }

    /// `GET …/members/{subject}/sessions`: where the customer is signed in, as WordPress says now.
    pub(crate) async fn sessions(&self, subject: &str) -> Result<Vec<Session>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            sessions: Vec<Session>,
        }

        let request = self.http.get(self.member_url(subject, Some("sessions")));
        Ok(self.call(request).await?.json::<Answer>().await?.sessions)
    }

    /// `DELETE …/members/{subject}/sessions`: signs the customer out everywhere on the site.
    pub(crate) async fn end_sessions(&self, subject: &str) -> Result<(), Error> {
        let request = self.http.delete(self.member_url(subject, Some("sessions"))).header("Prefer", "wait=2");
        self.call(request).await?;
        Ok(())
    }

    fn member_url(&self, subject: &str, more: Option<&str>) -> Url {
        // A subject may hold ':' and '@', which mean something in a URL that is put together by hand.
        let mut url = self.members.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(subject).extend(more);
        }
        url
    }

    /// `GET /v1/sites/{site}`: where the button leads. A real panel would remember it; it changes only when the site
    /// moves. `None` while the site is not paired.
    pub(crate) async fn start_url(&self, subject: &str) -> Result<Option<String>, Error> {
        #[derive(Deserialize)]
        struct Site {
            start_url: Option<Url>,
        }

        let Site { start_url } = self.call(self.http.get(self.site.clone())).await?.json().await?;
        Ok(start_url.map(|mut url| {
            url.query_pairs_mut().append_pair("login_hint", subject);
            url.into()
        }))
    }

    /// `POST /v1/sites/{site}/handoffs`: where to send the browser of this customer. `binding` is what the site sent
    /// along to the start page.
    pub(crate) async fn log_in(
        &self,
        subject: &str,
        binding: &str,
        redirect_to: &str,
    ) -> Result<String, Error> {
        #[derive(Serialize)]
        struct Ask<'a> {
            subject: &'a str,
            binding: &'a str,
            redirect_to: &'a str,
        }
        #[derive(Deserialize)]
        struct Answer {
            login_url: String,
        }

        let ask = Ask { subject, binding, redirect_to };
        let answer = self.call(self.http.post(self.handoffs.clone()).json(&ask)).await?;
        let Answer { login_url } = answer.json().await?;
        Ok(login_url)
    }

    async fn call(&self, request: RequestBuilder) -> Result<reqwest::Response, Error> {
        /// RFC 9457, as far as a panel needs it.
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct Problem {
            code: String,
            detail: String,
        }

        let response = request.bearer_auth(&self.api_key).send().await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let Problem { code, detail } = response.json().await.unwrap_or_default();
        Err(Error::Refused { status, code, detail })
    }
}

impl Error {
    /// Whether the same call may well succeed in a moment.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
        }
    }

    pub(crate) fn is_inactive_membership(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "membership_inactive")
    }
}
