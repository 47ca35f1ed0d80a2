//! Numbers for people.

use std::time::Duration;

/// `384 k`, `1.25 M`: three digits that count.
#[must_use]
pub fn count(number: u64) -> String {
    for (unit, size) in [("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)] {
        if number >= size {
            return format!("{} {unit}", three_digits(number as f64 / size as f64));
        }
    }
    number.to_string()
}

/// `12 KiB`, `1.5 MiB`.
#[must_use]
pub fn bytes(number: u64) -> String {
    for (unit, size) in [("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if number >= size {
            return format!("{} {unit}", three_digits(number as f64 / size as f64));
        }
    }
    format!("{number} B")
}

/// `85 µs`, `1.25 ms`, `2 s`.
#[must_use]
pub fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    for (unit, size) in [("s", 1.0), ("ms", 1e-3)] {
        if seconds >= size {
            return format!("{} {unit}", three_digits(seconds / size));
        }
    }
    format!("{} µs", three_digits(seconds * 1e6))
}

fn three_digits(number: f64) -> String {
    let places = if number < 10.0 { 2 } else { usize::from(number < 100.0) };
    let text = format!("{number:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The next of 1, 2, 5, 10, 20, 50, ….
pub(crate) fn round_up(number: u64) -> u64 {
    let mut power: u64 = 1;
    loop {
        for step in [1, 2, 5] {
            let candidate = power.saturating_mul(step);
            if candidate >= number {
                return candidate;
            }
        }
        power = power.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([count(999), count(384_120), count(1_254_000)], ["999", "384 k", "1.25 M"]);
        assert_eq!([bytes(12), bytes(12 << 10), bytes(3 << 19)], ["12 B", "12 KiB", "1.5 MiB"]);
        let times = [85e-6, 1.25e-3, 2.0].map(|seconds| time(Duration::from_secs_f64(seconds)));
        assert_eq!(times, ["85 µs", "1.25 ms", "2 s"]);
        assert_eq!([0, 1, 3, 501, 1_200_000].map(round_up), [1, 1, 5, 1_000, 2_000_000]);
        assert_eq!(round_up(u64::MAX), u64::MAX);
    }
}
