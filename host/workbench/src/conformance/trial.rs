//! The steps of one scenario.

use std::collections::BTreeMap;

use acme_manager_plugin_runtime::CallError;
use acme_manager_plugin_script::{Call, ExpectedError, Step};

use super::{proposed, txt};
use crate::mock::{Mock, Role};
use crate::subject::Subject;

/// What the host puts in the place of a secret.
const REDACTED: &str = "[redacted]";

/// A scenario under way.
pub(super) struct Trial<'a> {
    mock: &'a Mock,
    subject: &'a Subject,
    /// What `present` returned for each value.
    handles: BTreeMap<String, String>,
}

impl<'a> Trial<'a> {
    pub(super) fn new(mock: &'a Mock, subject: &'a Subject) -> Self {
        Self { mock, subject, handles: BTreeMap::new() }
    }

    /// Makes one call. What the API saw explains more than what the call made of it, so it is said first.
    pub(super) async fn step(&mut self, step: &Step) -> Result<(), String> {
        self.mock.play(Role::Exchanges(step.exchanges.iter().cloned().collect()));
        let result = self.call(step).await;
        let review = self.mock.review();
        if let Some(difference) = review.difference {
            return Err(difference);
        }
        let result = result.and_then(|ended| compare(self.subject, &ended, step.error.as_ref()));
        if let (Err(problem), Some(broken)) = (&result, &review.broken) {
            return Err(format!("{problem} (the API saw: {broken})"));
        }
        result?;
        match review.left.first() {
            None => Ok(()),
            Some(next) => Err(format!("{} expected requests did not come; the next was {next}", review.left.len())),
        }
    }

    async fn call(&mut self, step: &Step) -> Result<Result<(), CallError>, String> {
        let plugin = match (self.subject, &step.order) {
            (Subject::Hook(hook), Some(order)) => return Ok(hook.review(&proposed(order)).await),
            (Subject::Provider(plugin), None) => plugin,
            _ => return Err(format!("{} has no such call", self.subject.kind())),
        };
        let Some(record) = step.record.as_ref().map(txt) else { return Ok(plugin.check().await) };
        let known = step.with_handle.clone().or_else(|| self.handles.get(&record.value).cloned()).unwrap_or_default();
        Ok(match step.call {
            Call::Check | Call::Review => plugin.check().await,
            Call::Cleanup => plugin.cleanup(&record, &known).await,
            Call::Present => match plugin.present(&record).await {
                Err(error) => Err(error),
                Ok(handle) => {
                    if let Some(expected) = step.handle.as_ref().filter(|expected| **expected != handle) {
                        return Err(format!("expected the handle {expected:?}, got {handle:?}"));
                    }
                    self.handles.insert(record.value, handle);
                    Ok(())
                }
            },
            Call::Ready => match plugin.ready(&record, &known).await {
                Err(error) => Err(error),
                Ok(ready) if step.ready.is_some_and(|expected| expected != ready) => {
                    return Err(format!("`ready` returned {ready}, the script expects {}", !ready));
                }
                Ok(_) => Ok(()),
            },
        })
    }
}

/// Says how a call ended otherwise than expected.
pub(super) fn compare(
    subject: &Subject,
    result: &Result<(), CallError>,
    expected: Option<&ExpectedError>,
) -> Result<(), String> {
    match (result, expected) {
        (Ok(()), None) => Ok(()),
        (Ok(()), Some(expected)) => Err(format!("expected an error of kind {}, but it succeeded", expected.kind)),
        (Err(CallError::Refused { kind, message, retry_after, .. }), Some(expected)) => {
            let kind = subject.word(*kind);
            if message.contains(REDACTED) {
                return Err(format!("its message holds a secret, which the host hid: {message:?}"));
            }
            if message.is_empty() {
                return Err(format!("its error of kind {kind} has no message: say what was tried and what came back"));
            }
            let seconds = retry_after.map(|wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX));
            expected.difference(kind, message, seconds).map_or(Ok(()), Err)
        }
        (Err(error @ CallError::Refused { .. }), None) => Err(format!("failed: {error}")),
        (Err(error), _) => Err(broken(error)),
    }
}

/// What a call that did not end by itself means to the author.
pub(super) fn broken(error: &CallError) -> String {
    let advice = match error {
        CallError::Panicked { .. } => "; a call ends with an error of the contract, whatever goes wrong",
        CallError::Exited { .. } => "; return an error instead of ending the program",
        CallError::OutOfMemory { .. } | CallError::OutOfFuel { .. } => "; raise the limit, or do less in one call",
        _ => "",
    };
    format!("{error}{advice}")
}
