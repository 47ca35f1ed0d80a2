//! Zones, names, values and TTLs as vendors want them.

use crate::{Error, ErrorKind, TxtRecord};

/// The record's name relative to its zone, as most vendors want it: `_acme-challenge.www` for
/// `_acme-challenge.www.example.com` in `example.com`, `@` where both are the same. The full name when the host did
/// not find the zone.
pub fn relative(record: &TxtRecord) -> &str {
    relative_to(&record.name, &record.zone)
}

/// `name` relative to `zone`; see [`relative`].
pub fn relative_to<'a>(name: &'a str, zone: &str) -> &'a str {
    match name.strip_suffix(zone) {
        Some("") => "@",
        Some(rest) if !zone.is_empty() => rest.strip_suffix('.').unwrap_or(name),
        _ => name,
    }
}

/// `name` relative to `zone`, for vendors whose name for the zone itself is the empty one: otherwise as [`relative_to`].
///
/// ```
/// use acme_manager_plugin::dns;
///
/// assert_eq!(dns::subname("_acme-challenge.example.com", "example.com"), "_acme-challenge");
/// assert_eq!(dns::subname("example.com", "example.com"), "");
/// ```
pub fn subname<'a>(name: &'a str, zone: &str) -> &'a str {
    match relative_to(name, zone) {
        "@" => "",
        below => below,
    }
}

/// The name with a final dot, as in zone files.
pub fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

/// The zones to ask the vendor for, longest first: the one that the host found, or each parent of the name.
pub fn zone_candidates(record: &TxtRecord) -> Vec<&str> {
    if !record.zone.is_empty() {
        return vec![&record.zone];
    }
    let parents = record.name.match_indices('.').map(|(dot, _)| record.name.get(dot + 1..).unwrap_or_default());
    parents.filter(|parent| !parent.is_empty()).collect()
}

/// The zone that holds a record: what `look` has for the first of the [candidates](zone_candidates) that it knows.
/// `look` asks the vendor for one name and returns whatever the provider needs of the zone, or nothing where the account
/// has none of that name.
///
/// ```
/// use acme_manager_plugin::{dns, testing};
///
/// let zones = [("example.com", 17), ("example.net", 18)];
/// let record = testing::record("", "_acme-challenge.www.example.com", "v");
/// let id = dns::find_zone(&record, |name| Ok(zones.iter().find(|(zone, _)| *zone == name).map(|(_, id)| *id)));
/// assert_eq!(id.unwrap(), 17);
/// ```
///
/// # Errors
/// [`ErrorKind::ZoneNotFound`] when no candidate is known, and the first error of `look`.
pub fn find_zone<'a, Z>(
    record: &'a TxtRecord,
    mut look: impl FnMut(&'a str) -> Result<Option<Z>, Error>,
) -> Result<Z, Error> {
    for candidate in zone_candidates(record) {
        if let Some(zone) = look(candidate)? {
            return Ok(zone);
        }
    }
    Err(Error::zone_not_found(&record.name))
}

/// What was looked for, or nothing where the error is that there is no such zone. A `cleanup` without a handle has
/// nothing to do then: with its zone the value is gone too.
///
/// ```
/// use acme_manager_plugin::{Error, dns};
///
/// fn cleanup(zone: Result<String, Error>) -> Result<(), Error> {
///     let Some(zone) = dns::found(zone)? else { return Ok(()) };
///     # drop(zone);
///     // … delete what is in the zone
///     Ok(())
/// }
/// assert!(cleanup(Err(Error::zone_not_found("_acme-challenge.example.com"))).is_ok());
/// assert!(cleanup(Err(Error::unavailable("try later"))).is_err());
/// ```
///
/// # Errors
/// Any but [`ErrorKind::ZoneNotFound`].
pub fn found<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Err(error) if error.kind() == ErrorKind::ZoneNotFound => Ok(None),
        result => result.map(Some),
    }
}

/// The TTL that the host asks for, or the provider's default; seconds.
pub fn ttl_or(record: &TxtRecord, default: u32) -> u32 {
    if record.ttl == 0 { default } else { record.ttl }
}

/// A TXT value as vendors that store zone-file text want it: in quotes, `"` and `\` escaped. RFC 1035 §5.1
pub fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
    text
}

/// Whether a vendor's text is the record's value, plain or [quoted]: many return a TXT value in quotes, whatever it was
/// created with.
pub fn is_value(text: &str, record: &TxtRecord) -> bool {
    text == record.value || text == quoted(&record.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(zone: &str, name: &str) -> TxtRecord {
        TxtRecord { zone: zone.into(), name: name.into(), value: "v".into(), ttl: 0 }
    }

    #[test]
    fn a_name_is_cut_at_its_zone_only() {
        assert_eq!(relative(&record("example.com", "_acme-challenge.www.example.com")), "_acme-challenge.www");
        assert_eq!(relative(&record("example.com", "example.com")), "@");
        assert_eq!(relative(&record("example.com", "a.badexample.com")), "a.badexample.com");
        assert_eq!(relative(&record("", "a.example.com")), "a.example.com");
    }

    #[test]
    fn without_a_zone_every_parent_is_a_candidate() {
        assert_eq!(
            zone_candidates(&record("", "_acme-challenge.a.example.com")),
            ["a.example.com", "example.com", "com"]
        );
        assert_eq!(zone_candidates(&record("example.com", "_acme-challenge.a.example.com")), ["example.com"]);
    }

    #[test]
    fn the_zone_itself_has_the_empty_subname() {
        assert_eq!(subname("example.com", "example.com"), "");
        assert_eq!(subname("_acme-challenge.www.example.com", "example.com"), "_acme-challenge.www");
        assert_eq!(subname("a.badexample.com", "example.com"), "a.badexample.com");
    }

    #[test]
    fn the_longest_zone_that_is_known_is_found_and_no_more_asked() {
        let record = record("", "_acme-challenge.a.example.com");
        let mut asked = Vec::new();
        let zone = find_zone(&record, |name| {
            asked.push(name);
            Ok((name == "example.com").then_some(name))
        });
        assert_eq!((zone.unwrap(), asked), ("example.com", vec!["a.example.com", "example.com"]));
    }

    #[test]
    fn a_zone_that_nobody_knows_is_not_found_and_errors_end_the_search() {
        let record = record("example.com", "_acme-challenge.example.com");
        let missing = find_zone(&record, |_| Ok(None::<u32>)).unwrap_err();
        assert_eq!(missing, Error::zone_not_found("_acme-challenge.example.com"));
        let failed = find_zone(&record, |_| Err::<Option<u32>, _>(Error::unavailable("no answer")));
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn only_the_want_of_a_zone_is_nothing_found() {
        assert_eq!(found(Ok(1)).unwrap(), Some(1));
        assert_eq!(found::<u32>(Err(Error::zone_not_found("a"))).unwrap(), None);
        assert_eq!(found::<u32>(Err(Error::rejected("no"))).unwrap_err().kind(), ErrorKind::Rejected);
    }

    #[test]
    fn a_value_is_known_with_and_without_quotes() {
        let record = record("example.com", "example.com");
        let texts = ["v", "\"v\"", "\"v", "w", ""];
        assert_eq!(texts.map(|text| is_value(text, &record)), [true, true, false, false, false]);
    }

    #[test]
    fn quotes_are_escaped() {
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
    }
}
