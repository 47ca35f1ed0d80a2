//! HTTP-01 (RFC 8555 §8.3): the answers that `/.well-known/acme-challenge/{token}` gives.
//!
//! Answers live in memory, for a bounded time and in a bounded number. How they reach the other nodes is not known
//! here.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::ChallengeError;

/// The challenge provider's name in issuers and requests.
pub const PROVIDER: &str = "kvring";

/// How long an answer is given when nobody withdraws it. CAs expire pending authorizations within a week, but no
/// attempt of ours waits longer than this.
pub const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The most answers at once: a hundred orders of a hundred names each.
pub const CAPACITY: usize = 10_000;

/// The answers that this node gives.
#[derive(Debug, Default)]
pub struct Http01 {
    answers: Mutex<HashMap<String, Answer>>,
}

#[derive(Debug)]
struct Answer {
    key_authorization: String,
    expires: Instant,
}

impl Http01 {
    /// Gives `key_authorization` as the answer for `token` from now on, until it is withdrawn or [`LIFETIME`] ends.
    ///
    /// # Errors
    /// [`ChallengeError::Http01Full`] when [`CAPACITY`] answers are already waiting: dropping one of those would
    /// fail somebody else's order.
    pub fn publish(&self, token: &str, key_authorization: &str) -> Result<(), ChallengeError> {
        let now = Instant::now();
        let mut answers = self.lock();
        if answers.len() >= CAPACITY {
            answers.retain(|_, answer| answer.expires > now);
        }
        if answers.len() >= CAPACITY && !answers.contains_key(token) {
            return Err(ChallengeError::Http01Full { capacity: CAPACITY });
        }
        let answer = Answer { key_authorization: key_authorization.to_owned(), expires: now + LIFETIME };
        answers.insert(token.to_owned(), answer);
        Ok(())
    }

    /// Stops answering for `token`. Unknown tokens are fine.
    pub fn withdraw(&self, token: &str) {
        self.lock().remove(token);
    }

    /// The key authorization for `token`, if one is published.
    #[must_use]
    pub fn answer(&self, token: &str) -> Option<String> {
        let answers = self.lock();
        let answer = answers.get(token)?;
        (answer.expires > Instant::now()).then(|| answer.key_authorization.clone())
    }

    /// The map is consistent after every statement, so a panic elsewhere while it was locked does no harm.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_lives_from_publish_to_withdraw() {
        let http01 = Http01::default();
        http01.publish("token", "token.thumbprint").expect("room");
        assert_eq!(http01.answer("token").as_deref(), Some("token.thumbprint"));
        assert_eq!(http01.answer("other"), None);
        http01.withdraw("token");
        http01.withdraw("token");
        assert_eq!(http01.answer("token"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_expires_by_itself() {
        let http01 = Http01::default();
        http01.publish("token", "a").expect("room");
        tokio::time::advance(LIFETIME - Duration::from_secs(1)).await;
        assert!(http01.answer("token").is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(http01.answer("token"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_map_refuses_until_something_expires() {
        let http01 = Http01::default();
        for number in 0..CAPACITY {
            http01.publish(&number.to_string(), "a").expect("room");
        }
        assert!(matches!(http01.publish("more", "a"), Err(ChallengeError::Http01Full { .. })));
        http01.publish("7", "b").expect("replacing needs no room");
        tokio::time::advance(LIFETIME).await;
        http01.publish("more", "a").expect("expired answers make room");
        assert_eq!(http01.answer("7"), None);
    }
}
