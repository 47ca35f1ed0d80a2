//! What a guest says of itself: kept within its bounds, free of secrets, or refused in words fit to be read.
#![no_main]

use acme_manager_plugin_runtime::fuzzing::{RawDescription, RawKey, describe};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "s3cr3t/t0ken+value";
/// Far above what all of an accepted description may hold.
const BOUND: usize = 4 << 20;

#[derive(Debug, Arbitrary)]
struct Case<'a> {
    name: &'a str,
    version: Text<'a>,
    homepage: Text<'a>,
    keys: Vec<Key<'a>>,
    hosts: Vec<Text<'a>>,
}

#[derive(Debug, Arbitrary)]
struct Key<'a> {
    name: &'a str,
    aliases: Vec<Text<'a>>,
    secret: bool,
    default: Option<Text<'a>>,
    help: Text<'a>,
}

/// A text that may hold the secret, and be long.
#[derive(Debug, Arbitrary)]
struct Text<'a> {
    before: &'a str,
    secret: bool,
    after: &'a str,
    times: Option<u16>,
}

impl Text<'_> {
    fn build(&self) -> String {
        let secret = if self.secret { SECRET } else { "" };
        format!("{}{secret}{}", self.before, self.after).repeat(usize::from(self.times.unwrap_or(1)) % 5000)
    }
}

fuzz_target!(|case: Case<'_>| {
    let build = |texts: &[Text<'_>]| texts.iter().map(Text::build).collect::<Vec<_>>();
    let key = |key: &Key<'_>| RawKey {
        name: key.name.to_owned(),
        aliases: build(&key.aliases),
        secret: key.secret,
        default: key.default.as_ref().map(Text::build),
        help: key.help.build(),
    };
    let raw = RawDescription {
        name: case.name.to_owned(),
        version: case.version.build(),
        homepage: case.homepage.build(),
        environment: case.keys.iter().map(key).collect(),
        hosts: build(&case.hosts),
    };
    let description = match describe(raw, SECRET) {
        Ok(description) => description,
        Err(problem) => {
            assert!(problem.len() < 1024, "{problem}");
            return;
        }
    };
    assert!(!description.name.is_empty() && description.name.len() <= 64);
    let mut size = 0;
    for key in &description.environment {
        for name in std::iter::once(&key.name).chain(&key.aliases) {
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !name.is_empty());
            size += name.len();
        }
        size += key.help.len() + key.default.as_ref().map_or(0, String::len);
    }
    let texts = [&description.version, &description.homepage].into_iter().chain(&description.hosts);
    size += texts.map(String::len).sum::<usize>();
    assert!(size < BOUND, "{size} bytes are kept");
    assert!(!format!("{description:?}").contains(SECRET));
});
