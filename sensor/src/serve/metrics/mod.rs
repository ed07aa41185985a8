//! `/metrics`: the view in the formats of Prometheus. Counters are those of the view; only which servers have
//! a label is remembered here.

pub mod counts;
mod encode;
mod ended;
mod host;
pub mod labels;
mod network;
mod process;
mod servers;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text, text};
use prometheus_client::registry::Registry;

use crate::view::View;
use encode::Families;
use ended::Ended;
use labels::Labels;
use process::Usage;

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4.
    Text,
    /// `OpenMetrics` 1.0, with exemplars.
    OpenMetrics,
}

impl Format {
    /// That which the header Accept asks for.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// The header Content-Type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// See the module.
pub struct Metrics {
    registry: Registry,
    shared: Arc<Mutex<Shared>>,
    /// What was written of a view, so that many who ask share one text.
    written: Mutex<[Option<Written>; 2]>,
}

/// A view and its text.
type Written = (Arc<View>, Bytes);

/// What the collector reads.
#[derive(Default)]
struct Shared {
    view: Option<Arc<View>>,
    labels: Labels,
    ended: Ended,
    lost: Vec<(&'static str, u64)>,
}

/// Writes what is shared, each time that it is asked.
struct OfView(Arc<Mutex<Shared>>);

impl fmt::Debug for OfView {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OfView")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let shared = Arc::<Mutex<Shared>>::default();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(OfView(shared.clone())));
        Self {
            registry,
            shared,
            written: Mutex::default(),
        }
    }
}

impl Metrics {
    /// A view as text. `lost` is what was lost in serving, by its code, since the start.
    ///
    /// # Errors
    /// None that could be mended: writing to memory fails where a value cannot be written.
    pub fn write(
        &self,
        view: &Arc<View>,
        lost: &[(&'static str, u64)],
        format: Format,
    ) -> Result<Bytes, fmt::Error> {
        let mut written = lock(&self.written);
        let place = &mut written[format as usize];
        if let Some((of, text)) = place
            && Arc::ptr_eq(of, view)
        {
            return Ok(text.clone());
        }
        {
            let mut shared = lock(&self.shared);
            let Shared { labels, ended, .. } = &mut *shared;
            labels.update(view);
            ended.update(view, |server| {
                let own = server.parse().is_ok_and(|address| labels.has(address));
                if own { server } else { servers::OTHER }.to_owned()
            });
            shared.view = Some(view.clone());
            shared.lost = lost.to_vec();
        }
        let mut text = String::new();
        match format {
            Format::Text => prometheus_text::encode(&mut text, &self.registry)?,
            Format::OpenMetrics => text::encode(&mut text, &self.registry)?,
        }
        let text = Bytes::from(text);
        *place = Some((view.clone(), text.clone()));
        Ok(text)
    }
}

/// All of it happens on one thread; a panic under the lock leaves counters that still only grow.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Collector for OfView {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let shared = lock(&self.0);
        let Some(view) = &shared.view else {
            return Ok(());
        };
        let mut families = Families::new(encoder);
        network::encode(&mut families, view, &shared.lost)?;
        servers::encode(&mut families, view, &shared.labels)?;
        host::encode(&mut families, view)?;
        network::incidents(&mut families, view, &shared.ended)?;
        network::process(&mut families, Usage::now())
    }
}
