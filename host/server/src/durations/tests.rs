use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[test]
fn go_spans_are_read_as_go_reads_them() {
    let table = [
        ("0", 0),
        ("0s", 0),
        ("30m", 1_800_000),
        ("1h30m", 5_400_000),
        ("1.5s", 1_500),
        (".5s", 500),
        ("1.s", 1_000),
        ("+5s", 5_000),
        ("200ms", 200),
        ("1000us", 1),
        ("1000\u{b5}s", 1),
        ("5m1h", 3_900_000),
        ("1h1h", 7_200_000),
    ];
    for (text, millis) in table {
        assert_eq!(go_duration(text), Ok(Duration::from_millis(millis)), "{text}");
    }
    for bad in ["", "5", "-5s", "s", ".", ".s", "1d", "1 h", "1h ", "1.2.3s", "1hh", "9999999h", "h1", "٣s"] {
        assert!(go_duration(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn prometheus_spans_are_whole_numbers_in_descending_units() {
    let table = [("0", 0), ("30d", 2_592_000_000), ("1h30m", 5_400_000), ("1y", 31_536_000_000), ("1s5ms", 1_005)];
    for (text, millis) in table {
        assert_eq!(prometheus_duration(text), Ok(Duration::from_millis(millis)), "{text}");
    }
    for bad in ["", "5", "30m1h", "1h1h", "1.5h", "-1d", "d", "1 d", "300y", "99999999999999999999d", "1us", "+1d"] {
        assert!(prometheus_duration(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn display_is_short() {
    let go = |text: &str| text.parse::<GoDuration>().map(|span| span.to_string());
    assert_eq!(go("90m"), Ok("1h30m".to_owned()));
    assert_eq!(go("0"), Ok("0s".to_owned()));
    let prometheus = |text: &str| text.parse::<PrometheusDuration>().map(|span| span.to_string());
    assert_eq!(prometheus("8d"), Ok("8d".to_owned()));
    assert_eq!(prometheus("14d"), Ok("2w".to_owned()));
    assert_eq!(prometheus("90m"), Ok("1h30m".to_owned()));
}

#[test]
fn renewal_days_are_one_number_or_a_range() {
    let days = |text: &str| text.parse::<RenewalDays>().map(|days| (days.min(), days.max(), days.to_string()));
    assert_eq!(days("20-30"), Ok((20, 30, "20-30".to_owned())));
    assert_eq!(days("7"), Ok((7, 7, "7".to_owned())));
    assert_eq!(RenewalDays::default().to_string(), "20-30");
    for bad in ["", "-", "0", "0-5", "30-20", "a", "1-2-3", "20-", "-30", "99999"] {
        assert!(days(bad).is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn go_spans_round_trip(nanos in 0..=i64::MAX as u64) {
        let span = GoDuration(Duration::from_nanos(nanos));
        prop_assert_eq!(span.to_string().parse::<GoDuration>(), Ok(span));
    }

    #[test]
    fn prometheus_spans_round_trip(millis in 0..=i64::MAX as u64 / 1_000_000) {
        let span = PrometheusDuration(Duration::from_millis(millis));
        prop_assert_eq!(span.to_string().parse::<PrometheusDuration>(), Ok(span));
    }

    #[test]
    fn any_text_is_answered(text in ".{0,40}") {
        let _ = go_duration(&text);
        let _ = prometheus_duration(&text);
        let _ = text.parse::<RenewalDays>();
    }

    #[test]
    fn number_soup_is_answered(text in "[0-9.hmsdwyun+-]{0,60}") {
        let _ = go_duration(&text);
        let _ = prometheus_duration(&text);
    }
}
