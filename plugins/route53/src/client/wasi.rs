//! The component: requests go through the host.

use aws_sdk_route53::config::{HttpClient, RuntimeComponents, SharedHttpClient};
use aws_sdk_route53::error::ConnectorError;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_wasm::wasi::{WasiHttpClientBuilder, WasiSleep};

pub(crate) use wstd::runtime::block_on;

/// The most that is read of an answer's body: a page of a hundred zones takes less than 100 KiB. The SDK by itself
/// would go on until the host ends the call.
const MAX_BODY: usize = 4 * 1024 * 1024;

pub(super) fn http_client() -> SharedHttpClient {
    SharedHttpClient::new(Bounded(WasiHttpClientBuilder::new().build()))
}

pub(super) fn sleep() -> WasiSleep {
    WasiSleep
}

/// A client or a connector, with a bound on the body of an answer.
#[derive(Debug)]
struct Bounded<T>(T);

impl HttpClient for Bounded<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Bounded(self.0.http_connector(settings, components)))
    }
}

impl HttpConnector for Bounded<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move { read(answer.await?).await })
    }
}

/// Reads the body of an answer to its end.
async fn read(mut answer: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let mut stream = ByteStream::new(std::mem::replace(answer.body_mut(), SdkBody::taken()));
    let mut body = Vec::new();
    while let Some(part) = stream.next().await {
        body.extend_from_slice(&part.map_err(|error| ConnectorError::io(error.into()))?);
        if body.len() > MAX_BODY {
            return Err(ConnectorError::other(format!("the answer is larger than {MAX_BODY} bytes").into(), None));
        }
    }
    *answer.body_mut() = SdkBody::from(body);
    Ok(answer)
}
