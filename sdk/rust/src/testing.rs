//! Tests of a provider without a host: a scripted API, an environment and a log, each for the current thread.
//!
//! ```
//! use acme_manager_plugin::http::Client;
//! use acme_manager_plugin::testing::MockApi;
//!
//! let api = MockApi::new().env("TOKEN", "t");
//! api.expect("GET", "https://api.example.com/v1/zones?name=example.com")
//!     .header("authorization", "Bearer t")
//!     .answer(200, r#"{"id": "1"}"#);
//!
//! let client = Client::new("https://api.example.com/v1").unwrap().bearer("t");
//! assert_eq!(client.get("zones").query("name", "example.com").send().unwrap().status(), 200);
//! ```

#[cfg(feature = "issuance-hook")]
mod hook_script;
mod script;

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::bindings::acme_manager::dns::exchange::{Failure, Transport};
use crate::host::Level;
use crate::http::{Outgoing, RawResponse};
use crate::{Error, TxtRecord};
#[cfg(feature = "issuance-hook")]
pub use hook_script::run_hook_script;
pub use script::run_script;

/// The time that a call has in tests, until [`MockApi::remaining`] sets another.
const CALL_TIME: Duration = Duration::from_secs(30);

/// What the clock shows in tests, until [`MockApi::clock`] sets another time: 2015-08-30 12:36:00 UTC, the moment of
/// AWS's published signatures.
const CLOCK: u64 = 1_440_938_160;

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

#[derive(Default)]
struct State {
    installed: bool,
    environment: HashMap<String, String>,
    expected: VecDeque<Expected>,
    scripted: Option<script::Running>,
    log: Vec<(Level, String)>,
    remaining: Duration,
    clock: Option<u64>,
    name_server: Option<NameServer>,
    turn: Option<String>,
}

/// A name server of a test: the reply to a request, or nothing.
type NameServer = Box<dyn FnMut(&[u8]) -> Option<Vec<u8>>>;

struct Expected {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<serde_json::Value>,
    text: Option<String>,
    answer: Result<RawResponse, Error>,
}

/// The vendor's API as a script: requests must come in the order in which they were [expected](Self::expect), and
/// all of them must have come when it is dropped. One per thread.
#[must_use = "the script ends when this is dropped"]
pub struct MockApi(());

impl MockApi {
    /// An API that expects nothing, and an empty environment.
    ///
    /// # Panics
    /// When the thread has one already.
    #[expect(clippy::new_without_default, reason = "it changes the thread's state")]
    pub fn new() -> Self {
        STATE.with_borrow_mut(|state| {
            assert!(!state.installed, "this thread has a MockApi already");
            *state = State { installed: true, remaining: CALL_TIME, ..State::default() };
        });
        Self(())
    }

    /// Sets an environment variable for [`env`](crate::env).
    pub fn env(self, name: &str, value: &str) -> Self {
        STATE.with_borrow_mut(|state| state.environment.insert(name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the time that [`host::remaining`](crate::host::remaining) returns.
    pub fn remaining(&self, time: Duration) {
        STATE.with_borrow_mut(|state| state.remaining = time);
    }

    /// Sets the time that [`time::now`](crate::time::now) returns, in seconds since 1970-01-01.
    pub fn clock(&self, unix: u64) {
        STATE.with_borrow_mut(|state| state.clock = Some(unix));
    }

    /// Expects a request, with its whole URL; it counts once an answer is given.
    pub fn expect(&self, method: &str, url: &str) -> Expectation<'_> {
        Expectation {
            _api: self,
            expected: Expected {
                method: method.to_owned(),
                url: url.to_owned(),
                headers: Vec::new(),
                body: None,
                text: None,
                answer: Ok(RawResponse { status: 200, headers: Vec::new(), body: Vec::new() }),
            },
        }
    }

    /// Answers the requests of [`exchange`](crate::exchange::exchange), whatever server they are for; nothing stands for
    /// a server that is silent.
    pub fn name_server(&self, answer: impl FnMut(&[u8]) -> Option<Vec<u8>> + 'static) {
        STATE.with_borrow_mut(|state| state.name_server = Some(Box::new(answer)));
    }

    /// The [turn](crate::turn) that was taken, if one was. A thread of a test waits for nobody.
    pub fn turn(&self) -> Option<String> {
        STATE.with_borrow(|state| state.turn.clone())
    }

    /// What was logged so far.
    pub fn log(&self) -> Vec<(Level, String)> {
        STATE.with_borrow(|state| state.log.clone())
    }
}

impl Drop for MockApi {
    fn drop(&mut self) {
        let left = STATE.with_borrow_mut(|state| std::mem::take(state).expected);
        if let (Some(next), false) = (left.front(), std::thread::panicking()) {
            panic!("{} expected requests did not come; the next was {} {}", left.len(), next.method, next.url);
        }
    }
}

pub(crate) fn answer_dns(server: &str, _: Transport, request: &[u8]) -> Result<Vec<u8>, Failure> {
    if let Some(mut running) = STATE.with_borrow_mut(|state| state.scripted.take()) {
        let reply = running.answer_dns(server, request);
        STATE.with_borrow_mut(|state| state.scripted = Some(running));
        return Ok(reply);
    }
    // Not borrowed while it answers: what it does is the test's business.
    let server = STATE.with_borrow_mut(|state| state.name_server.take());
    let mut server = server.ok_or(Failure::Denied)?;
    let reply = server(request);
    STATE.with_borrow_mut(|state| state.name_server = Some(server));
    reply.ok_or(Failure::Timeout)
}

/// As the host does it, but without others that have to be waited for.
pub(crate) fn take_turn(what: &str) -> Result<(), String> {
    STATE.with_borrow_mut(|state| match &state.turn {
        Some(held) if held != what => Err(format!("this call has the turn at `{held}` and cannot have a second one")),
        _ if what.len() > 255 => Err(format!("a text of {} bytes; 255 are allowed", what.len())),
        _ => {
            state.turn = Some(what.to_owned());
            Ok(())
        }
    })
}

/// A request that is to come.
#[must_use = "an expectation counts once it has an answer"]
pub struct Expectation<'a> {
    _api: &'a MockApi,
    expected: Expected,
}

impl Expectation<'_> {
    /// The request must have this header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.expected.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// The request's body must be this JSON value, however it is laid out.
    pub fn json(mut self, body: serde_json::Value) -> Self {
        self.expected.body = Some(body);
        self
    }

