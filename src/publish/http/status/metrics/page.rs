//! Writing readings that nobody has registered as metrics.

use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use std::fmt;

/// Labels and a value.
pub(crate) type Sample = (Vec<(&'static str, String)>, f64);

/// A value without labels.
pub(crate) fn one(value: impl Into<f64>) -> Vec<Sample> {
    vec![(Vec::new(), value.into())]
}

/// A value without labels, if there is one.
pub(crate) fn maybe(value: Option<impl Into<f64>>) -> Vec<Sample> {
    value.map(one).unwrap_or_default()
}

/// The page that is being written.
pub(crate) struct Page<'a>(pub(crate) DescriptorEncoder<'a>);

impl Page<'_> {
    pub fn gauge(&mut self, name: &str, help: &str, samples: Vec<Sample>) -> fmt::Result {
        self.family(name, help, MetricType::Gauge, samples, ConstGauge::new)
    }

    /// `name` is written with `_total` behind it.
    pub fn counter(&mut self, name: &str, help: &str, samples: Vec<Sample>) -> fmt::Result {
        self.family(name, help, MetricType::Counter, samples, ConstCounter::new)
    }

    fn family<M: EncodeMetric>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        samples: Vec<Sample>,
        metric: impl Fn(f64) -> M,
    ) -> fmt::Result {
        if samples.is_empty() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        samples.iter().try_for_each(|(labels, value)| metric(*value).encode(family.encode_family(labels)?))
    }
}
