//! Runs a conformance script against a provider without a host.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use acme_manager_plugin_script::{Answer, Call, DnsRequest, Exchange, ExpectedError, Record, Script, Sent, Step};

use super::{MockApi, STATE};
use crate::bindings::acme_manager::dns::types::EnvironmentKey;
use crate::http::{Outgoing, RawResponse};
use crate::{Error, ErrorKind, Provider, TxtRecord};

/// Values of the environment that are this short are looked for in no error: chance would find them.
const SHORTEST_SECRET: usize = 6;

/// What answers while a script runs.
pub(super) enum Running {
    /// These, one after the other.
    Exchanges(VecDeque<Exchange>),
    /// Always the same.
    Refusal(Answer),
}

/// Runs every scenario and every refusal of a `conformance.json` (see `acme_manager_plugin_script`), and one call
/// without any environment.
///
/// # Panics
/// At the first difference, with the scenario, the step and what was expected.
pub fn run_script<P: Provider>(json: &str) {
    let script = Script::parse(json).unwrap_or_else(|error| panic!("the script cannot be used: {error}"));
    let description = P::describe().into_wit();
    let missing = script.missing(description.multiple_values);
    assert!(missing.is_empty(), "the script lacks {}", missing.join("; "));
    let secrets = secrets(&script, &description.environment);
    let check = |error: &Error| check(error.message(), &secrets);

    for scenario in &script.scenarios {
        let environment = script.environment_of(scenario);
        let mut handles = BTreeMap::new();
        for (number, step) in scenario.steps.iter().enumerate() {
            let place = format!("scenario {:?}, step {} ({:?})", scenario.name, number + 1, step.call);
            within(&place, || run_step::<P>(step, &environment, &mut handles, &check));
        }
    }
    if let Some(record) = script.sample() {
        for refusal in script.all_refusals() {
            within(&format!("an API that always answers {}", refusal.name), || {
                let _api = equipped(&script.environment_alone(), Running::Refusal(refusal.response.clone()));
                let error = P::from_env().and_then(|provider| provider.present(&txt(record)));
                compare(&error.map(drop), Some(&refusal.error), &check);
            });
        }
    }
    if description.environment.iter().any(|key| key.required) {
        within("without an environment", || {
            let _api = MockApi::new();
            let kind = P::from_env().err().map(|error| error.kind());
            assert_eq!(kind, Some(ErrorKind::Config), "the error of `from_env`");
        });
    }
}

fn run_step<P: Provider>(
    step: &Step,
    environment: &BTreeMap<String, String>,
    handles: &mut BTreeMap<String, String>,
    check: &dyn Fn(&Error),
) {
    let _api = equipped(environment, Running::Exchanges(step.exchanges.iter().cloned().collect()));
    let record = step.record.as_ref().map(txt);
    let record = || record.as_ref().expect("the script was checked");
    let value = step.record.as_ref().map(|record| record.value.as_str()).unwrap_or_default();
    let known = step.with_handle.clone().or_else(|| handles.get(value).cloned()).unwrap_or_default();
    let result = P::from_env().and_then(|provider| match step.call {
        Call::Check => provider.check(),
        Call::Present => {
            let handle = provider.present(record())?;
            assert!(handle.len() <= 4096, "a handle of {} bytes", handle.len());
            if let Some(expected) = &step.handle {
                assert_eq!(&handle, expected, "the handle");
            }
            handles.insert(record().value.clone(), handle);
            Ok(())
        }
        Call::Cleanup => provider.cleanup(record(), &known),
        Call::Ready => {
            let ready = provider.ready(record(), &known)?;
            assert_eq!(Some(ready), step.ready.or(Some(ready)), "whether it is ready");
            Ok(())
        }
        Call::Review => panic!("this is the script of an issuance hook: `run_hook_script` runs it"),
    });
    compare(&result, step.error.as_ref(), check);
    all_came();
}

