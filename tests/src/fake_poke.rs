//! The plugin's endpoint for pokes: keeps what came, and answers as it is told to.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::rt::time::{Sleep, sleep};
use actix_web::web::Bytes;
use serde_json::json;

/// How the site answers a poke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poking {
    /// As the plugin does that has pulled.
    Pulled,
    /// As the plugin does that could not.
    NotPulled,
    /// As a server that is broken.
    Broken,
    /// Not at all, for longer than anybody waits.
    Silent,
    /// By leading elsewhere on the site, where it would be answered well.
    Redirected,
    /// Well, and with more behind it than anybody wants to read.
    Endless,
    /// Byte by byte, for ever.
    Dripping,
}

/// The endpoint.
#[derive(Debug, Clone)]
pub struct Pokes(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    poking: Poking,
    tokens: Vec<String>,
    led_elsewhere: usize,
}

impl Default for Pokes {
    fn default() -> Self {
        let state = State { poking: Poking::Pulled, tokens: Vec::new(), led_elsewhere: 0 };
        Self(Arc::new(Mutex::new(state)))
    }
}

impl Pokes {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How it answers from now on.
    pub fn answer(&self, poking: Poking) {
        self.with(|state| state.poking = poking);
    }

    /// The tokens that came, in order.
    pub fn tokens(&self) -> Vec<String> {
        self.with(|state| state.tokens.clone())
    }

    /// How many pokes came.
    pub fn count(&self) -> usize {
        self.with(|state| state.tokens.len())
    }

    /// How often somebody followed a redirect.
    pub fn followed(&self) -> usize {
        self.with(|state| state.led_elsewhere)
    }

    /// Waits for the poke after the first `seen`; the answer is whether it came within the time.
    pub async fn wait_for(&self, seen: usize, longest: Duration) -> bool {
        let began = std::time::Instant::now();
        while self.count() <= seen {
            if began.elapsed() > longest {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// Somebody came where a redirect leads.
    pub(crate) fn elsewhere(&self) -> HttpResponse {
        self.with(|state| state.led_elsewhere += 1);
        HttpResponse::Ok().json(json!({ "code": "pulled", "position": 0 }))
    }

    /// A poke came, with this body.
    pub(crate) async fn take(&self, form: &str) -> HttpResponse {
        let token = url::form_urlencoded::parse(form.as_bytes())
            .find_map(|(name, value)| (name == "poke").then(|| value.into_owned()));
        let poking = self.with(|state| {
            state.tokens.push(token.unwrap_or_default());
            state.poking
        });
        let good = json!({ "code": "pulled", "position": 0 });
        match poking {
            Poking::Pulled => HttpResponse::Ok().json(good),
            Poking::NotPulled => HttpResponse::ServiceUnavailable()
                .json(json!({ "code": "not_pulled", "reason": "bridge_unreachable" })),
            Poking::Broken => {
                HttpResponse::InternalServerError().body("<p>There has been a critical error</p>")
            }
            Poking::Silent => {
                sleep(Duration::from_secs(60)).await;
                HttpResponse::Ok().json(good)
            }
            Poking::Redirected => HttpResponse::TemporaryRedirect()
                .insert_header(("Location", "/?action=poked_elsewhere"))
                .finish(),
            Poking::Endless => HttpResponse::Ok().body(format!("{good}{}", " ".repeat(10_000_000))),
            Poking::Dripping => HttpResponse::Ok().body(Drip(Box::pin(sleep(Duration::ZERO)))),
        }
    }
}

/// A space every half second.
struct Drip(Pin<Box<Sleep>>);

impl MessageBody for Drip {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        std::task::ready!(self.0.as_mut().poll(context));
        self.0 = Box::pin(sleep(Duration::from_millis(500)));
        Poll::Ready(Some(Ok(Bytes::from_static(b" "))))
    }
}
