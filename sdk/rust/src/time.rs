//! The present moment, as signatures and tokens want it written.
//!
//! ```
//! use acme_manager_plugin::time::Utc;
//!
//! let moment = Utc::from_unix(784_111_777);
//! assert_eq!(moment.rfc3339(), "1994-11-06T08:49:37Z");
//! assert_eq!(moment.http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
//! assert_eq!(moment.basic(), "19941106T084937Z");
//! ```

const DAY: u64 = 86_400;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A second, in coordinated universal time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Utc(u64);

/// The host's wall clock. Natively it is what [`MockApi::clock`](crate::testing::MockApi::clock) says.
pub fn now() -> Utc {
    #[cfg(target_family = "wasm")]
    return Utc(crate::bindings::wasi::clocks::wall_clock::now().seconds);
    #[cfg(not(target_family = "wasm"))]
    Utc(crate::testing::clock())
}

impl Utc {
    /// The moment so many seconds after 1970-01-01T00:00:00Z.
    pub fn from_unix(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn unix(self) -> u64 {
        self.0
    }

    /// `2015-08-30T12:36:00Z` (RFC 3339 §5.6).
    pub fn rfc3339(self) -> String {
        let (hour, minute, second) = self.clock();
        format!("{}T{hour:02}:{minute:02}:{second:02}Z", self.date())
    }

    /// `20150830T123600Z`, the basic format of ISO 8601.
    pub fn basic(self) -> String {
        let ((year, month, day), (hour, minute, second)) = (self.calendar(), self.clock());
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    }

    /// `2015-08-30`.
    pub fn date(self) -> String {
        let (year, month, day) = self.calendar();
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// `Sun, 30 Aug 2015 12:36:00 GMT`, as in the header `Date` (RFC 9110 §5.6.7).
    pub fn http_date(self) -> String {
        let ((year, month, day), (hour, minute, second)) = (self.calendar(), self.clock());
        let pick = |names: &[&'static str], index: u64| {
            usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or_default()
        };
        let (weekday, month) = (pick(&WEEKDAYS, self.0 / DAY % 7), pick(&MONTHS, month - 1));
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }

    fn clock(self) -> (u64, u64, u64) {
        let second = self.0 % DAY;
        (second / 3600, second / 60 % 60, second % 60)
    }

    /// Year, month and day of the Gregorian calendar. Counted in years that begin in March, so that the leap day is
    /// the last of its year; an era is the 400 years after which the calendar repeats.
    fn calendar(self) -> (u64, u64, u64) {
        const ERA: u64 = 146_097;
        /// From 0000-03-01 to 1970-01-01.
        const OFFSET: u64 = 719_468;
        let days = self.0 / DAY + OFFSET;
        let day_of_era = days % ERA;
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // The months from March on have 31, 30, 31, 30, 31 days, again and again: 153 in five.
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        (days / ERA * 400 + year_of_era + u64::from(month <= 2), month, day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::MockApi;

    #[test]
    fn moments_are_written_as_the_standards_show_them() {
        // RFC 9110 §5.6.7, and the example that runs through AWS's signing documentation.
        assert_eq!(Utc(784_111_777).http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(Utc(1_440_938_160).basic(), "20150830T123600Z");
        // RFC 3339 §5.8
        assert_eq!(Utc(482_196_050).rfc3339(), "1985-04-12T23:20:50Z");
    }

    #[test]
    fn leap_days_and_the_ends_of_years_are_where_they_belong() {
        let dates = [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_735_689_599, "2024-12-31"),
            (1_735_689_600, "2025-01-01"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
        ];
        for (seconds, date) in dates {
            assert_eq!(Utc(seconds).date(), date);
        }
        assert_eq!(Utc(0).http_date(), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn tests_set_the_clock() {
        let api = MockApi::new();
        assert_eq!(now().rfc3339(), "2015-08-30T12:36:00Z");
        api.clock(5);
        assert_eq!(now().unix(), 5);
    }
}
