//! A provider that keeps its zone in memory and does what the worst vendors make plugins do: it reads the whole
//! record set, thinks for a while and writes the whole set back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use acme_manager_plugin_runtime::{CallError, Description, ErrorKind, TxtRecord};
use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::super::super::provider::Provider;
use super::nameserver::Zones;

pub(super) struct Fake {
    pub(super) multiple_values: bool,
    pub(super) reports_ready: bool,
    pub(super) timeout: Duration,
    /// How long a vendor takes between reading and writing.
    pub(super) delay: Duration,
    /// Where the name servers see the values.
    pub(super) published: Vec<Arc<Zones>>,
    pub(super) state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    values: BTreeMap<String, Vec<String>>,
    failures: VecDeque<CallError>,
    calls: Vec<(String, Instant)>,
    ready_in: usize,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            multiple_values: true,
            reports_ready: false,
            timeout: Duration::from_secs(2),
            delay: Duration::from_millis(5),
            published: Vec::new(),
            state: Mutex::default(),
        }
    }
}

pub(super) fn refused(kind: ErrorKind, retry_after: Option<Duration>) -> CallError {
    CallError::Refused {
        plugin: "fake".into(),
        kind,
        message: "the vendor said no".to_owned(),
        retry_after,
        denied: None,
    }
}

impl Fake {
    pub(super) fn publishing(zones: &Arc<Zones>) -> Arc<Self> {
        Arc::new(Self { published: vec![Arc::clone(zones)], ..Self::default() })
    }

    pub(super) fn description(&self) -> Description {
        Description {
            name: "fake".to_owned(),
            version: "1.0.0".to_owned(),
            homepage: String::new(),
            environment: Vec::new(),
            hosts: Vec::new(),
            default_ttl: 60,
            propagation_timeout: self.timeout,
            propagation_interval: Duration::from_millis(100),
            multiple_values: self.multiple_values,
            reports_ready: self.reports_ready,
        }
    }

    /// The next calls fail with these, in this order.
    pub(super) fn fail(&self, failures: impl IntoIterator<Item = CallError>) {
        self.state().failures.extend(failures);
    }

    /// The change is live only at this question for it.
    pub(super) fn ready_in(&self, questions: usize) {
        self.state().ready_in = questions;
    }

    pub(super) fn values(&self, fqdn: &str) -> Vec<String> {
        self.state().values.get(fqdn).cloned().unwrap_or_default()
    }

    /// The calls so far, as `present <value>`, `cleanup <value> <handle>` or `ready`, and when they came.
    pub(super) fn calls(&self) -> Vec<(String, Instant)> {
        self.state().calls.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics with the zone locked")
    }

    fn begin(&self, call: String) -> Result<(), CallError> {
        let mut state = self.state();
        state.calls.push((call, Instant::now()));
        state.failures.pop_front().map_or(Ok(()), Err)
    }

    async fn rewrite(&self, fqdn: &str, change: impl FnOnce(&mut Vec<String>)) {
        let mut values = self.values(fqdn);
        sleep(self.delay).await;
        change(&mut values);
        for zones in &self.published {
            zones.replace_txt(fqdn, &values);
        }
        self.state().values.insert(fqdn.to_owned(), values);
    }
}

#[async_trait]
impl Provider for Fake {
    async fn describe(&self) -> Result<Description, CallError> {
        Ok(self.description())
    }

    async fn check(&self) -> Result<(), CallError> {
        Ok(())
    }

    async fn present(&self, record: &TxtRecord) -> Result<String, CallError> {
        self.begin(format!("present {}", record.value))?;
        let multiple_values = self.multiple_values;
        let value = record.value.clone();
        self.rewrite(&record.name, move |values| {
            values.retain(|present| multiple_values && *present != value);
            values.push(value);
        })
        .await;
        Ok(format!("handle-{}", record.value))
    }

    async fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), CallError> {
        self.begin(format!("cleanup {} {handle}", record.value))?;
        self.rewrite(&record.name, |values| values.retain(|value| *value != record.value)).await;
        Ok(())
    }

    async fn ready(&self, _record: &TxtRecord, _handle: &str) -> Result<bool, CallError> {
        self.begin("ready".to_owned())?;
        let mut state = self.state();
        state.ready_in = state.ready_in.saturating_sub(1);
        Ok(state.ready_in == 0)
    }
}
