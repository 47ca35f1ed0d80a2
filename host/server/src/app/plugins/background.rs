//! Work that nobody waits for, neither while the server runs nor when it ends.

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Where such work goes on.
#[derive(Clone)]
pub(super) struct Background {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Background {
    /// On `tracker`; everything is given up when the guard is dropped.
    pub(super) fn on(tracker: &TaskTracker) -> (Self, DropGuard) {
        let stop = CancellationToken::new();
        (Self { tracker: tracker.clone(), stop: stop.clone() }, stop.drop_guard())
    }

    /// Does it until it is done or given up.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = work => {}
                () = stop.cancelled_owned() => {}
            }
        });
    }
}