    /// The request's body must hold this text.
    pub fn containing(mut self, text: &str) -> Self {
        self.expected.text = Some(text.to_owned());
        self
    }

    /// Answers with a status and a body.
    pub fn answer(self, status: u16, body: &str) {
        self.answer_with(status, &[], body);
    }

    /// Answers with a status, headers and a body.
    pub fn answer_with(mut self, status: u16, headers: &[(&str, &str)], body: &str) {
        let headers = headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned()));
        self.expected.answer = Ok(RawResponse { status, headers: headers.collect(), body: body.into() });
        self.commit();
    }

    /// Fails as a broken connection does.
    pub fn fail(mut self, error: Error) {
        self.expected.answer = Err(error);
        self.commit();
    }

    fn commit(self) {
        STATE.with_borrow_mut(|state| state.expected.push_back(self.expected));
    }
}

/// A record to call a provider with; the TTL is left to the provider.
pub fn record(zone: &str, name: &str, value: &str) -> TxtRecord {
    TxtRecord { zone: zone.to_owned(), name: name.to_owned(), value: value.to_owned(), ttl: 0 }
}

pub(crate) fn environment(name: &str) -> Option<String> {
    STATE.with_borrow(|state| state.environment.get(name).cloned())
}

pub(crate) fn capture(level: Level, message: &str) {
    STATE.with_borrow_mut(|state| state.log.push((level, message.to_owned())));
}

pub(crate) fn remaining() -> Duration {
    STATE.with_borrow(|state| if state.installed { state.remaining } else { CALL_TIME })
}

pub(crate) fn clock() -> u64 {
    STATE.with_borrow(|state| state.clock.unwrap_or(CLOCK))
}

/// Lets time pass without waiting.
pub(crate) fn pass(duration: Duration) {
    STATE.with_borrow_mut(|state| state.remaining = state.remaining.saturating_sub(duration));
}

pub(crate) fn exchange(request: &Outgoing) -> Result<RawResponse, Error> {
    let scheme = if request.tls { "https" } else { "http" };
    let url = format!("{scheme}://{}{}", request.authority, request.path_with_query);
    if let Some(answer) =
        STATE.with_borrow_mut(|state| state.scripted.as_mut().map(|running| running.answer(request, &url)))
    {
        return limited(answer, request);
    }
    let expected = STATE.with_borrow_mut(|state| state.expected.pop_front());
    let expected = expected.unwrap_or_else(|| panic!("unexpected request {} {url}", request.method));
    assert_eq!(format!("{} {url}", request.method), format!("{} {}", expected.method, expected.url));
    for (name, value) in &expected.headers {
        let sent = request.headers.iter().find(|(present, _)| present == name).map(|(_, sent)| sent);
        assert_eq!(sent, Some(value), "header {name} of {} {url}", request.method);
    }
    let body = String::from_utf8_lossy(&request.body);
    if let Some(json) = &expected.body {
        let sent: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        assert_eq!(&sent, json, "body of {} {url}: {body}", request.method);
    }
    if let Some(text) = &expected.text {
        assert!(body.contains(text), "body of {} {url} does not hold {text}: {body}", request.method);
    }
    limited(expected.answer?, request)
}

fn limited(answer: RawResponse, request: &Outgoing) -> Result<RawResponse, Error> {
    if answer.body.len() > request.max_body {
        return Err(Error::other(format!("the answer is larger than {} bytes", request.max_body)));
    }
    Ok(answer)
}
