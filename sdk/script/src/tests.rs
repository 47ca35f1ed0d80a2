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

/// The names of what is missing.
fn lacking(script: &Script, two_values: bool) -> Vec<String> {
    let names = script.missing(two_values).into_iter().map(|lack| lack.split(" (").next().unwrap().to_owned());
    names.collect()
}

fn present(value: &str) -> Value {
    json!({"call": "present", "record": {"zone": "a.example", "name": "n.a.example", "value": value}})
}

fn cleanup(value: &str, handle: &str) -> Value {
    let record = json!({"zone": "a.example", "name": "n.a.example", "value": value});
    json!({"call": "cleanup", "record": record, "with_handle": handle})
}

fn with(mut step: Value, field: &str, value: Value) -> Value {
    step[field] = value;
    step
}

fn asked(request: Value, answer: Value) -> Value {
    let request = json!({"method": "POST", "url": "https://a.example/", "json": request});
    json!([{"request": request, "response": {"status": 200, "json": answer}}])
}

/// Whether a scenario with these steps shows what its name says.
fn shows(name: &str, steps: &[Value]) -> bool {
    let scenarios = json!({"scenarios": [{"name": name, "steps": steps}]});
    let parsed = Script::parse(&script(scenarios).to_string()).unwrap();
    !lacking(&parsed, true).contains(&name.to_owned())
}

#[test]
fn a_required_scenario_shows_what_its_name_says() {
    for name in REQUIRED {
        assert!(!shows(name, &[]), "{name}");
        assert!(!shows(name, &[json!({"call": "check"}), present("v")]), "{name}");
    }
    let refused = json!({"kind": "conflict"});
    assert!(shows("happy path", &[present("v"), cleanup("v", "7")]));
    assert!(!shows("happy path", &[cleanup("v", "7"), present("v")]));
    assert!(!shows("happy path", &[present("v"), cleanup("w", "7")]));
    assert!(!shows("happy path", &[with(present("v"), "error", refused.clone()), cleanup("v", "7")]));

    assert!(shows("two values", &[present("v"), present("w")]));
    assert!(!shows("two values", &[present("v"), present("v")]));
    assert!(!shows("two values", &[present("v"), with(present("w"), "error", refused.clone())]));
    let elsewhere = json!({"zone": "a.example", "name": "m.a.example", "value": "w"});
    assert!(!shows("two values", &[present("v"), with(present("w"), "record", elsewhere)]));

    assert!(shows("repeat", &[present("v"), present("v")]));
    assert!(!shows("repeat", &[present("v"), present("w")]));
    assert!(!shows("repeat", &[with(present("v"), "error", refused.clone()), present("v")]));
    assert!(shows("repeat", &[with(present("v-1"), "exchanges", asked(json!({}), json!(["\"v-1\""])))]));
    assert!(!shows("repeat", &[with(present("v-1"), "exchanges", asked(json!(["v-1"]), json!(["v-1"])))]));

    assert!(shows("cleanup by value", &[cleanup("v", "")]));
    assert!(!shows("cleanup by value", &[cleanup("v", "7")]));
    assert!(!shows("cleanup by value", &[with(cleanup("v", ""), "error", refused)]));
    // A handle that is left out is that of the value's `present`, or empty.
    assert!(shows("cleanup by value", &[with(cleanup("v", ""), "with_handle", Value::Null)]));
    assert!(!shows("cleanup by value", &[present("v"), with(cleanup("v", ""), "with_handle", Value::Null)]));
}

#[test]
fn a_status_that_no_server_sends_is_refused_with_its_place() {
    for (status, is_good) in
        [(99, false), (100, false), (199, false), (200, true), (599, true), (600, false), (70_000, false), (-1, false)]
    {
        let text = format!(
            "{{\"environment\": {{}}, \"scenarios\": [], \"refusals\": [\n{{\"name\": \"a\", \"response\": {{\"status\": \
             {status}}}, \"error\": {{\"kind\": \"other\"}}}}]}}"
        );
        let parsed = Script::parse(&text);
        assert_eq!(parsed.is_ok(), is_good, "{status}");
        let problem = parsed.err().unwrap_or_default();
        let expected = format!("a status is a number from 200 to 599, not {status} at line 2 column ");
        assert!(is_good || problem.starts_with(&expected), "{problem}");
    }
}

