//! How much is done at a time. Beyond it a request is shed at once, with the word to come again, instead of waiting
//! until nobody wants its answer any more. Only work counts: who sends a body slowly takes nobody's place, and
//! whether Gatepass lives and is ready is answered always.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::Next as Inner;
use actix_web::{HttpMessage, HttpRequest, web};

use crate::connections::{Connection, Next};
use crate::metrics::REQUESTS_SHED;
use crate::seldom::Seldom;
use crate::{Code, Problem, health};

/// The longest path with its query, in bytes.
const MAX_TARGET_BYTES: usize = 2 * 1024;

/// The largest header, names and values together, in bytes. A site's proof is under 2 KiB, and a reverse proxy adds
/// a few lines. (The framework refuses more than 96 lines, and reads at most 128 KiB to find the end.)
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Told of seldom: it happens when there is more to do than can be done.
static SHEDDING: Seldom = Seldom::new();

/// The requests of this process that are being worked on.
#[derive(Debug)]
pub struct Load {
    max: usize,
    now: AtomicUsize,
}

impl Load {
    /// At most `max` at a time.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, now: AtomicUsize::new(0) })
    }

    /// How many there may be.
    pub const fn max(&self) -> usize {
        self.max
    }

    /// How many there are.
    pub fn now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    fn enter(&self) -> Result<(), Problem> {
        let one_more = |now| (now < self.max).then_some(now + 1);
        if self.now.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok() {
            return Ok(());
        }
        metrics::counter!(REQUESTS_SHED).increment(1);
        let max_requests = self.max;
        SHEDDING
            .tell("", |others| tracing::warn!(max_requests, others, "requests are shed: there are too many"));
        Err(Problem::new(Code::Overloaded))
    }

    fn leave(&self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One request's place, given back when it is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Work(Rc<Place>);

#[derive(Debug)]
struct Place {
    load: Arc<Load>,
    connection: Connection,
    taken: Cell<bool>,
}

impl Work {
    fn begin(load: Arc<Load>, connection: Connection) -> Result<Self, Problem> {
        load.enter()?;
        Ok(Self(Rc::new(Place { load, connection, taken: Cell::new(true) })))
    }

    /// Waits for the client, without keeping the place.
    pub(crate) async fn wait_for<T>(
        request: &HttpRequest,
        client: impl Future<Output = T>,
    ) -> Result<T, Problem> {
        let work = request.extensions().get::<Self>().cloned();
        let Some(Self(place)) = work else { return Ok(client.await) };
        place.leave();
        place.connection.wait();
        let came = client.await;
        place.connection.go_on();
        place.load.enter()?;
        place.taken.set(true);
        Ok(came)
    }
}

impl Place {
    fn leave(&self) {
        if self.taken.replace(false) {
            self.load.leave();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The middleware.
pub(crate) async fn bounded(
    request: ServiceRequest,
    next: Inner<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(connection) = request.conn_data::<Connection>().cloned() else {
        return Ok(request.error_response(Problem::new(Code::Overloaded)));
    };
    connection.begin();
    let answer = serve(request, next, &connection).await;
    let and_then = connection.end();
    let mut answer = answer?;
    if and_then == Next::Last {
        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(answer)
}

/// What is refused here is answered like everything else: an error would pass by whoever gives it its request id.
async fn serve(
    request: ServiceRequest,
    next: Inner<impl MessageBody + 'static>,
    connection: &Connection,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if let Err(problem) = check_head(&request) {
        return Ok(request.error_response(problem));
    }
    if health::PATHS.contains(&request.path()) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let work = match request.app_data::<web::Data<Load>>() {
        Some(load) => Work::begin(Arc::clone(load), connection.clone()),
        None => Err(Problem::new(Code::Internal)),
    };
    let work = match work {
        Ok(work) => work,
        Err(problem) => return Ok(request.error_response(problem)),
    };
    request.extensions_mut().insert(work.clone());
    let answer = next.call(request).await;
    work.0.leave();
    Ok(answer?.map_into_boxed_body())
}

fn check_head(request: &ServiceRequest) -> Result<(), Problem> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > MAX_TARGET_BYTES {
        return Err(Problem::new(Code::UriTooLong));
    }
    let header: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if header > MAX_HEADER_BYTES {
        let detail = format!("at most {MAX_HEADER_BYTES} bytes of header are taken");
        return Err(Problem::new(Code::HeaderTooLarge).detail(detail));
    }
    Ok(())
}
