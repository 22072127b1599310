//! The panel API, as a panel calls it.

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Result;

/// A client with one API key, for one site.
#[derive(Debug, Clone)]
pub struct PanelApi {
    http: reqwest::Client,
    base: String,
    site: String,
    key: String,
}

/// An issued handoff.
#[derive(Debug, Clone, Deserialize)]
pub struct Handoff {
    /// `ho_…`
    pub id: String,
    /// Where the browser is to go; the token is in the fragment.
    pub login_url: String,
    /// RFC 3339.
    pub expires_at: String,
}

impl Handoff {
    /// The token alone.
    pub fn token(&self) -> &str {
        self.login_url.split_once("#token=").map_or("", |(_, token)| token)
    }

    /// The login endpoint alone.
    pub fn endpoint(&self) -> &str {
        self.login_url.split('#').next().unwrap_or_default()
    }
}

/// Someone the panel sells to.
#[derive(Debug, Clone)]
pub struct Member {
    /// The panel's number for the customer.
    pub subject: String,
    /// The address that WordPress's user gets.
    pub email: String,
}

/// What the API answered.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// Seconds to wait.
    pub retry_after: Option<u64>,
    /// `Preference-Applied`.
    pub applied: Option<String>,
    /// The body, `null` if there was none.
    pub body: Value,
}

impl Answer {
    /// Reads it.
    pub async fn read(response: reqwest::Response) -> Result<Self> {
        let status = response.status();
        let retry_after =
            response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let applied = response.headers().get("preference-applied");
        let applied = applied.and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        let body = serde_json::from_str(&response.text().await?).unwrap_or_default();
        Ok(Self { status, retry_after, applied, body })
    }

    /// Where WordPress stands: `sync.state`.
    pub fn sync(&self) -> &str {
        self.body["sync"]["state"].as_str().unwrap_or_default()
    }

    /// The problem's `code`, empty if this is none.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The body, if the call succeeded.
    pub fn ok(self) -> Result<Value> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        Err(format!("the panel API answered {}: {}", self.status, self.body).into())
    }
}

impl PanelApi {
    /// `base` is Gatepass's public URL.
    pub fn new(base: &str, site: &str, key: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap_or_default();
        Self { http, base: base.to_owned(), site: site.to_owned(), key: key.to_owned() }
    }

    /// The site's id.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// The API key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The same site with another API key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// The same key for another site.
    #[must_use]
    pub fn for_site(&self, site: &str) -> Self {
        Self { site: site.to_owned(), ..self.clone() }
    }

