//! Names and TTLs as vendors want them.

use crate::TxtRecord;

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
    fn quotes_are_escaped() {
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
    }
}
