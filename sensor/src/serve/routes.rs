//! What is where, and what holds for every request and every answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, HeaderName, REFERRER_POLICY, RETRY_AFTER, TRANSFER_ENCODING, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream::unfold;
use tokio::sync::{Semaphore, watch};

use super::access::{Access, Refusal};
use super::feed::{Feed, Kind};
use super::metrics::{Format, Metrics};
use super::{api, page};
use crate::view::View;

/// A view that is older is not what is happening.
const FRESH: Duration = Duration::from_secs(5);
/// Only files of this server, no frame around it, nothing inline.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);
const CROSS_ORIGIN: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PLAIN: &str = "text/plain; charset=utf-8";

/// Answers of some size that may be under way at once: so much memory may readers hold who are slow.
const ANSWERS: usize = 16;
/// Bytes of an answer that are given to the connection at once.
const SLICE: usize = 16 * 1024;

/// What was lost in serving, since the start.
#[derive(Default)]
pub struct Losses {
    /// Connections that found all places taken.
    pub connections_refused: AtomicU64,
    /// Streams that were ended because their client did not read, or that found no place.
    pub streams_dropped: AtomicU64,
}

impl Losses {
    fn list(&self) -> [(&'static str, u64); 2] {
        [
            (
                "connections_refused",
                self.connections_refused.load(Ordering::Relaxed),
            ),
            (
                "streams_dropped",
                self.streams_dropped.load(Ordering::Relaxed),
            ),
        ]
    }
}

/// What all requests read.
pub struct Shared {
    view: watch::Receiver<Arc<View>>,
    metrics: Metrics,
    answers: Arc<Semaphore>,
    /// Those who are told as it happens.
    pub feed: Feed,
    /// What was lost.
    pub losses: Arc<Losses>,
}

impl Shared {
    /// Of a session.
    pub fn new(view: watch::Receiver<Arc<View>>) -> Self {
        let losses = Arc::<Losses>::default();
        Self {
            view,
            metrics: Metrics::default(),
            answers: Arc::new(Semaphore::new(ANSWERS)),
            feed: Feed::new(losses.clone()),
            losses,
        }
    }

    /// The newest view.
    pub fn view(&self) -> Arc<View> {
        self.view.borrow().clone()
    }

    /// An answer of some size. It is copied into the connection in slices, and holds one of [`ANSWERS`] places until the
    /// last of them: however slowly clients read, no more texts than that are kept for them.
    pub fn answer(&self, content_type: &'static str, body: impl Into<Bytes>) -> Response {
        let Ok(place) = self.answers.clone().try_acquire_owned() else {
            return later(
                "too many answers are under way to clients that read slowly; try again in a moment\n",
            );
        };
        let body = body.into();
        let length = HeaderValue::from(body.len());
        let slices = unfold((body, place), async |(mut rest, place)| {
            if rest.is_empty() {
                return None;
            }
            let slice = rest.split_to(rest.len().min(SLICE));
            // A part of the text, kept by the connection, would keep all of it.
            let slice = Bytes::copy_from_slice(&slice);
            Some((Ok::<_, Infallible>(slice), (rest, place)))
        });
        let mut response = answer(StatusCode::OK, content_type, Body::from_stream(slices));
        response.headers_mut().insert(CONTENT_LENGTH, length);
        response
    }
}

/// The application of one listener.
pub fn router(shared: Arc<Shared>, access: Access) -> Router {
    Router::new()
        .route("/", get(page::index))
        .route("/incidents/{id}", get(page::report))
        .route("/assets/{name}", get(page::asset))
        .route(
            "/events",
            get(async |State(shared): State<Arc<Shared>>| stream(&shared, Kind::Page)),
        )
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || text(StatusCode::OK, "alive\n")))
        .route("/readyz", get(ready))
        .route("/api/v1/status", get(api::status))
        .route("/api/v1/incidents", get(api::incidents))
        .route("/api/v1/incidents/{id}", get(api::incident))
        .route(
            "/api/v1/events",
            get(async |State(shared): State<Arc<Shared>>| stream(&shared, Kind::Api)),
        )
        .fallback(async || {
            text(
                StatusCode::NOT_FOUND,
                "there is nothing here; see /, /metrics, /healthz, /readyz, /api/v1/status\n",
            )
        })
        .layer(from_fn_with_state(Arc::new(access), guard))
        .with_state(shared)
}

