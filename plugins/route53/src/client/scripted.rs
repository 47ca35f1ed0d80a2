//! The native build, for tests: requests go to the scripted API and nothing ever waits.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use acme_manager_plugin::http::Client as ApiClient;
use acme_manager_plugin::{Error, host};
use aws_sdk_route53::config::{AsyncSleep, SharedHttpClient, Sleep};
use aws_sdk_route53::error::ConnectorError;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

pub(super) fn http_client() -> SharedHttpClient {
    http_client_fn(|_, _| SharedHttpConnector::new(ScriptedConnector))
}

pub(super) fn sleep() -> impl AsyncSleep {
    ScriptedSleep
}

#[derive(Debug)]
struct ScriptedConnector;

impl HttpConnector for ScriptedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(exchange(&request).map_err(|error| ConnectorError::io(error.into())))
    }
}

fn exchange(request: &HttpRequest) -> Result<HttpResponse, Error> {
    let uri = request.uri();
    let (rest, query) = uri.split_once('?').unwrap_or((uri, ""));
    let client = ApiClient::new(rest)?;
    let mut sent = client.request(request.method(), "");
    if !query.is_empty() {
        sent = sent.raw_query(query);
    }
    let body = request.body().bytes().unwrap_or_default();
    if !body.is_empty() {
        sent = sent.body("text/xml", body);
    }
    for (name, value) in request.headers().iter().filter(|(name, _)| *name != "content-length") {
        sent = sent.header(name, value);
    }
    let answer = sent.send_any()?;
    let status = StatusCode::try_from(answer.status()).map_err(|error| Error::other(error.to_string()))?;
    let mut response = HttpResponse::new(status, SdkBody::from(answer.body().to_vec()));
    // The only header of an answer that matters here.
    if let Some(delay) = answer.header("retry-after") {
        response.headers_mut().insert("retry-after", delay.to_owned());
    }
    Ok(response)
}

/// Pauses count against the call's time; time-outs never come, for the script answers at once.
#[derive(Debug)]
struct ScriptedSleep;

impl AsyncSleep for ScriptedSleep {
    fn sleep(&self, duration: Duration) -> Sleep {
        if duration < LONGEST_BACKOFF {
            host::sleep(duration);
            return Sleep::new(std::future::ready(()));
        }
        Sleep::new(std::future::pending())
    }
}

/// Tells the SDK's pauses between attempts from its time-outs.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
