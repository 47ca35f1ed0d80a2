//! Which values of an exchange are secrets, by the names of the fields that they stand in. What is found is hidden where
//! it stands and remembered, because it turns up elsewhere by itself.

use std::collections::BTreeSet;

use serde_json::Value;
use url::form_urlencoded;

use crate::redact::MARK;

/// Shorter texts are flags and numbers; to hide them wherever they occur would hide everything.
const MIN_LEARNED_BYTES: usize = 8;
/// Parts of the names of fields whose values are secrets.
const SECRET_NAMES: [&str; 11] = [
    "token",
    "secret",
    "passw",
    "session",
    "credential",
    "cookie",
    "signature",
    "assertion",
    "apikey",
    "api_key",
    "authorization",
];
/// Names that mean a secret in a URL. Elsewhere they name harmless things as well, so that what they hold in a URL is
/// hidden there and nowhere else.
const SECRET_PARAMETERS: [&str; 8] = ["key", "sig", "auth", "pass", "pwd", "code", "sid", "jwt"];
/// Header fields whose values are shown.
const OPEN_HEADERS: [&str; 15] = [
    "accept",
    "accept-encoding",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "host",
    "link",
    "location",
    "retry-after",
    "server",
    "transfer-encoding",
    "user-agent",
    "www-authenticate",
];
const OPEN_HEADER_PREFIXES: [&str; 3] = ["ratelimit", "x-ratelimit", "x-rate-limit"];
/// A URL in a parameter of a URL is looked into, one in a parameter of that as well.
const MAX_DEPTH: u8 = 2;

/// All learned values together. Whoever answers decides on them, and each is looked for in a dozen spellings.
const MAX_BYTES: usize = 32 << 10;

/// Values that were found to be secrets.
#[derive(Default)]
pub(super) struct Learned(Vec<String>);

impl Learned {
    /// Those that are hidden wherever they occur; nothing if they are more than can be looked for.
    pub(super) fn values(&self) -> Option<BTreeSet<&str>> {
        let values = self.0.iter().map(String::as_str);
        let values: BTreeSet<&str> =
            values.filter(|value| value.len() >= MIN_LEARNED_BYTES && *value != MARK).collect();
        (values.iter().map(|value| value.len()).sum::<usize>() <= MAX_BYTES).then_some(values)
    }

    /// Hides the values of fields that are not known to be harmless, and what is secret in those that hold URLs.
    pub(super) fn close(&mut self, headers: &mut [(String, String)]) {
        for (name, value) in headers {
            let is_open = OPEN_HEADERS.contains(&name.as_str())
                || OPEN_HEADER_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            match name.as_str() {
                "location" => *value = self.url(value),
                "link" => *value = self.links(value),
                _ if is_open => {}
                _ => {
                    // `Bearer TOKEN`, `name=value; Path=/`: the parts turn up elsewhere by themselves.
                    self.0.extend(value.split([' ', ';', ',', '"']).map(str::to_owned));
                    self.0.push(std::mem::replace(value, MARK.to_owned()));
                }
            }
        }
    }

    /// Remembers the values of fields that are named like secrets.
    pub(super) fn body(&mut self, body: &str) {
        match serde_json::from_str::<Value>(body) {
            Ok(value) => self.json(&value, false),
            Err(_) => {
                let fields = form_urlencoded::parse(body.as_bytes()).filter(|(name, _)| is_secret(name));
                self.0.extend(fields.map(|(_, value)| value.into_owned()));
            }
        }
    }

    fn json(&mut self, value: &Value, secret: bool) {
        match value {
            Value::String(text) if secret => self.0.push(text.clone()),
            // The next page, the place to log in at: they are found in the body as they were remembered.
            Value::String(text) if text.contains("://") => drop(self.url(text)),
            Value::Array(items) => items.iter().for_each(|item| self.json(item, secret)),
            Value::Object(fields) => fields.iter().for_each(|(name, item)| self.json(item, is_secret(name))),
            _ => {}
        }
    }

    /// A URL, whole or relative, without the secrets in it.
    pub(super) fn url(&mut self, url: &str) -> String {
        self.url_at(url, 0)
    }

    fn url_at(&mut self, url: &str, depth: u8) -> String {
        let (mut out, rest) = self.user(url);
        let mut hides = false;
        for part in rest.split_inclusive(['?', '&', ';', '#']) {
            let end = part.len() - usize::from(part.ends_with(['?', '&', ';', '#']));
            let (field, mark) = part.split_at(end);
            match field.split_once('=') {
                Some((name, value)) => {
                    let hidden = self.parameter(name, value, depth);
                    hides = hidden.is_some();
                    out.push_str(name);
                    out.push('=');
                    out.push_str(hidden.unwrap_or(value));
                }
                // The rest of a value: not everybody takes `;` for the end of one.
                None if hides && out.ends_with(['?', ';']) => {}
                None => out.push_str(field),
            }
            out.push_str(mark);
        }
        out
    }

