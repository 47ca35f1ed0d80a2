//! Spans of time as operators and clients write them.
//!
//! Two grammars are in use and both stay: flags and rate-limit windows follow Go (`1h30m`, fractions, no days),
//! the life of a token follows Prometheus (`30d`, whole numbers, units in descending order). A third word, the range
//! of days before expiry in which a certificate is renewed (`20-30`), is shared by config and API. Nothing here
//! reads a clock. Called by `config` and by the rules for tokens and certificates.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest span both grammars accept: what fits into 63 bits of nanoseconds, about 292 years.
pub const LONGEST: Duration = Duration::from_nanos(i64::MAX as u64);

/// Why a span of time was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{input:?} is not valid: expected {expected}")]
pub struct DurationError {
    /// The input, cut to 100 characters.
    pub input: String,
    /// What would have been right.
    pub expected: &'static str,
}

impl DurationError {
    fn new(input: &str, expected: &'static str) -> Self {
        Self { input: input.chars().take(100).collect(), expected }
    }
}

/// A span in Go's notation. `Display` leaves out zero parts (`1h30m`, where Go prints `1h30m0s`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(pub Duration);

/// A span in Prometheus' notation, in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrometheusDuration(pub Duration);

/// How many days before its expiry a certificate may be renewed: `N` or `MIN-MAX`, both at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RenewalDays {
    min: u32,
    max: u32,
}

impl RenewalDays {
    /// Fewest days before expiry.
    #[must_use]
    pub fn min(self) -> u32 {
        self.min
    }

    /// Most days before expiry; at least [`Self::min`].
    #[must_use]
    pub fn max(self) -> u32 {
        self.max
    }
}

impl Default for RenewalDays {
    fn default() -> Self {
        Self { min: 20, max: 30 }
    }
}

/// Parses Go's notation (`30m`, `1h30m`, `1.5s`, `0`); negative spans are refused.
///
/// # Errors
/// When the text is not of that form or longer than [`LONGEST`].
pub fn go_duration(input: &str) -> Result<Duration, DurationError> {
    const EXPECTED: &str = "numbers with units, such as `30s`, `5m` or `1h30m` (units h, m, s, ms, us, ns)";
    let refuse = || DurationError::new(input, EXPECTED);
    let mut rest = input.strip_prefix('+').unwrap_or(input);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let mut nanos: u128 = 0;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(refuse)?;
        let (number, after) = rest.split_at(digits);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        nanos += go_part(number, go_unit(unit).ok_or_else(refuse)?).ok_or_else(refuse)?;
        if nanos > LONGEST.as_nanos() {
            return Err(DurationError::new(input, "less than 292 years"));
        }
        if next.is_empty() {
            return Ok(duration_of_nanos(nanos));
        }
        rest = next;
    }
}

/// Parses Prometheus' notation (`30d`, `1h30m`, `0`): whole numbers, each unit at most once, in the order
/// `y w d h m s ms`.
///
/// # Errors
/// When the text is not of that form or longer than [`LONGEST`].
pub fn prometheus_duration(input: &str) -> Result<Duration, DurationError> {
    const EXPECTED: &str = "whole numbers with units in the order y, w, d, h, m, s, ms, such as `30d` or `1h30m`";
    let refuse = || DurationError::new(input, EXPECTED);
    if input == "0" {
        return Ok(Duration::ZERO);
    }
    if input.is_empty() {
        return Err(refuse());
    }
    let mut rest = input;
    let mut units = PROMETHEUS_UNITS.iter();
    let mut millis: u128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(refuse)?;
        let (number, after) = rest.split_at(digits);
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        // Going on in the same iterator is what makes a repeated or ascending unit an error.
        let (_, factor) = units.find(|(name, _)| *name == unit).ok_or_else(refuse)?;
        let number: u64 = number.parse().map_err(|_| refuse())?;
        millis += u128::from(number) * u128::from(*factor);
        if millis * 1_000_000 > LONGEST.as_nanos() {
            return Err(DurationError::new(input, "less than 292 years"));
        }
        rest = next;
    }
    Ok(duration_of_nanos(millis * 1_000_000))
}

impl FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(input: &str) -> Result<Self, DurationError> {
        go_duration(input).map(Self)
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [
            ("h", 3_600_000_000_000),
            ("m", 60_000_000_000),
            ("s", 1_000_000_000),
            ("ms", 1_000_000),
            ("us", 1_000),
            ("ns", 1),
        ];
        write_parts(f, self.0.as_nanos(), &units)
    }
}

impl FromStr for PrometheusDuration {
    type Err = DurationError;

    fn from_str(input: &str) -> Result<Self, DurationError> {
        prometheus_duration(input).map(Self)
    }
}

impl fmt::Display for PrometheusDuration {
    /// Years and weeks are used only where they say it all, as Prometheus does: `8d`, not `1w1d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        for (name, factor) in &PROMETHEUS_UNITS[..2] {
            let factor = u128::from(*factor);
            if millis > 0 && millis.is_multiple_of(factor) {
                return write!(f, "{}{name}", millis / factor);
            }
        }
        let units: Vec<_> = PROMETHEUS_UNITS[2..].iter().map(|(name, factor)| (*name, u128::from(*factor))).collect();
        write_parts(f, millis, &units)
    }
}

impl FromStr for RenewalDays {
    type Err = DurationError;

    fn from_str(input: &str) -> Result<Self, DurationError> {
        const EXPECTED: &str = "days before expiry, `N` or `MIN-MAX`, such as `20-30`";
        let refuse = || DurationError::new(input, EXPECTED);
        let day = |text: &str| text.trim().parse::<u32>().ok().filter(|day| (1..=3650).contains(day));
        let (min, max) = input.split_once('-').unwrap_or((input, input));
        let range = Self { min: day(min).ok_or_else(refuse)?, max: day(max).ok_or_else(refuse)? };
        if range.min > range.max {
            return Err(DurationError::new(input, "the smaller number of days first"));
        }
        Ok(range)
    }
}

impl fmt::Display for RenewalDays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max { write!(f, "{}", self.min) } else { write!(f, "{}-{}", self.min, self.max) }
    }
}

/// Units with their milliseconds, longest first; a year has 365 days.
const PROMETHEUS_UNITS: [(&str, u64); 7] = [
    ("y", 31_536_000_000),
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

fn go_unit(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        // The micro sign and the Greek letter mu are both accepted, as in Go.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// `1.5` of a unit in nanoseconds; digits below one nanosecond are cut.
fn go_part(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || whole.len() > 19 {
        return None;
    }
    let mut nanos = if whole.is_empty() { 0 } else { whole.parse::<u128>().ok()? * unit };
    let mut place = unit;
    for digit in fraction.bytes() {
        place /= 10;
        nanos += u128::from(digit - b'0') * place;
    }
    Some(nanos)
}

fn duration_of_nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).expect("callers refuse more than LONGEST"))
}

fn write_parts(f: &mut fmt::Formatter<'_>, total: u128, units: &[(&str, u128)]) -> fmt::Result {
    if total == 0 {
        return f.write_str("0s");
    }
    let mut rest = total;
    for (name, factor) in units {
        if rest >= *factor {
            write!(f, "{}{name}", rest / factor)?;
            rest %= factor;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
