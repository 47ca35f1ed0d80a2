//! Time: the injected clock and the one date format of the API.
//!
//! Everything that needs the time of day takes a [`Clock`]; nothing else may call `SystemTime::now`, so that tests
//! decide what time it is. Waiting is tokio's, whose time tests pause.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// `2026-11-23 20:11:00 +0000 UTC`: how the API and the stored records write a moment.
const DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]");

/// What time it is: the system's clock, or one that a test sets.
#[derive(Clone)]
pub struct Clock(Inner);

#[derive(Clone)]
enum Inner {
    System,
    Set(Arc<Mutex<OffsetDateTime>>),
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Inner::System)
    }

    /// A clock that stands still at `now` until [`Clock::advance`] moves it.
    #[must_use]
    pub fn set_to(now: OffsetDateTime) -> Self {
        Self(Inner::Set(Arc::new(Mutex::new(now))))
    }

    /// The current moment in UTC.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
            Inner::System => OffsetDateTime::from(SystemTime::now()),
            Inner::Set(now) => *now.lock().expect("no panic while the time is held"),
        }
    }

    /// Moves a set clock forward; the system's clock goes on by itself.
    pub fn advance(&self, by: Duration) {
        if let Inner::Set(now) = &self.0 {
            let mut now = now.lock().expect("no panic while the time is held");
            *now += by;
        }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now_millis(&self) -> i64 {
        i64::try_from(self.now().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// Writes a moment as `YYYY-MM-DD HH:MM:SS +0000 UTC`.
#[must_use]
pub fn format_date(moment: OffsetDateTime) -> String {
    let utc = moment.to_offset(time::UtcOffset::UTC);
    format!("{} UTC", utc.format(DATE).expect("the format holds only parts that every date has"))
}

/// Reads a moment as the existing system wrote it: `YYYY-MM-DD HH:MM:SS[.fraction] ±zzzz ZONE`, the zone's name and
/// Go's monotonic suffix (` m=+1.5`) ignored.
#[must_use]
pub fn parse_date(text: &str) -> Option<OffsetDateTime> {
    let mut words = text.split_whitespace();
    let (day, clock, offset) = (words.next()?, words.next()?, words.next()?);
    let seconds = clock.split('.').next()?;
    OffsetDateTime::parse(&format!("{day} {seconds} {offset}"), DATE).ok()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn dates_are_written_as_the_existing_system_does() {
        let moment = datetime!(2026-11-23 20:11:05.7 UTC);
        assert_eq!(format_date(moment), "2026-11-23 20:11:05 +0000 UTC");
        assert_eq!(format_date(datetime!(2026-11-23 22:11:05 +2)), "2026-11-23 20:11:05 +0000 UTC");
    }

    #[test]
    fn dates_of_the_existing_system_are_read() {
        let moment = datetime!(2026-11-23 20:11:05 UTC);
        for text in [
            "2026-11-23 20:11:05 +0000 UTC",
            "2026-11-23 22:11:05 +0200 CEST",
            "2026-11-23 20:11:05.123456789 +0000 UTC m=+0.0012",
        ] {
            assert_eq!(parse_date(text), Some(moment), "{text}");
        }
        for text in ["", "Never", "2026-11-23", "2026-13-23 20:11:05 +0000 UTC"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn a_set_clock_moves_only_when_told() {
        let clock = Clock::set_to(datetime!(2026-01-01 0:00 UTC));
        assert_eq!(clock.now(), datetime!(2026-01-01 0:00 UTC));
        clock.advance(Duration::from_secs(60));
        assert_eq!(clock.now(), datetime!(2026-01-01 0:01 UTC));
    }
}
