//! A plugin that crashes again and again is left alone for a while.
//!
//! Only breakages count: a crash, an exit, an unusable answer. They tell of a defect in the component, which another
//! try does not mend, while every try costs the vendor requests and the operator log lines. A refusal is an answer like
//! a success; limits have their own remedy; both leave a plugin in use. After the pause one call goes through: if
//! it breaks as well, the next pause is twice as long.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::report::Outcome;

/// The longest pause; a plugin that the vendor's side broke recovers by itself within this time.
const MAX_PAUSE: Duration = Duration::from_secs(600);

/// Whether a plugin's calls go through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suspension {
    /// Calls that broke since the last one that gave an answer.
    pub breakages: u32,
    /// For how long no call goes through; nothing when calls do.
    pub remaining: Option<Duration>,
    /// How the last of them broke.
    pub last: Option<String>,
}

/// Counts breakages in a row.
pub(crate) struct Breaker {
    // 0 for never.
    threshold: u32,
    first_pause: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    breakages: u32,
    last: Option<String>,
    open: Option<Open>,
}

struct Open {
    until: Instant,
    pause: Duration,
}

/// Permission for one call.
#[derive(Debug)]
pub(crate) struct Pass {
    is_trial: bool,
}

impl Breaker {
    pub(crate) fn new(threshold: u32, first_pause: Duration) -> Self {
        Self { threshold, first_pause, state: Mutex::default() }
    }

    /// Lets a call through, or says for how long none does.
    pub(crate) fn enter(&self) -> Result<Pass, Suspension> {
        let mut state = self.lock();
        let now = Instant::now();
        match &mut state.open {
            None => Ok(Pass { is_trial: false }),
            Some(open) if open.until <= now => {
                // Others wait for how this one ends; should it never end, the next pause does.
                open.until = now + open.pause;
                Ok(Pass { is_trial: true })
            }
            Some(_) => Err(state.suspension(now)),
        }
    }

    /// Takes note of how the call ended; `text` is for people.
    pub(crate) fn leave(&self, pass: &Pass, outcome: Outcome, text: impl FnOnce() -> String) {
        let mut state = self.lock();
        match outcome {
            Outcome::Ok | Outcome::Refused => *state = State::default(),
            Outcome::Broken => {
                state.breakages = state.breakages.saturating_add(1);
                state.last = Some(text());
                let pause = match &state.open {
                    Some(open) if pass.is_trial => Some((open.pause * 2).min(MAX_PAUSE)),
                    // A call from before the pause.
                    Some(_) => None,
                    None => (self.threshold > 0 && state.breakages >= self.threshold).then_some(self.first_pause),
                };
                if let Some(pause) = pause {
                    state.open = Some(Open { until: Instant::now() + pause, pause });
                }
            }
            // Neither shows whether the component works.
            Outcome::Timeout | Outcome::Limit | Outcome::Overloaded | Outcome::Suspended | Outcome::Host => {}
        }
    }

    pub(crate) fn suspension(&self) -> Suspension {
        self.lock().suspension(Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn suspension(&self, now: Instant) -> Suspension {
        let remaining = self.open.as_ref().map(|open| open.until.saturating_duration_since(now));
        Suspension { breakages: self.breakages, remaining, last: self.last.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(30);

    fn end(breaker: &Breaker, outcome: Outcome) {
        let pass = breaker.enter().expect("calls go through");
        breaker.leave(&pass, outcome, || "unreachable executed".into());
    }

    #[tokio::test(start_paused = true)]
    async fn breakages_in_a_row_suspend_and_one_answer_ends_it() {
        let breaker = Breaker::new(3, PAUSE);
        for outcome in [Outcome::Broken, Outcome::Broken, Outcome::Refused, Outcome::Broken, Outcome::Broken] {
            end(&breaker, outcome);
        }
        end(&breaker, Outcome::Timeout);
        assert_eq!((breaker.suspension().breakages, breaker.suspension().remaining), (2, None));
        end(&breaker, Outcome::Broken);
        let suspended = breaker.enter().expect_err("three in a row");
        assert_eq!((suspended.breakages, suspended.remaining), (3, Some(PAUSE)));
        assert_eq!(suspended.last.as_deref(), Some("unreachable executed"));
        tokio::time::advance(PAUSE).await;
        end(&breaker, Outcome::Ok);
        assert_eq!(breaker.suspension(), Suspension::default());
    }

    #[tokio::test(start_paused = true)]
    async fn one_call_tries_and_a_failure_doubles_the_pause() {
        let breaker = Breaker::new(1, PAUSE);
        let early = breaker.enter().expect("closed");
        end(&breaker, Outcome::Broken);
        breaker.leave(&early, Outcome::Broken, String::new);
        assert_eq!(breaker.suspension().remaining, Some(PAUSE), "a call from before does not prolong the pause");
        tokio::time::advance(PAUSE).await;
        let trial = breaker.enter().expect("one goes through");
        assert!(breaker.enter().is_err(), "the others wait for it");
        breaker.leave(&trial, Outcome::Broken, String::new);
        assert_eq!(breaker.suspension().remaining, Some(PAUSE * 2));
        for _ in 0..10 {
            tokio::time::advance(MAX_PAUSE).await;
            end(&breaker, Outcome::Broken);
        }
        assert_eq!(breaker.suspension().remaining, Some(MAX_PAUSE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_never_ends_does_not_close_the_door_for_good() {
        let breaker = Breaker::new(1, PAUSE);
        end(&breaker, Outcome::Broken);
        tokio::time::advance(PAUSE).await;
        let _abandoned = breaker.enter().expect("a trial");
        assert!(breaker.enter().is_err());
        tokio::time::advance(PAUSE).await;
        assert!(breaker.enter().is_ok());
    }
}
