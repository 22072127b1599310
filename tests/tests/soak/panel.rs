//! A panel: it changes the members of one site, one after the other, and repeats what got no answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gatepass_tests::Result;
use gatepass_tests::dice::Dice;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::site::{Site, TAKEN};

/// How many customers a site has.
const CUSTOMERS: usize = 30;
/// How long Gatepass may be away until the panel gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a panel wants of one customer.
#[derive(Debug, Clone)]
pub struct Wish {
    pub email: String,
    pub status: &'static str,
    /// When it last had all sessions ended.
    pub sessions_ended_at: Option<Instant>,
}

/// Those whom the panel has not removed.
pub type Wishes = BTreeMap<String, Wish>;

pub struct Panel {
    http: reqwest::Client,
    base: String,
    key: String,
    dice: Dice,
    wishes: Wishes,
}

impl Panel {
    pub fn new(gatepass: &str, site: &Site, key: &str, dice: Dice) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build();
        Self {
            http: http.unwrap_or_default(),
            base: format!("{gatepass}/v1/sites/{}/members/", site.id()),
            key: key.to_owned(),
            dice,
            wishes: Wishes::new(),
        }
    }

    /// Changes until all panels together have changed enough. What it wants in the end.
    pub async fn work(mut self, done: Arc<AtomicU64>, enough: u64, pause: Duration) -> Result<Wishes> {
        while done.load(Ordering::Relaxed) < enough {
            self.change().await?;
            done.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(pause * u32::try_from(self.dice.below(100)).unwrap_or_default() / 100).await;
        }
        Ok(self.wishes)
    }

    async fn change(&mut self) -> Result {
        let subject = format!("cust-{}", self.dice.below(CUSTOMERS));
        let status = ["active", "active", "canceled", "paused"][self.dice.below(4)];
        let known = self.wishes.get(&subject).cloned();
        match (self.dice.below(10), known) {
            (0..=3, known) | (_, known @ None) => {
                // Some addresses are somebody else's on the site, which refuses them.
                let taken = if self.dice.percent(10) { TAKEN } else { "" };
                let email = format!("{taken}{subject}.{}@example.com", self.dice.below(5));
                let body = json!({ "email": email, "membership": { "status": status } });
                self.until_done(Method::PUT, &subject, Some(&body)).await?;
                let sessions_ended_at = known.and_then(|known| known.sessions_ended_at);
                self.wishes.insert(subject, Wish { email, status, sessions_ended_at });
            }
            (4..=6, Some(known)) => {
                let body = json!({ "status": status });
                self.until_done(Method::PATCH, &format!("{subject}/membership"), Some(&body)).await?;
                self.wishes.insert(subject, Wish { status, ..known });
            }
            (7, Some(known)) => {
                let sessions_ended_at = Some(Instant::now());
                self.until_done(Method::DELETE, &format!("{subject}/sessions"), None).await?;
                self.wishes.insert(subject, Wish { sessions_ended_at, ..known });
            }
            (8, Some(_)) => {
                self.until_done(Method::DELETE, &subject, None).await?;
                self.wishes.remove(&subject);
            }
            (_, Some(known)) => {
                // The same again, which changes nothing.
                let body = json!({ "email": known.email, "membership": { "status": known.status } });
                self.until_done(Method::PUT, &subject, Some(&body)).await?;
            }
        }
        Ok(())
    }

    /// Asks until there is an answer: none, or a 503, leaves open whether it was done, and repeating is harmless.
    async fn until_done(&self, method: Method, path: &str, body: Option<&Value>) -> Result {
        let began = Instant::now();
        loop {
            let mut request =
                self.http.request(method.clone(), format!("{}{path}", self.base)).bearer_auth(&self.key);
            if let Some(body) = body {
                request = request.json(body);
            }
            match request.send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) if answer.status() != StatusCode::SERVICE_UNAVAILABLE => {
                    let (status, text) = (answer.status(), answer.text().await?);
                    return Err(format!("{method} {path} was answered {status}: {text}").into());
                }
                Ok(_) | Err(_) if began.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Ok(answer) => {
                    return Err(format!("{method} {path} is still answered {}", answer.status()).into());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
