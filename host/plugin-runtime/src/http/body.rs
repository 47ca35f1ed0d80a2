//! Bodies with a bound: requests are read whole before anything is sent, responses are counted while they pass.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use super::{Lease, traffic::Traffic};
use crate::recording::Mark;

/// Frames without content cost the guest nothing (GHSA-f8mm).
const MAX_FRAMES: usize = 64 << 10;

/// Reads a request body. Knowing it whole gives the request an exact length, and requests of DNS interfaces are small.
pub(super) async fn collect(mut body: WasiBody, limit: usize) -> Result<Bytes, Error> {
    let mut whole = BytesMut::new();
    for _ in 0..MAX_FRAMES {
        let Some(frame) = body.frame().await else {
            return Ok(whole.freeze());
        };
        // Trailers have no meaning for any interface that a provider talks to, and are dropped.
        if let Ok(data) = frame?.into_data() {
            if whole.len() + data.len() > limit {
                return Err(Error::HttpRequestBodySize(Some(limit as u64)));
            }
            whole.extend_from_slice(&data);
        }
    }
    Err(Error::HttpRequestBodySize(Some(limit as u64)))
}

/// A response body on its way to the guest.
pub(super) struct ResponseBody {
    incoming: Incoming,
    limit: u64,
    left: u64,
    between_bytes: Duration,
    silence: Pin<Box<Sleep>>,
    lease: Option<Lease>,
    traffic: Arc<Traffic>,
    place: Option<Mark>,
}

impl ResponseBody {
    pub(super) fn new(
        incoming: Incoming,
        limit: u64,
        between_bytes: Duration,
        lease: Lease,
        (traffic, place): (Arc<Traffic>, Option<Mark>),
    ) -> Self {
        let silence = Box::pin(sleep(between_bytes));
        let lease = Some(lease);
        let mut body = Self { incoming, limit, left: limit, between_bytes, silence, lease, traffic, place };
        body.release_at_end();
        body
    }

    fn release_at_end(&mut self) {
        if self.incoming.is_end_stream() {
            self.release();
        }
    }

    fn release(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.release();
        }
    }

    /// Ends the response; the connection has the rest of it in front of it and goes as well.
    fn fail(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.lease = None;
        self.left = 0;
        self.traffic.failed(self.place, &error);
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                if length > self.left {
                    let limit = self.limit;
                    self.traffic.exceed("a response body", limit);
                    return self.fail(Error::HttpResponseBodySize(Some(limit)));
                }
                self.left -= length;
                self.traffic.add_received(usize::try_from(length).unwrap_or(usize::MAX));
                if let Some(data) = frame.data_ref() {
                    self.traffic.passed(self.place, data);
                }
                let next = Instant::now() + self.between_bytes;
                self.silence.as_mut().reset(next);
                self.release_at_end();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(_))) => self.fail(Error::HttpResponseIncomplete),
            Poll::Ready(None) => {
                self.release();
                Poll::Ready(None)
            }
            Poll::Pending => match self.silence.as_mut().poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => self.fail(Error::ConnectionReadTimeout),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
