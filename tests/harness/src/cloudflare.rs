//! A stand-in for Cloudflare's API v4 that judges each request by the public documentation.
//!
//! It covers what a DNS-01 provider may use: zones and DNS records (<https://developers.cloudflare.com/api/>), the
//! answer's envelope, credentials as a bearer token or as e-mail address and global key. What the documentation does
//! not allow is answered as the real API does where that is known, and remembered for [`CloudflareMock::assert_clean`].

mod answers;
mod checks;

use std::{
    collections::{BTreeMap, VecDeque},
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard},
};

use anyhow::Context;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};
use uuid::Uuid;

use crate::ChallTestSrv;

/// Far more than any record needs.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What the next request gets instead of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 401, as for a token that was withdrawn.
    Unauthorized,
    /// 429 with `Retry-After`.
    RateLimited {
        /// The header's value.
        retry_after_seconds: u32,
    },
    /// 500 with an HTML page instead of the envelope, as from a proxy in front of the API.
    ServerError,
    /// The request is carried out, but no answer ever comes.
    AnswerLost,
    /// Nothing happens and no answer ever comes.
    Silence,
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct SeenRequest {
    /// The method.
    pub method: String,
    /// The path with the query, from `/client/v4` on.
    pub path: String,
    /// The JSON body; `null` when there was none.
    pub body: Value,
}

/// A DNS record of the zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// The record's identifier.
    pub id: String,
    /// `TXT`, `CNAME` …
    pub kind: String,
    /// The full name, without a dot at its end.
    pub name: String,
    /// The content as it was sent.
    pub content: String,
    /// Seconds, or 1 for automatic.
    pub ttl: u32,
    /// The remark, if there is one.
    pub comment: Option<String>,
}

/// A running stand-in with one zone.
#[derive(Debug)]
pub struct CloudflareMock {
    /// What stands for `https://api.cloudflare.com/client/v4`, without a slash at the end.
    pub base_url: String,
    /// The zone's identifier.
    pub zone_id: String,
    state: Arc<Mutex<MockState>>,
    _server: JoinSet<()>,
}

impl CloudflareMock {
    /// Starts one with the zone `zone` that accepts the API token `token`.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(zone: &str, token: &str) -> anyhow::Result<Self> {
        Self::start_with(zone, Credential::Token(token.to_owned())).await
    }

    /// Starts one that accepts an account's e-mail address with its global key.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start_with_global_key(zone: &str, email: &str, key: &str) -> anyhow::Result<Self> {
        Self::start_with(zone, Credential::GlobalKey { email: email.to_owned(), key: key.to_owned() }).await
    }

    /// Lets the next request run into `fault`; several wait in line.
    pub fn fail_next(&self, fault: Fault) {
        lock(&self.state).faults.push_back(fault);
    }

    /// Adds a record as if by another hand.
    pub fn add_record(&self, kind: &str, name: &str, content: &str) -> StoredRecord {
        let record = StoredRecord {
            id: identifier(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            content: content.to_owned(),
            ttl: 1,
            comment: None,
        };
        lock(&self.state).records.push(record.clone());
        record
    }

    /// All records of the zone.
    pub fn records(&self) -> Vec<StoredRecord> {
        lock(&self.state).records.clone()
    }

    /// The TXT values at `name`, without quotes, in alphabetical order.
    pub fn txt(&self, name: &str) -> Vec<String> {
        lock(&self.state).txt().remove(name.trim_end_matches('.')).unwrap_or_default()
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<SeenRequest> {
        lock(&self.state).requests.clone()
    }

    /// What requests did that the documentation does not allow.
    pub fn violations(&self) -> Vec<String> {
        lock(&self.state).violations.clone()
    }

    /// # Panics
    /// When a request broke the documentation; names them all.
    pub fn assert_clean(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "requests against the documentation:\n{}", violations.join("\n"));
    }

    /// Serves TXT values through `dns` from now on, so that a CA sees what a provider writes.
    pub fn publish_to(&self, dns: &ChallTestSrv) {
        lock(&self.state).management_url = Some(dns.management_url.clone());
    }

    async fn start_with(zone: &str, credential: Credential) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no free port")?;
        let base_url = format!("http://{}/client/v4", listener.local_addr()?);
        let zone_id = identifier();
        let state = Arc::new(Mutex::new(MockState {
            zone: zone.trim_end_matches('.').to_owned(),
            zone_id: zone_id.clone(),
            credential,
            records: Vec::new(),
            requests: Vec::new(),
            violations: Vec::new(),
            faults: VecDeque::new(),
            management_url: None,
        }));
        let router = Router::new().fallback(handle).with_state(Arc::clone(&state));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { base_url, zone_id, state, _server: server })
    }
}

#[derive(Debug)]
enum Credential {
    Token(String),
    GlobalKey { email: String, key: String },
}

#[derive(Debug)]
struct MockState {
    zone: String,
    zone_id: String,
    credential: Credential,
    records: Vec<StoredRecord>,
    requests: Vec<SeenRequest>,
    violations: Vec<String>,
    faults: VecDeque<Fault>,
    /// Of the name server that publishes the records, if any.
    management_url: Option<String>,
}

impl MockState {
    /// TXT values by name, sorted and without quotes.
    fn txt(&self) -> BTreeMap<String, Vec<String>> {
        let mut values = BTreeMap::<String, Vec<String>>::new();
        for record in self.records.iter().filter(|record| record.kind == "TXT") {
            values.entry(record.name.clone()).or_default().push(record.content.trim_matches('"').to_owned());
        }
        values.values_mut().for_each(|values| values.sort());
        values
    }
}

async fn handle(State(state): State<Arc<Mutex<MockState>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MAX_BODY_BYTES).await.unwrap_or_default();
    let (response, changes, fault) = {
        let mut state = lock(&state);
        let call = checks::Call::new(&mut state, &head, &body);
        let fault = state.faults.pop_front();
        let before = state.txt();
        let response = match fault {
            None | Some(Fault::AnswerLost) => answers::answer(&mut state, &call),
            Some(fault) => answers::fault(fault),
        };
        let after = state.txt();
        let changes = state.management_url.clone().filter(|_| before != after).map(|url| (url, before, after));
        (response, changes, fault)
    };
    if let Some((management_url, before, after)) = changes
        && let Err(error) = publish(&management_url, &before, &after).await
    {
        lock(&state).violations.push(format!("cannot publish the records: {error:#}"));
    }
    if matches!(fault, Some(Fault::AnswerLost | Fault::Silence)) {
        std::future::pending::<()>().await;
    }
    response.map(Body::from)
}

type Values = BTreeMap<String, Vec<String>>;

async fn publish(management_url: &str, before: &Values, after: &Values) -> anyhow::Result<()> {
    let post = crate::challtestsrv::post;
    let names = before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name));
    for name in names {
        let host = crate::zones::absolute(name);
        post(management_url, "clear-txt", &serde_json::json!({ "host": host })).await?;
        for value in after.get(name).into_iter().flatten() {
            post(management_url, "set-txt", &serde_json::json!({"host": host, "value": value})).await?;
        }
    }
    Ok(())
}

fn lock(state: &Mutex<MockState>) -> MutexGuard<'_, MockState> {
    state.lock().expect("no request panics while it holds the lock")
}

/// 32 hex digits, as all of the API's identifiers.
fn identifier() -> String {
    Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests;
