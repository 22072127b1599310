//! One id follows a request from panel to WordPress and back: `X-Request-Id` is honoured where it is well-formed,
//! made where it is missing, echoed in every answer, and written into problems, logs and the trail.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use gatepass_core::RequestId;
use gatepass_core::secret::{hidden_in_path, stands_in};

use crate::{Ambient, ClientAddress, Code, Problem, TrustedProxies, metrics};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The middleware. It stands outermost, knows the id first, and has the last word on errors.
pub async fn request_id(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let started = std::time::Instant::now();
    let given = request.headers().get(HEADER).and_then(|value| value.to_str().ok());
    let given = given.filter(|text| !stands_in(text)).and_then(|text| text.parse().ok());
    let id: RequestId = match given {
        Some(id) => id,
        None => match request.app_data::<web::Data<Ambient>>() {
            Some(ambient) => RequestId::generate(ambient.rng()).map_err(Problem::from)?,
            None => return Err(Problem::new(Code::Internal).into()),
        },
    };
    request.extensions_mut().insert(id.clone());
    let client = client_address(&request)?;
    request.extensions_mut().insert(client);
    // The path names sites, subjects and handoffs; a secret that somebody put into it is left out, and so is the query.
    let (method, path) = (request.method().clone(), hidden_in_path(request.path()).into_owned());
    let response = next.call(request).await?.map_into_boxed_body();
    let (mut response, code) = name_error(response, &id);
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(HEADER, value);
    }
    let took = started.elapsed();
    metrics::answered(&response, &method, took, code);
    tracing::info!(
        request_id = %id,
        %method,
        path,
        status = response.status().as_u16(),
        code = code.map(Code::as_str),
        client = %client.0,
        micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
    );
    Ok(response)
}

fn client_address(request: &ServiceRequest) -> Result<ClientAddress, Problem> {
    let peer = request.peer_addr().ok_or_else(|| Problem::new(Code::Internal))?.ip();
    let proxies =
        request.app_data::<web::Data<TrustedProxies>>().ok_or_else(|| Problem::new(Code::Internal))?;
    Ok(proxies.client_address(peer, request.headers()))
}

/// Puts the request id into a problem, and makes a problem of what actix answered by itself.
fn name_error(response: ServiceResponse, id: &RequestId) -> (ServiceResponse, Option<Code>) {
    let status = response.status().as_u16();
    let problem = match response.response().error() {
        Some(error) => error.as_error::<Problem>().cloned().unwrap_or_else(|| {
            tracing::debug!(request_id = %id, %error, "refused by the framework");
            Problem::new(by_status(status))
        }),
        // No route takes this method: the framework says so without an error.
        None if status >= 400 => Problem::new(by_status(status)),
        None => return (response, None),
    };
    let connection = response.response().head().connection_type();
    let mut named = response.into_response(problem.response(Some(id)));
    // Who answered before may have said that the connection ends.
    named.response_mut().head_mut().set_connection_type(connection);
    (named, Some(problem.code()))
}

fn by_status(status: u16) -> Code {
    match status {
        404 => Code::NotFound,
        405 => Code::MethodNotAllowed,
        413 => Code::PayloadTooLarge,
        415 => Code::UnsupportedMediaType,
        400..=499 => Code::MalformedRequest,
        _ => Code::Internal,
    }
}

/// What answers where no route does.
pub async fn not_found() -> Result<&'static str, Problem> {
    Err(Problem::new(Code::NotFound))
}

/// The id of the request at hand.
#[derive(Debug)]
pub struct RequestIdOf(pub RequestId);

impl FromRequest for RequestIdOf {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.extensions().get::<RequestId>().cloned();
        std::future::ready(id.map(Self).ok_or_else(|| Problem::new(Code::Internal)))
    }
}