    /// Any call; `path` begins with a slash.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::read(request.send().await?).await
    }

    /// A call below `/v1/sites/{site}`.
    pub async fn site_call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        self.call(method, &format!("/v1/sites/{}{path}", self.site), body).await
    }

    /// Puts a member as given.
    pub async fn put(&self, subject: &str, member: &Value) -> Result<Answer> {
        self.site_call(Method::PUT, &format!("/members/{subject}"), Some(member)).await
    }

    /// The same, waiting for WordPress for up to so many seconds; with what was applied of it.
    pub async fn put_and_wait(&self, subject: &str, member: &Value, seconds: u64) -> Result<Answer> {
        self.waiting(Method::PUT, &format!("/members/{subject}"), Some(member), seconds).await
    }

    /// A call below `/v1/sites/{site}` that waits for WordPress for up to so many seconds.
    pub async fn waiting(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        seconds: u64,
    ) -> Result<Answer> {
        let url = format!("{}/v1/sites/{}{path}", self.base, self.site);
        let mut request = self.http.request(method, url).bearer_auth(&self.key);
        request = request.header("Prefer", format!("wait={seconds}"));
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::read(request.send().await?).await
    }

    /// Changes some of a membership.
    pub async fn patch_membership(&self, subject: &str, changes: &Value) -> Result<Answer> {
        self.site_call(Method::PATCH, &format!("/members/{subject}/membership"), Some(changes)).await
    }

    /// Reads a member.
    pub async fn member(&self, subject: &str) -> Result<Answer> {
        self.site_call(Method::GET, &format!("/members/{subject}"), None).await
    }

    /// Removes a member.
    pub async fn remove(&self, subject: &str) -> Result<Answer> {
        self.site_call(Method::DELETE, &format!("/members/{subject}"), None).await
    }

    /// A page of the members; `query` without its question mark.
    pub async fn members(&self, query: &str) -> Result<Value> {
        self.site_call(Method::GET, &format!("/members?{query}"), None).await?.ok()
    }

    /// Imports these lines.
    pub async fn import(&self, lines: impl Into<reqwest::Body>) -> Result<Answer> {
        let url = format!("{}/v1/sites/{}/members:import", self.base, self.site);
        let request = self.http.post(url).bearer_auth(&self.key);
        let request = request.header("Content-Type", "application/x-ndjson").body(lines);
        Answer::read(request.send().await?).await
    }

    /// All members as lines for an import.
    pub async fn export(&self) -> Result<String> {
        let url = format!("{}/v1/sites/{}/members:export", self.base, self.site);
        let answer = self.http.get(url).bearer_auth(&self.key).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    /// Puts a member with a membership of this status, and everything else as [`member`] makes it.
    pub async fn put_status(&self, subject: &str, status: &str) -> Result<Member> {
        let mut wanted = member(subject);
        wanted["membership"]["status"] = json!(status);
        self.put(subject, &wanted).await?.ok()?;
        Ok(Member { subject: subject.to_owned(), email: email_of(subject) })
    }

    /// Issues a handoff to the site's default place.
    pub async fn issue(&self, subject: &str) -> Result<Handoff> {
        self.issue_with(&json!({ "subject": subject })).await
    }

    /// Issues a handoff to a place on the site.
    pub async fn issue_to(&self, subject: &str, redirect_to: &str) -> Result<Handoff> {
        self.issue_with(&json!({ "subject": subject, "redirect_to": redirect_to })).await
    }

    /// The same, bound to a browser.
    pub async fn issue_bound(&self, subject: &str, binding: &str) -> Result<Handoff> {
        self.issue_with(&json!({ "subject": subject, "binding": binding })).await
    }

    /// Issues a handoff with any body.
    pub async fn issue_with(&self, body: &Value) -> Result<Handoff> {
        Ok(serde_json::from_value(self.try_issue(body).await?.ok()?)?)
    }

    /// The same, when a refusal is expected.
    pub async fn try_issue(&self, body: &Value) -> Result<Answer> {
        self.site_call(Method::POST, "/handoffs", Some(body)).await
    }

    /// Reads a handoff.
    pub async fn handoff(&self, id: &str) -> Result<Value> {
        self.site_call(Method::GET, &format!("/handoffs/{id}"), None).await?.ok()
    }

    /// Revokes a handoff.
    pub async fn revoke(&self, id: &str) -> Result<Value> {
        self.site_call(Method::POST, &format!("/handoffs/{id}/revoke"), None).await?.ok()
    }

    /// A page of the site's trail, from the event after `after`.
    pub async fn events(&self, after: u64) -> Result<Value> {
        self.site_call(Method::GET, &format!("/events?after={after}"), None).await?.ok()
    }

    /// All that the trail says of one handoff, in order, as `kind` or `kind: cause`.
    pub async fn trail(&self, handoff_id: &str) -> Result<Vec<String>> {
        let (mut lines, mut after) = (Vec::new(), 0);
        loop {
            let page = self.events(after).await?;
            let events = page["events"].as_array().cloned().unwrap_or_default();
            for event in events.iter().filter(|event| event["handoff_id"] == handoff_id) {
                let kind = event["kind"].as_str().unwrap_or_default();
                lines.push(
                    event["cause"].as_str().map_or(kind.to_owned(), |cause| format!("{kind}: {cause}")),
                );
            }
            if events.is_empty() {
                return Ok(lines);
            }
            after = page["next"].as_u64().unwrap_or(u64::MAX);
        }
    }

    /// Waits until a handoff has this state: the outcome is reported after the browser has its answer.
    pub async fn wait_for_state(&self, id: &str, state: &str) -> Result<Value> {
        let mut seen = Value::Null;
        for _ in 0..100 {
            seen = self.handoff(id).await?;
            if seen["state"] == state {
                return Ok(seen);
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Err(format!("the handoff should be {state} and is {seen}").into())
    }
}

/// An active member: the body of a PUT, to be varied.
pub fn member(subject: &str) -> Value {
    json!({
        "email": email_of(subject),
        "email_verified": true,
        "display_name": format!("Member {subject}"),
        "first_name": "Member",
        "last_name": subject,
        "membership": { "status": "active", "plan": "test" },
    })
}

fn email_of(subject: &str) -> String {
    format!("{subject}@example.com")
}