    /// What stands for the value of a parameter, unless it can stay.
    fn parameter(&mut self, name: &str, value: &str, depth: u8) -> Option<&'static str> {
        let name = decoded(name);
        // A path may stand before the name of the first one.
        let name = name.rsplit('/').next().unwrap_or_default();
        let plain = decoded(value);
        if is_secret(name) {
            self.0.extend([plain, value.to_owned()]);
            return (!value.is_empty()).then_some(MARK);
        }
        let is_secret_here = SECRET_PARAMETERS.iter().any(|secret| name.eq_ignore_ascii_case(secret));
        let may_hold_one = depth < MAX_DEPTH && plain.contains(['?', '#', '@']);
        let hidden = is_secret_here || (may_hold_one && self.url_at(&plain, depth + 1) != plain);
        (hidden && !value.is_empty()).then_some(MARK)
    }

    /// The beginning of a URL with the user hidden, and the rest.
    fn user<'a>(&mut self, url: &'a str) -> (String, &'a str) {
        let Some(start) = url.find("//").map(|at| at + 2) else { return (String::new(), url) };
        let end = url[start..].find(['/', '?', '#', '\\']).map_or(url.len(), |at| start + at);
        let is_whole = !url[..start].contains(['?', '#']);
        match url[start..end].rfind('@').filter(|_| is_whole) {
            None => (String::new(), url),
            Some(at) => {
                let user = &url[start..start + at];
                // A token stands in either place; a name beside a password is none.
                let secret = user.split_once(':').map_or(user, |(_, password)| password);
                self.0.extend([decoded(secret), secret.to_owned()]);
                (format!("{}{MARK}", &url[..start]), &url[start + at..])
            }
        }
    }

    /// RFC 8288 §3: `<URL>; rel="next", <URL>; …`.
    fn links(&mut self, value: &str) -> String {
        let mut out = String::with_capacity(value.len());
        let mut rest = value;
        while let Some((before, (url, after))) =
            rest.split_once('<').and_then(|(before, more)| Some((before, more.split_once('>')?)))
        {
            out.push_str(before);
            out.push('<');
            out.push_str(&self.url(url));
            out.push('>');
            rest = after;
        }
        // What is no link ends as one, so that nothing gets by.
        out + &self.url(rest)
    }
}

/// A part of a URL as a form would read it.
fn decoded(part: &str) -> String {
    let whole = [b"x=", part.as_bytes()].concat();
    form_urlencoded::parse(&whole).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_urls_are_hidden_and_remembered() {
        for (url, expected, learned) in [
            (
                "https://a.example/v1?page=2&sessionId=0123456789",
                "https://a.example/v1?page=2&sessionId=[redacted]",
                &["0123456789"][..],
            ),
            (
                "https://a.example/v1?X-Amz-Signature=ab%2Fcdefghi&x=1",
                "https://a.example/v1?X-Amz-Signature=[redacted]&x=1",
                &["ab/cdefghi", "ab%2Fcdefghi"],
            ),
            ("https://a.example/?%74oken=short&y", "https://a.example/?%74oken=[redacted]&y", &[]),
            ("https://a.example/?api-key=0123456789", "https://a.example/?api-key=[redacted]", &["0123456789"]),
            // Hidden where it stands only.
            ("https://a.example/?key=example.com", "https://a.example/?key=[redacted]", &[]),
            ("https://a.example/?monkey=example.com&token=", "https://a.example/?monkey=example.com&token=", &[]),
            ("/callback#access_token=0123456789&state=x", "/callback#access_token=[redacted]&state=x", &["0123456789"]),
            ("/a;token=0123456789/b?c=d", "/a;token=[redacted]?c=d", &["0123456789/b"]),
            (
                "https://user:p%40ssword1@a.example/x@y",
                "https://[redacted]@a.example/x@y",
                &["p@ssword1", "p%40ssword1"],
            ),
            ("//0123456789@a.example:8443", "//[redacted]@a.example:8443", &["0123456789"]),
            ("https://a.example/x?to=//b@c", "https://a.example/x?to=[redacted]", &[]),
            (
                "https://a.example/login?next=https%3A%2F%2Fb.example%2F%3Ftoken%3D0123456789&a=b",
                "https://a.example/login?next=[redacted]&a=b",
                &["0123456789"],
            ),
            (
                "https://a.example/login?next=https%3A%2F%2Fb.example%2F%3Fa%3Db",
                "https://a.example/login?next=https%3A%2F%2Fb.example%2F%3Fa%3Db",
                &[],
            ),
            ("https://a.example/?token=012345678;9012?34&a", "https://a.example/?token=[redacted];?&a", &["012345678"]),
            ("", "", &[]),
            ("?", "?", &[]),
            ("https://ä.example/?ö=ü&token=ä", "https://ä.example/?ö=ü&token=[redacted]", &[]),
        ] {
            let mut found = Learned::default();
            assert_eq!(found.url(url), expected);
            let found = found.values().expect("a few");
            assert_eq!(found, learned.iter().copied().collect(), "{url}");
        }
    }

    #[test]
    fn links_and_places_are_looked_into() {
        let mut learned = Learned::default();
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers = [
            field("link", "<https://a.example/?page=2&token=0123456789,x>; rel=\"next\", </b?sig=a>; rel=last"),
            field("link", "<https://a.example/?token=abc"),
            field("location", "/x?code=1234"),
            field("server", "nginx?token=x"),
        ];
        learned.close(&mut headers);
        let values: Vec<&str> = headers.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(
            values,
            [
                "<https://a.example/?page=2&token=[redacted]>; rel=\"next\", </b?sig=[redacted]>; rel=last",
                "<https://a.example/?token=[redacted]",
                "/x?code=[redacted]",
                "nginx?token=x",
            ]
        );
        assert_eq!(learned.values().expect("one"), BTreeSet::from(["0123456789,x"]));
    }
}
