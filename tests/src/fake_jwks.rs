//! What stands where a broker publishes its keys: for what the real one never says.

use std::sync::{Arc, Mutex, PoisonError};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, web};
use gatepass_keys::{KeySet, PublishedKeys, SigningKey};

use crate::{Result, ports};

/// How it answers.
#[derive(Debug, Clone)]
pub enum Served {
    /// With these bytes.
    Body(String),
    /// By leading to these bytes.
    Redirect(String),
    /// With this status and these bytes.
    Status(u16, String),
}

/// A server of key sets.
#[derive(Debug)]
pub struct FakeJwks {
    /// The set's address.
    pub url: String,
    state: Arc<Mutex<State>>,
    server: ServerHandle,
}

#[derive(Debug)]
struct State {
    served: Served,
    fetched: usize,
    conditions: Vec<Option<String>>,
}

impl FakeJwks {
    /// Starts one.
    pub fn start(first: Served) -> Result<Self> {
        let port = ports::free_port()?;
        let state = Arc::new(Mutex::new(State { served: first, fetched: 0, conditions: Vec::new() }));
        let shared = Arc::clone(&state);
        let server = HttpServer::new(move || {
            let state = Arc::clone(&shared);
            App::new().default_service(web::to(move |request: HttpRequest| {
                let answer = answer(&state, &request);
                async move { answer }
            }))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", port))?
        .run();
        let handle = server.handle();
        std::thread::spawn(move || actix_web::rt::System::new().block_on(server));
        Ok(Self { url: format!("http://127.0.0.1:{port}/keys"), state, server: handle })
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How it answers from now on.
    pub fn serves(&self, served: Served) {
        self.with(|state| state.served = served);
    }

    /// How often it was asked.
    pub fn fetched(&self) -> usize {
        self.with(|state| state.fetched)
    }

    /// The `If-None-Match` of every request.
    pub fn conditions(&self) -> Vec<Option<String>> {
        self.with(|state| state.conditions.clone())
    }
}

impl Drop for FakeJwks {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

fn answer(state: &Mutex<State>, request: &HttpRequest) -> HttpResponse {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let json = |body: &str| HttpResponse::Ok().content_type("application/json").body(body.to_owned());
    if request.path() == "/elsewhere" {
        let (Served::Redirect(body) | Served::Body(body) | Served::Status(_, body)) = &state.served;
        return json(body);
    }
    state.fetched += 1;
    let condition = request.headers().get("if-none-match").and_then(|value| value.to_str().ok());
    state.conditions.push(condition.map(ToOwned::to_owned));
    match &state.served {
        Served::Body(body) => json(body),
        Served::Redirect(_) => HttpResponse::Found().insert_header(("Location", "/elsewhere")).finish(),
        Served::Status(status, body) => {
            let status = actix_web::http::StatusCode::from_u16(*status).unwrap_or_default();
            HttpResponse::build(status).content_type("application/json").body(body.clone())
        }
    }
}

/// A set of these keys, as a broker publishes it.
pub fn published(version: u64, keys: &[&SigningKey]) -> String {
    let keys = KeySet::new(keys.iter().map(|key| key.public().clone()));
    serde_json::to_string(&PublishedKeys::new(keys, version, Vec::new())).unwrap_or_default()
}
