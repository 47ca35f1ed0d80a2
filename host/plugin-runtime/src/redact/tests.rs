use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use proptest::prelude::*;

use super::*;

const TOKEN: &str = "tök/en+with=odd \"chars\"~";

#[test]
fn secrets_go_in_every_spelling_of_a_request() {
    let redactor = Redactor::new([TOKEN]);
    let form: String = url::form_urlencoded::byte_serialize(TOKEN.as_bytes()).collect();
    for text in [
        format!("Bearer {TOKEN}!"),
        format!("/x?key={form}&y"),
        format!("/x?key={}", percent(TOKEN, false)),
        format!("/x?key={}", percent(TOKEN, true)),
        format!("{:?}", format!("key {TOKEN}")),
        TOKEN.bytes().map(|byte| format!("{byte:02x}")).collect(),
        TOKEN.bytes().map(|byte| format!("{byte:02X}")).collect(),
        format!("Basic {}", BASE64_STANDARD.encode(TOKEN)),
        format!("Basic {}", BASE64_STANDARD.encode(format!("user:{TOKEN}"))),
        format!("Basic {}", BASE64_STANDARD.encode(format!("users:{TOKEN}"))),
        format!("Basic {}", BASE64_URL_SAFE.encode(format!("userss:{TOKEN}:more"))),
    ] {
        let clean = redactor.redact(&text);
        assert!(clean.contains(MARK), "{text} became {clean}");
        assert!(redactor.finds(&text));
        for part in ["tök", "odd", "chars", "dG9rZW4", "6f6464"] {
            assert!(!clean.contains(part), "{text} became {clean}");
        }
    }
}

#[test]
fn short_values_and_other_text_stay() {
    let redactor = Redactor::new(["true", "12345", "", "  x  "]);
    assert_eq!(redactor.redact("true 12345 x"), "true 12345 x");
    assert!(!redactor.finds("12345"));
    assert_eq!(Redactor::new(["123456"]).redact("a 1234567 b"), "a [redacted]7 b");
}

#[test]
fn the_lines_of_a_key_file_are_secrets_of_their_own() {
    let redactor = Redactor::new(["-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n"]);
    assert_eq!(redactor.redact("got MIIEvQIBADANBg and kqhkiG9w0BAQEF"), "got [redacted] and [redacted]");
}

#[test]
fn a_secret_across_the_limit_leaves_nothing_behind() {
    let redactor = Redactor::new(["supersecret"]);
    assert_eq!(redactor.redact_start("ab supersecret cd", 8), "ab [redacted]");
    assert_eq!(redactor.redact_start("ab supersecret cd", 3), "ab ");
    assert_eq!(redactor.redact_start("ü supersecret", 1), "");
}

proptest! {
    #[test]
    fn what_was_a_secret_is_never_left(secret in "[ -~]{6,40}", before in "[ -~]{0,12}", after in "[ -~]{0,12}") {
        let redactor = Redactor::new([secret.as_str()]);
        let encoded = BASE64_STANDARD.encode(format!("{before}{secret}{after}"));
        for text in [format!("{before}{secret}{after}"), percent(&format!("{before}{secret}{after}"), false), encoded] {
            let clean = redactor.redact(&text).into_owned();
            prop_assert!(clean.contains(MARK) || secret.len() < 8, "{}", clean);
            prop_assert!(!clean.contains(&secret) || MARK.contains(&secret), "{}", clean);
        }
    }
}
