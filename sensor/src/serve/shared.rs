//! What all requests read, and how they are answered.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::unfold;
use tokio::sync::{Semaphore, watch};

use super::feed::Feed;
use super::losses::Losses;
use super::metrics::Metrics;
use crate::view::View;

const PLAIN: &str = "text/plain; charset=utf-8";
/// Answers of some size that may be under way at once: so much memory may readers hold who are slow.
const ANSWERS: usize = 16;
/// Bytes of an answer that are given to the connection at once.
const SLICE: usize = 16 * 1024;

/// What all requests read.
pub struct Shared {
    view: watch::Receiver<Arc<View>>,
    /// What is scraped.
    pub metrics: Metrics,
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

/// All places are taken.
pub fn later(why: &'static str) -> Response {
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