/// The values of the variables that are secret, as the script sets them. A variable that nobody described is a mistake.
pub(super) fn secrets<'a>(script: &'a Script, keys: &[EnvironmentKey]) -> Vec<&'a str> {
    let unknown: Vec<_> = script.environment.keys().filter(|name| keys.iter().all(|key| key.name != **name)).collect();
    assert!(unknown.is_empty(), "describe does not name the variables {unknown:?}");
    let is_secret = |name: &String| keys.iter().any(|key| key.secret && key.name == *name);
    let secrets = script.environment.iter().filter(|(name, value)| is_secret(name) && value.len() >= SHORTEST_SECRET);
    secrets.map(|(_, value)| value.as_str()).collect()
}

/// Looks at the sentence of an error.
pub(super) fn check(sentence: &str, secrets: &[&str]) {
    assert!(!secrets.iter().any(|secret| sentence.contains(secret)), "a secret is in {sentence:?}");
    assert!(!sentence.is_empty(), "an error without a message");
}

/// Checks that no expected request is left.
pub(super) fn all_came() {
    STATE.with_borrow(|state| {
        if let Some(Running::Exchanges(left)) = &state.scripted {
            let next = left.front().map(|exchange| format!("{} {}", exchange.request.method, exchange.request.url));
            assert!(left.is_empty(), "{} requests did not come; the next was {next:?}", left.len());
        }
    });
}

fn compare(result: &Result<(), Error>, expected: Option<&ExpectedError>, check: &dyn Fn(&Error)) {
    match (result, expected) {
        (Ok(()), None) => {}
        (Ok(()), Some(expected)) => panic!("expected an error of kind {}, but it succeeded", expected.kind),
        (Err(error), None) => panic!("failed with {}: {error}", error.kind_name()),
        (Err(error), Some(expected)) => {
            check(error);
            let (kind, seconds) = (error.kind_name(), error.retry_after_seconds());
            if let Some(difference) = expected.difference(kind, error.message(), seconds) {
                panic!("{difference}");
            }
        }
    }
}

pub(super) fn equipped(environment: &BTreeMap<String, String>, running: Running) -> MockApi {
    let api = environment.iter().fold(MockApi::new(), |api, (name, value)| api.env(name, value));
    STATE.with_borrow_mut(|state| state.scripted = Some(running));
    api
}

/// Says where a check failed.
pub(super) fn within(place: &str, run: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        panic!("{place}: {}", text.unwrap_or("it panicked"));
    }
}

fn txt(record: &Record) -> TxtRecord {
    TxtRecord { zone: record.zone.clone(), name: record.name.clone(), value: record.value.clone(), ttl: record.ttl }
}

impl Running {
    pub(super) fn answer_dns(&mut self, server: &str, request: &[u8]) -> Vec<u8> {
        let asked =
            DnsRequest::read(server, request).unwrap_or_else(|problem| panic!("a message to {server}: {problem}"));
        let answer = self.next(&asked.sent());
        asked.reply(&answer).unwrap_or_else(|problem| panic!("{problem}"))
    }

    pub(super) fn answer(&mut self, request: &Outgoing, url: &str) -> RawResponse {
        let sent = Sent { method: &request.method, url, headers: &request.headers, body: &request.body };
        let answer = self.next(&sent);
        let headers = answer.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        RawResponse { status: answer.status, headers: headers.collect(), body: answer.bytes() }
    }

    /// The answer to a request, which is the one that comes next.
    fn next(&mut self, sent: &Sent<'_>) -> Answer {
        match self {
            Self::Refusal(answer) => answer.clone(),
            Self::Exchanges(left) => {
                let exchange = left.pop_front();
                let exchange = exchange.unwrap_or_else(|| panic!("a request too many: {} {}", sent.method, sent.url));
                if let Some(difference) = exchange.request.difference(sent) {
                    panic!("{difference}");
                }
                exchange.response
            }
        }
    }
}
