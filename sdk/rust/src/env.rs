//! The provider's environment: what the operator configured, under the names of the description.
//!
//! Blanks around a value are dropped, and an empty value counts as not set.

use std::fmt::Display;
use std::str::FromStr;

use crate::Error;

/// The value of a variable that must be set.
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) when it is not.
pub fn required(name: &str) -> Result<String, Error> {
    optional(name).ok_or_else(|| Error::config(format!("{name} is not set")))
}

/// The value of a variable, if it is set.
pub fn optional(name: &str) -> Option<String> {
    let value = raw(name)?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// The value of a variable, or what to use without it.
pub fn optional_or(name: &str, default: &str) -> String {
    optional(name).unwrap_or_else(|| default.to_owned())
}

/// The parsed value of a variable, if it is set.
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) when it does not parse. The value is not repeated, for it may be
/// a secret.
pub fn parsed<T: FromStr<Err: Display>>(name: &str) -> Result<Option<T>, Error> {
    let parse = |value: String| value.parse().map_err(|error| Error::config(format!("{name} is not valid: {error}")));
    optional(name).map(parse).transpose()
}

/// The parsed value of a variable, or what to use without it.
///
/// # Errors
/// As [`parsed`].
pub fn parsed_or<T: FromStr<Err: Display>>(name: &str, default: T) -> Result<T, Error> {
    Ok(parsed(name)?.unwrap_or(default))
}

/// The TTL of records: `<PREFIX>TTL`, or the default. See [`Description::times`](crate::Description::times).
///
/// # Errors
/// As [`parsed`].
pub fn ttl(prefix: &str, default: u32) -> Result<u32, Error> {
    parsed_or(&format!("{prefix}TTL"), default)
}

// Not `std::env`: the standard library would link its own start-up code and a second copy of the environment.
#[cfg(target_family = "wasm")]
fn raw(name: &str) -> Option<String> {
    let all = crate::bindings::wasi::cli::environment::get_environment();
    all.into_iter().find_map(|(key, value)| (key == name).then_some(value))
}

#[cfg(not(target_family = "wasm"))]
fn raw(name: &str) -> Option<String> {
    crate::testing::environment(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::testing::MockApi;

    #[test]
    fn values_are_trimmed_and_empty_means_unset() {
        let _api = MockApi::new().env("A", " x \n").env("B", "  ").env("TTL", "60").env("BAD", "s3cret");
        assert_eq!(required("A").unwrap(), "x");
        assert_eq!(optional("B"), None);
        assert_eq!(required("B").unwrap_err().kind(), ErrorKind::Config);
        assert_eq!(parsed_or("TTL", 120_u32).unwrap(), 60);
        assert_eq!(parsed_or("NONE", 120_u32).unwrap(), 120);
        let error = parsed::<u32>("BAD").unwrap_err();
        assert!(error.message().starts_with("BAD is not valid") && !error.message().contains("s3cret"), "{error}");
    }
}
