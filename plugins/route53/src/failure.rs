//! What Route 53's error codes mean for the host.
//! Reference: <https://docs.aws.amazon.com/Route53/latest/APIReference/CommonErrors.html>

use acme_manager_plugin::{Error, ErrorKind};
use aws_sdk_route53::error::{BuildError, ProvideErrorMetadata, SdkError};

/// The code of a batch of changes that is refused.
const INVALID_BATCH: &str = "InvalidChangeBatch";

/// How much of one cause is worth repeating, in characters.
const LONGEST_CAUSE: usize = 200;

/// A failed operation as an error of the fitting kind.
pub(crate) fn failed<E>(operation: &str, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let SdkError::ServiceError(service) = error else {
        return unanswered(operation, &chain(error));
    };
    let status = service.raw().status().as_u16();
    let retry_after = service.raw().headers().get("retry-after").and_then(|value| value.trim().parse().ok());
    if status < 400 {
        return unanswered(operation, &chain(service.err()));
    }
    let batch = service.raw().body().bytes().and_then(refused_batch);
    let (code, message) = match &batch {
        Some(messages) => (INVALID_BATCH, messages.as_str()),
        None => (service.err().code().unwrap_or("no code"), service.err().message().unwrap_or("no message")),
    };
    let text = format!("{operation} answered {status}: {code}: {message}");
    let error = match kind(code, message) {
        Some(kind) => Error::new(kind, text),
        None => Error::from_status(status, text),
    };
    error.retry_after(retry_after)
}

/// A request that this plugin put together wrongly.
pub(crate) fn incomplete(error: BuildError) -> Error {
    Error::other(format!("the request is not complete: {error}"))
}

/// The kind, where the status alone would mislead: almost all of these come with status 400.
fn kind(code: &str, message: &str) -> Option<ErrorKind> {
    let kind = match code {
        "PriorRequestNotComplete" => ErrorKind::Conflict,
        // A set that changed between reading and writing.
        INVALID_BATCH if ["not found", "do not match"].iter().any(|part| message.contains(part)) => ErrorKind::Conflict,
        "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequestsException" => {
            ErrorKind::RateLimited
        }
        "NoSuchHostedZone" => ErrorKind::ZoneNotFound,
        "AccessDenied"
        | "AccessDeniedException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "NotAuthorized"
        | "OptInRequired"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => ErrorKind::Unauthorized,
        "InternalError" | "InternalFailure" | "ServiceUnavailable" => ErrorKind::Unavailable,
        _ => return None,
    };
    Some(kind)
}

/// What is wrong with a batch of changes. Route 53 may say it in a list without the envelope of its other errors, and
/// that the SDK does not read.
/// Reference: <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html>
fn refused_batch(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, list) = text.split_once("<InvalidChangeBatch")?;
    let parts = list.split("<Message>").skip(1);
    let messages: Vec<&str> =
        parts.filter_map(|part| part.split_once("</Message>")).map(|(message, _)| message).collect();
    Some(unescaped(&messages.join("; ")))
}

fn unescaped(xml: &str) -> String {
    // The ampersand comes last, so that nothing is decoded twice.
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(xml.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

/// No answer, or one that is not Route 53's.
fn unanswered(operation: &str, detail: &str) -> Error {
    let text = format!("{operation} had no usable answer: {detail}");
    // The names of `wasi:http` error codes.
    if ["HttpRequestDenied", "DestinationIpProhibited"].iter().any(|code| detail.contains(code)) {
        return Error::config(format!("{text}; grant the server with allowed_hosts or allowed_cidrs"));
    }
    Error::unavailable(text)
}

/// What the error and its causes say, each in its first line: below that a transport may put a backtrace.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let lines: Vec<String> = causes.map(|cause| first_line(&cause.to_string())).collect();
    lines.join(": ")
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(LONGEST_CAUSE).collect()
}
