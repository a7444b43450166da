//! What the relay counts of itself, as Prometheus reads it (text format 0.0.4). Counts, sizes and times alone: nothing
//! here names an account, a device or a network address. What each line means is in `docs/operations.md`.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use protocol::Code;

/// Media type of [`Text`].
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the times, in milliseconds; one more beyond them all.
const BOUNDS_MS: [u64; 8] = [1, 5, 20, 100, 500, 2_000, 10_000, 60_000];

/// What is counted while the relay runs.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    routes: Mutex<BTreeMap<String, Route>>,
    refusals: Mutex<BTreeMap<&'static str, u64>>,
    pub(crate) connections: Gauge,
    pub(crate) connections_refused: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many there are at once.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn set(&self, value: usize) {
        self.0
            .store(u64::try_from(value).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
struct Route {
    answers: BTreeMap<(&'static str, u16), u64>,
    /// How many took how long: up to each bound, then longer.
    times: [u64; BOUNDS_MS.len() + 1],
    millis: u64,
}

impl Metrics {
    /// Counts an answer at `route`, the pattern and never the path itself, which holds addresses.
    pub(crate) fn answered(&self, route: &str, method: &Method, status: StatusCode, took: Duration) {
        let method = match *method {
            Method::GET => "GET",
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::DELETE => "DELETE",
            _ => "other",
        };
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if !routes.contains_key(route) {
            routes.insert(route.to_owned(), Route::default());
        }
        let Some(route) = routes.get_mut(route) else { return };
        let answers = route.answers.entry((method, status.as_u16())).or_default();
        *answers = answers.saturating_add(1);
        let place = BOUNDS_MS.partition_point(|bound| *bound < millis);
        if let Some(times) = route.times.get_mut(place) {
            *times = times.saturating_add(1);
        }
        route.millis = route.millis.saturating_add(millis);
    }

    /// Counts a refusal.
    pub(crate) fn refused(&self, code: Code) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let count = refusals.entry(code.as_str()).or_default();
        *count = count.saturating_add(1);
    }

    /// Writes what was counted.
    pub(crate) fn write(&self, text: &mut Text) {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        text.head(
            "pli_requests_total",
            Kind::Counter,
            "Answers, by route, method and HTTP status.",
        );
        for (route, figures) in &*routes {
            for ((method, status), count) in &figures.answers {
                let labels = format!(r#"{{route="{route}",method="{method}",status="{status}"}}"#);
                text.line("pli_requests_total", &labels, count);
            }
        }
        text.head(
            "pli_request_seconds",
            Kind::Histogram,
            "Time from a request's head to its answer's, by route.",
        );
        for (route, figures) in &*routes {
            figures.write_times(route, text);
        }
        drop(routes);
        text.head("pli_refusals_total", Kind::Counter, "Problem documents, by code.");
        for (code, count) in &*self.refusals.lock().unwrap_or_else(PoisonError::into_inner) {
            text.line("pli_refusals_total", &format!(r#"{{code="{code}"}}"#), count);
        }
        text.gauge(
            "pli_connections",
            "Connections that are open.",
            self.connections.value(),
        );
        text.counter(
            "pli_connections_refused_total",
            "Connections closed as they came, because every place was taken.",
            self.connections_refused.value(),
        );
    }
}

impl Route {
    fn write_times(&self, route: &str, text: &mut Text) {
        let mut sum = 0_u64;
        let bounds = BOUNDS_MS.iter().map(|bound| seconds(*bound));
        for (count, bound) in self.times.iter().zip(bounds.chain(["+Inf".to_owned()])) {
            sum = sum.saturating_add(*count);
            let labels = format!(r#"{{route="{route}",le="{bound}"}}"#);
            text.line("pli_request_seconds_bucket", &labels, sum);
        }
        let labels = format!(r#"{{route="{route}"}}"#);
        text.line("pli_request_seconds_sum", &labels, seconds(self.millis));
        text.line("pli_request_seconds_count", &labels, sum);
    }
}

/// What kind of figure Prometheus is told it is.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Figures in Prometheus' text format.
#[derive(Default)]
pub(crate) struct Text(String);

impl Text {
    /// A figure that only grows.
    pub(crate) fn counter(&mut self, name: &str, help: &str, value: impl fmt::Display) {
        self.head(name, Kind::Counter, help);
        self.line(name, "", value);
    }

    /// A figure that goes up and down.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: impl fmt::Display) {
        self.head(name, Kind::Gauge, help);
        self.line(name, "", value);
    }

    /// What the system says of this process.
    pub(crate) fn process(&mut self) {
        if let Some(bytes) = resident_bytes() {
            self.gauge("process_resident_memory_bytes", "Resident memory.", bytes);
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            self.gauge("process_open_fds", "Open file descriptors.", open.count());
        }
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }

    fn head(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: impl fmt::Display) {
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    kilobytes.checked_mul(1_024)
}

/// Milliseconds as seconds, without rounding.
fn seconds(millis: u64) -> String {
    let (whole, rest) = (millis.checked_div(1_000), millis.checked_rem(1_000));
    let text = format!("{}.{:03}", whole.unwrap_or_default(), rest.unwrap_or_default());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_a_histogram() {
        let metrics = Metrics::default();
        for millis in [0, 1, 2, 1_500, 61_000] {
            metrics.answered("/r", &Method::GET, StatusCode::OK, Duration::from_millis(millis));
        }
        let mut text = Text::default();
        metrics.write(&mut text);
        let text = text.finish();
        for line in [
            r#"pli_requests_total{route="/r",method="GET",status="200"} 5"#,
            r#"pli_request_seconds_bucket{route="/r",le="0.001"} 2"#,
            r#"pli_request_seconds_bucket{route="/r",le="0.005"} 3"#,
            r#"pli_request_seconds_bucket{route="/r",le="2"} 4"#,
            r#"pli_request_seconds_bucket{route="/r",le="60"} 4"#,
            r#"pli_request_seconds_bucket{route="/r",le="+Inf"} 5"#,
            r#"pli_request_seconds_sum{route="/r"} 62.503"#,
            r#"pli_request_seconds_count{route="/r"} 5"#,
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
    }
}
