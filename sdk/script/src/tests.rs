use serde_json::json;

use super::*;

#[test]
fn a_star_stands_for_any_run_of_characters() {
    for (pattern, text, expected) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a*", "a", true),
        ("a*c", "abc", true),
        ("a*c", "ac", true),
        ("a*c", "acb", false),
        ("*", "", true),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c-c", false),
        ("ab*ba", "aba", false),
        ("*a*", "bab", true),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}

fn script(extra: Value) -> Value {
    let mut script = json!({"environment": {"TOKEN": "t", "REGION": "eu"}, "scenarios": []});
    script.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    script
}

#[test]
fn a_script_says_what_it_lacks() {
    let parsed = Script::parse(&script(json!({})).to_string()).unwrap();
    assert_eq!(parsed.missing(true), REQUIRED);
    assert_eq!(parsed.missing(false), ["happy path", "repeat", "cleanup by value"]);
    let unknown = Script::parse(&script(json!({"scenario": []})).to_string()).unwrap_err();
    assert!(unknown.contains("unknown field `scenario`"), "{unknown}");
    let bare = json!({"scenarios": [{"name": "a", "steps": [{"call": "present"}]}]});
    assert!(Script::parse(&script(bare).to_string()).unwrap_err().contains("needs a record"));
    let twice = json!({"scenarios": [{"name": "a", "steps": []}, {"name": "a", "steps": []}]});
    assert!(Script::parse(&script(twice).to_string()).unwrap_err().contains("two scenarios"));
}

#[test]
fn a_scenario_can_unset_and_replace_variables() {
    let scenarios = json!({"scenarios": [{"name": "a", "environment": {"TOKEN": "", "REGION": "us"}, "steps": []}]});
    let parsed = Script::parse(&script(scenarios).to_string()).unwrap();
    let environment = parsed.environment_of(&parsed.scenarios[0]);
    assert_eq!(environment.into_iter().collect::<Vec<_>>(), [("REGION".to_owned(), "us".to_owned())]);
}

#[test]
fn a_refusal_of_the_script_replaces_the_default() {
    let refusals = json!({"refusals": [{"name": "401", "response": {"status": 200, "body": "KO"},
        "error": {"kind": "unauthorized"}}]});
    let parsed = Script::parse(&script(refusals).to_string()).unwrap();
    let all = parsed.all_refusals();
    assert_eq!(all.iter().map(|refusal| refusal.name.as_str()).collect::<Vec<_>>(), ["429", "500", "401"]);
    assert_eq!(all[2].response.bytes(), b"KO");
}

#[test]
fn differences_are_told() {
    let expected: ExpectedRequest = serde_json::from_value(json!({
        "method": "POST", "url": "https://api.example.com/records?sig=*", "headers": {"authorization": "Bearer t"},
        "json": {"a": 1}
    }))
    .unwrap();
    let headers = [("authorization".to_owned(), "Bearer t".to_owned())];
    let good = Sent {
        method: "POST",
        url: "https://api.example.com/records?sig=abc",
        headers: &headers,
        body: b"{ \"a\": 1 }",
    };
    assert_eq!(expected.difference(&good), None);
    assert!(expected.difference(&Sent { method: "PUT", ..good }).is_some());
    assert!(expected.difference(&Sent { url: "https://api.example.com/", ..good }).is_some());
    assert!(expected.difference(&Sent { headers: &[], ..good }).is_some());
    assert!(expected.difference(&Sent { body: b"{}", ..good }).is_some());

    let error = ExpectedError { kind: "conflict".into(), contains: Some("busy".into()), retry_after: Some(3) };
    assert_eq!(error.difference("conflict", "is busy", Some(3)), None);
    assert!(error.difference("other", "is busy", Some(3)).is_some());
    assert!(error.difference("conflict", "is idle", Some(3)).is_some());
    assert!(error.difference("conflict", "is busy", None).is_some());
}