#[test]
fn header_fields_that_no_server_sends_are_refused() {
    for (name, value, is_good) in
        [("x-a", "b c", true), ("x-a", "b\r\nx: y", false), ("x a", "b", false), ("", "b", false), ("ä", "b", false)]
    {
        let answer = json!({"status": 200, "headers": {name: value}});
        let refusal = json!({"name": "a", "response": answer, "error": {"kind": "other"}});
        let parsed = Script::parse(&script(json!({"refusals": [refusal]})).to_string());
        assert_eq!(parsed.is_ok(), is_good, "{name:?}: {value:?}");
        assert!(is_good || parsed.unwrap_err().contains("header field"));
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    let present = |key: &str, value: Value| with(present("v"), key, value);
    let exchange = |request: Value, response: Value| json!([{"request": request, "response": response}]);
    let get = json!({"method": "GET", "url": "https://a.example/"});
    for (step, expected) in [
        (present("ready", json!(true)), "a call of `present` has no `ready`"),
        (present("with_handle", json!("7")), "a call of `present` has no `with_handle`"),
        (with(cleanup("v", "7"), "handle", json!("7")), "a call of `cleanup` has no `handle`"),
        (present("error", json!({"kind": "boo"})), "no kind of error \"boo\"; there are config, "),
        (present("error", json!({"kind": "refused"})), "no kind of error \"refused\""),
        (
            present("exchanges", exchange(get.clone(), json!({"status": 200, "json": {}, "body": "x"}))),
            "has one body: `json` or `body`",
        ),
        (
            present("exchanges", exchange(get.clone(), json!({"status": 204, "body": "x"}))),
            "a status that comes without a body",
        ),
        (
            present("exchanges", exchange(json!({"method": "GET\r\nX", "url": "https://a/"}), json!({"status": 200}))),
            "control character in `method`",
        ),
    ] {
        let problem = Script::parse(&script(json!({"scenarios": [{"name": "a", "steps": [step]}]})).to_string());
        let problem = problem.unwrap_err();
        assert!(problem.starts_with("\"a\": ") && problem.contains(expected), "{problem}");
    }
    let refusal = |name: &str, response: Value| json!({"name": name, "response": response, "error": {"kind": "other"}});
    for (refusals, expected) in [
        (json!([refusal("a", json!({}))]), "refusal \"a\": the response has no `status`"),
        (json!([refusal("", json!({"status": 500}))]), "names of their own"),
        (json!([refusal("a", json!({"status": 500})), refusal("a", json!({"status": 501}))]), "names of their own"),
    ] {
        let problem = Script::parse(&script(json!({"refusals": refusals})).to_string()).unwrap_err();
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn a_list_is_no_script() {
    for text in ["[]", "[{}, [], []]", "", "7"] {
        let problem = Script::parse(text).unwrap_err();
        assert!(problem.contains("one JSON object"), "{text}: {problem}");
    }
}

#[test]
fn a_script_says_what_it_lacks() {
    let parsed = Script::parse(&script(json!({})).to_string()).unwrap();
    assert_eq!(lacking(&parsed, true), REQUIRED);
    assert_eq!(lacking(&parsed, false), ["happy path", "repeat", "cleanup by value"]);
    assert!(parsed.missing(true).iter().all(|lack| lack.contains("(it is not there; it needs ")));
    let unknown = Script::parse(&script(json!({"scenario": []})).to_string()).unwrap_err();
    assert!(unknown.contains("unknown field `scenario`"), "{unknown}");
    let bare = json!({"scenarios": [{"name": "a", "steps": [{"call": "present"}]}]});
    assert!(Script::parse(&script(bare).to_string()).unwrap_err().contains("has a `record`"));
    let twice = json!({"scenarios": [{"name": "a", "steps": []}, {"name": "a", "steps": []}]});
    assert!(Script::parse(&script(twice).to_string()).unwrap_err().contains("two scenarios"));
}

#[test]
fn messages_to_name_servers_have_answers_of_their_kind() {
    let parse = |url: &str, answer: Value| {
        let exchange = json!({"request": {"method": "QUERY", "url": url}, "response": answer});
        let step = with(present("v"), "exchanges", json!([exchange]));
        Script::parse(&script(json!({"scenarios": [{"name": "a", "steps": [step]}]})).to_string())
    };
    let soa = "a.example. 60 IN SOA ns.a.example. m.a.example. 1 2 3 4 5";
    let good = parse("dns://ns.a.example/a.example?type=SOA", json!({"rcode": "NOERROR", "records": [soa]})).unwrap();
    assert!(good.speaks_dns());
    assert_eq!(good.all_refusals().iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["REFUSED", "SERVFAIL"]);
    assert!(!parse("https://a.example/", json!({"status": 200})).unwrap().speaks_dns());
    for (url, answer, words) in [
        ("dns://ns.a.example/", json!({"status": 200}), "has an `rcode`"),
        ("dns://ns.a.example/", json!({"rcode": "noerror"}), "unknown variant"),
        ("https://a.example/", json!({"rcode": "REFUSED"}), "is no name server"),
        ("https://a.example/", json!({}), "has no `status`"),
        ("dns://ns.a.example/", json!({"rcode": "NOERROR", "records": ["a.example. 60 IN"]}), "a part is missing"),
        ("dns://ns.a.example/", json!({"rcode": "NOERROR", "records": ["a.example. 60 CH TXT x"]}), "the class is IN"),
        ("dns://ns.a.example/", json!({"rcode": "NOERROR", "records": ["a.example. 60 IN CAA x"]}), "is no record"),
    ] {
        let error = parse(url, answer).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
    for (server, host) in [
        ("NS.example.com", "ns.example.com"),
        ("ns.example.com.:5353", "ns.example.com"),
        ("192.0.2.1:53", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:53", "[2001:db8::1]"),
    ] {
        assert_eq!(name_server_of(server), host);
    }
}

#[test]
fn a_script_of_a_hook_shows_both_answers() {
    let review = |error: Value| {
        let step = json!({"call": "review", "order": {"domains": ["a.example"]}});
        if error.is_null() { step } else { with(step, "error", json!({ "kind": error })) }
    };
    let parse =
        |steps: Value| Script::parse(&script(json!({"scenarios": [{"name": "a", "steps": steps}]})).to_string());
    let whole = parse(json!([review(Value::Null), review(json!("refused"))])).unwrap();
    assert!(whole.is_of_a_hook() && whole.missing_of_a_hook().is_empty());
    assert_eq!(whole.scenarios[0].steps[0].order.as_ref().unwrap().challenge, Challenge::Dns);
    assert!(whole.all_refusals().iter().all(|one| one.error.kind == "failed" && one.error.retry_after.is_none()));
    let lacks = |steps: Value, what: &str| {
        let missing = parse(steps).unwrap().missing_of_a_hook();
        assert!(missing.len() == 1 && missing[0].contains(what), "{missing:?}");
    };
    lacks(json!([review(Value::Null), review(json!("failed"))]), "is refused");
    lacks(json!([review(json!("refused"))]), "is allowed");
    // An API in trouble is tried where one was asked.
    assert!(whole.sample_order().is_none());
    let asked = with(review(Value::Null), "exchanges", asked(json!({}), json!({})));
    assert!(parse(json!([asked])).unwrap().sample_order().is_some());

    let error = parse(json!([review(Value::Null), present("v")])).unwrap_err();
    assert!(error.contains("`present` one of DNS providers"), "{error}");
    let error = parse(json!([{"call": "review"}])).unwrap_err();
    assert!(error.contains("has an `order`"), "{error}");
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