/// Checks each request, and puts the headers on each answer.
async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let mut response = match refused(&access, &request) {
        Some(response) => response,
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CROSS_ORIGIN, HeaderValue::from_static("same-origin"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

fn refused(access: &Access, request: &Request) -> Option<Response> {
    let headers = request.headers();
    let mut response = if request.method() != Method::GET {
        let mut response = text(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET is answered here\n",
        );
        let allow = HeaderValue::from_static("GET");
        response.headers_mut().insert(ALLOW, allow);
        response
    } else if has_body(headers) {
        text(
            StatusCode::PAYLOAD_TOO_LARGE,
            "a request here has no body\n",
        )
    } else {
        return match access.check(request.uri(), headers) {
            Ok(()) => None,
            Err(refusal) => Some(refusal_in_words(refusal)),
        };
    };
    // The body is not read, so what follows it cannot be found.
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    Some(response)
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH);
    headers.contains_key(TRANSFER_ENCODING) || length.is_some_and(|length| length != "0")
}

fn refusal_in_words(refusal: Refusal) -> Response {
    match refusal {
        Refusal::NoHost => text(
            StatusCode::BAD_REQUEST,
            "the request needs one Host header\n",
        ),
        Refusal::WrongHost => text(
            StatusCode::MISDIRECTED_REQUEST,
            "the Host header is no name of this sensor; use its address, or start it with --listen-name NAME\n",
        ),
        Refusal::NoToken => {
            let mut response = text(
                StatusCode::UNAUTHORIZED,
                "this needs the token of --listen-token: as a bearer token, or as the password with any user\n",
            );
            response.headers_mut().insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"sensor\", charset=\"UTF-8\""),
            );
            response
        }
    }
}

async fn metrics(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::accepted(accept.unwrap_or_default());
    let lost = shared.losses.list();
    match shared.metrics.write(&shared.view(), &lost, format) {
        Ok(body) => shared.answer(format.content_type(), body),
        Err(error) => {
            log::error!("metrics cannot be written: {error}");
            text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "metrics cannot be written; this is a bug in sensor\n",
            )
        }
    }
}

/// Ready is what counts now: attached everywhere, and read a moment ago.
async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    match not_ready(&shared.view()) {
        None => text(StatusCode::OK, "ready\n"),
        Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

fn not_ready(view: &View) -> Option<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let age = now.saturating_sub(Duration::from_millis(view.at_ms));
    if age > FRESH {
        let seconds = age.as_secs();
        return Some(format!("the counters were last read {seconds} s ago\n"));
    }
    if view.interfaces.is_empty() {
        return Some("nothing is attached yet\n".into());
    }
    let mut interfaces = view.interfaces.iter();
    let detached = interfaces.find(|interface| interface.detached.is_some());
    detached.map_or_else(
        || view.lost_hooks.first().map(|lost| format!("{lost}\n")),
        |interface| Some(format!("{} is partly detached\n", interface.name)),
    )
}

fn stream(shared: &Shared, kind: Kind) -> Response {
    let Some(frames) = shared.feed.join(kind, &shared.view()) else {
        return later(
            "16 clients follow already; poll /api/v1/status instead, or try again later\n",
        );
    };
    answer(
        StatusCode::OK,
        "text/event-stream",
        Body::from_stream(frames),
    )
}

/// All places are taken.
fn later(why: &'static str) -> Response {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, why);
    let seconds = HeaderValue::from_static("5");
    response.headers_mut().insert(RETRY_AFTER, seconds);
    response
}

/// An answer of a type.
pub fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// A sentence.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Response {
    answer(status, PLAIN, body.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[test]
    fn answers_that_are_not_read_are_bounded_and_their_places_come_back() {
        let (_session, view) = watch::channel(Arc::new(View::empty()));
        let shared = Shared::new(view);
        let body = vec![b'x'; 3 * SLICE + 1];
        let ask = || shared.answer(PLAIN, body.clone());
        let mut held: Vec<Response> = (0..ANSWERS).map(|_| ask()).collect();
        assert!(held.iter().all(|answer| answer.status() == StatusCode::OK));
        assert_eq!(ask().status(), StatusCode::SERVICE_UNAVAILABLE);
        // One is read to its end, one client goes away.
        let read = held.pop().expect("many").into_body().collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let read = runtime.expect("a runtime").block_on(read);
        assert_eq!(read.expect("whole").to_bytes(), body);
        drop(held.pop());
        held.extend([ask(), ask()]);
        assert!(held.iter().all(|answer| answer.status() == StatusCode::OK));
        assert_eq!(ask().status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
