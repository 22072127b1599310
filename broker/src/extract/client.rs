//! The API key of a request.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use gatepass_core::client::{ApiKey, Client, Scope};
use gatepass_core::event::{Actor, Context};
use gatepass_http::{ClientAddress, Code, Problem, RequestIdOf, bearer};

use crate::BrokerState;

/// A request with a live API key.
#[derive(Debug)]
pub struct Authenticated {
    /// Whose key it is.
    pub client: Client,
    /// What the trail says of this request.
    pub context: Context,
}

impl Authenticated {
    /// Passes if the key may do this.
    pub fn may(&self, scope: Scope) -> Result<(), Problem> {
        if self.client.scopes.contains(&scope) {
            Ok(())
        } else {
            Err(Problem::new(Code::InsufficientScope)
                .detail(format!("it needs the scope {}", scope.as_str())))
        }
    }
}

impl FromRequest for Authenticated {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let key: Option<ApiKey> = bearer(request).and_then(|text| text.parse().ok());
        let request_id = RequestIdOf::from_request(request, payload);
        let from = ClientAddress::from_request(request, payload);
        let state = request.app_data::<web::Data<BrokerState>>().cloned();
        Box::pin(async move {
            let state = state.ok_or_else(|| Problem::new(Code::Internal))?;
            let RequestIdOf(request_id) = request_id.await?;
            // A key that is no key costs no look-up.
            let hash = key.ok_or_else(|| Problem::new(Code::Unauthorized))?.hash();
            let (name, look_up) = (hash.as_str().to_owned(), state.store.client(&hash));
            let found =
                state.clients.get_for_stranger(name, from.await?, state.ambient.now(), look_up).await?;
            let now = state.ambient.now();
            match found.filter(|client| client.is_live(now)) {
                Some(client) => {
                    state.uses.note(&state.store, client.id, now);
                    let context = Context::new(request_id, Actor::Client(client.id));
                    Ok(Self { client, context })
                }
                None => Err(Problem::new(Code::Unauthorized)),
            }
        })
    }
}
