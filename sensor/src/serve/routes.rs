//! What is where, and what holds for every request and every answer.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, HeaderName,
    REFERRER_POLICY, TRANSFER_ENCODING, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;

use super::access::{Access, Refusal};
use super::feed::Kind;
use super::metrics::Format;
use super::shared::{Shared, answer, later, text};
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
