//! When a certificate is due for renewal.

use std::time::Duration;

use time::OffsetDateTime;

use crate::durations::RenewalDays;

/// The moment of renewal of a certificate valid from `from` to `until`.
///
/// `chance` in `0.0..1.0` picks the moment within the window of `days` before the end, so that a fleet's renewals are
/// spread. Where the window would begin in the first third of the lifetime, the certificate is short-lived and the
/// moment lies between one half and three quarters of the lifetime instead. It is never before `now` unless all of
/// the window is past, and never past the end.
#[must_use]
pub fn renewal_date(
    now: OffsetDateTime,
    from: OffsetDateTime,
    until: OffsetDateTime,
    days: RenewalDays,
    chance: f64,
) -> OffsetDateTime {
    let lifetime = Duration::try_from(until - from).unwrap_or(Duration::ZERO);
    let day = Duration::from_secs(86_400);
    let (mut begin, mut end) = (until - day * days.max(), until - day * days.min());
    if begin < from + lifetime / 3 {
        (begin, end) = (from + lifetime / 2, from + lifetime / 4 * 3);
    }
    begin = begin.max(now).min(end);
    let window = Duration::try_from(end - begin).unwrap_or(Duration::ZERO);
    (begin + window.mul_f64(chance.clamp(0.0, 1.0))).min(until)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_moment_lies_in_the_window() {
        let (from, until) = (datetime!(2026-01-01 0:00 UTC), datetime!(2026-04-01 0:00 UTC));
        let at = |chance| renewal_date(from, from, until, RenewalDays::default(), chance);
        assert_eq!(at(0.0), datetime!(2026-03-02 0:00 UTC));
        assert_eq!(at(1.0), datetime!(2026-03-12 0:00 UTC));
    }

    #[test]
    fn short_lived_certificates_are_renewed_after_half_their_life() {
        let (from, until) = (datetime!(2026-01-01 0:00 UTC), datetime!(2026-01-07 0:00 UTC));
        let at = |chance| renewal_date(from, from, until, RenewalDays::default(), chance);
        assert_eq!(at(0.0), datetime!(2026-01-04 0:00 UTC));
        assert_eq!(at(1.0), datetime!(2026-01-05 12:00 UTC));
    }

    proptest! {
        #[test]
        fn never_past_the_end_and_never_at_once(
            hours in 1_u32..4000, min in 1_u32..100, extra in 0_u32..100, chance in 0.0_f64..1.0
        ) {
            let from = datetime!(2026-01-01 0:00 UTC);
            let until = from + Duration::from_secs(u64::from(hours) * 3600);
            let at = renewal_date(from, from, until, format!("{min}-{}", min + extra).parse().expect("a window"), chance);
            prop_assert!(at <= until);
            prop_assert!(at >= from + Duration::from_secs(u64::from(hours) * 1200));
        }
    }
}
