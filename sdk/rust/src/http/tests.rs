use serde_json::json;

use super::*;
use crate::ErrorKind;
use crate::testing::MockApi;

fn client() -> Client {
    Client::new("https://api.example.com/v1/").unwrap().bearer("t0ken")
}

#[test]
fn base_urls_are_read_strictly() {
    let origin = |tls, authority: &str, path: &str| Origin { tls, authority: authority.into(), path: path.into() };
    assert_eq!(Origin::parse("https://a.example/").unwrap(), origin(true, "a.example", ""));
    assert_eq!(Origin::parse("HTTP://127.0.0.1:81/x/y/").unwrap(), origin(false, "127.0.0.1:81", "/x/y"));
    for bad in ["a.example", "ftp://a", "https://", "https://u:p@a", "https://a?x=1", "https://a/#f", "https://a b/"] {
        assert_eq!(Origin::parse(bad).unwrap_err().kind(), ErrorKind::Config, "{bad}");
    }
}

#[test]
fn paths_and_queries_are_joined_and_encoded() {
    let api = MockApi::new();
    api.expect("GET", "https://api.example.com/v1/zones/a%2Fb?name=x%20%26%C3%A9&page=2")
        .header("authorization", "Bearer t0ken")
        .header("accept", "application/json")
        .answer(200, "{}");
    let path = format!("zones/{}", segment("a/b"));
    client().get(&path).query("name", "x &é").query("page", "2").send().unwrap();
}

#[test]
fn json_and_forms_carry_type_and_length() {
    let api = MockApi::new();
    api.expect("POST", "https://api.example.com/v1/records")
        .header("content-type", "application/json")
        .header("content-length", "7")
        .json(json!({"a": 1}))
        .answer(201, r#"{"id": 5}"#);
    api.expect("PUT", "https://api.example.com/v1/records")
        .header("content-type", "application/x-www-form-urlencoded")
        .containing("a=1&b=x%2By")
        .answer(204, "");
    let created: serde_json::Value = client().post("/records").json(&json!({"a": 1})).send().unwrap().json().unwrap();
    assert_eq!(created["id"], 5);
    client().put("records").form([("a", "1"), ("b", "x+y")]).send().unwrap();
}

#[test]
fn refusals_become_errors_with_the_vendors_words() {
    let api = MockApi::new();
    api.expect("GET", "https://api.example.com/v1/a?secret=s").answer(403, "no\nway");
    api.expect("GET", "https://api.example.com/v1/b").answer_with(429, &[("Retry-After", "17")], "");
    api.expect("DELETE", "https://api.example.com/v1/c").answer(404, "gone");
    api.expect("GET", "https://api.example.com/v1/d").answer(200, "<html>");
    let refused = client().get("a").query("secret", "s").send().err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Unauthorized);
    assert_eq!(refused.message(), "GET api.example.com/v1/a answered 403: no way");
    let limited = client().get("b").send().err().unwrap();
    assert_eq!((limited.kind(), limited.retry_after_seconds()), (ErrorKind::RateLimited, Some(17)));
    assert_eq!(client().delete("c").accept(404).send().unwrap().status(), 404);
    let broken = client().get("d").send().unwrap().json::<serde_json::Value>().unwrap_err();
    assert_eq!(broken.kind(), ErrorKind::Unavailable);
}

#[test]
fn a_line_break_in_a_token_is_the_operators_to_mend() {
    let _api = MockApi::new();
    let error = Client::new("https://a.example").unwrap().bearer("x\r\ny: z").get("").send().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!error.message().contains("y: z"), "{error}");
}

#[test]
fn credentials_are_not_shown() {
    assert!(!format!("{:?}", client()).contains("t0ken"));
}

#[test]
fn a_signer_sees_the_finished_request_and_adds_to_it() {
    let api = MockApi::new();
    api.expect("POST", "https://api.example.com/v1/a%2Fb?x=1&sig=7%2B")
        .header("x-signed", "POST https://api.example.com/v1/a%2Fb?x=1 api.example.com /v1/a%2Fb x=1 {} Some(\"2\")")
        .answer(200, "");
    let signed = client().sign_with(|request| {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let length = request.header("content-length").map(str::to_owned);
        let (method, url, authority) = (request.method(), request.url(), request.authority());
        let value = format!("{method} {url} {authority} {} {} {body} {length:?}", request.path(), request.query());
        request.set_header("X-Signed", "replaced");
        request.set_header("X-Signed", &value);
        request.push_query("sig", "7+");
        Ok(())
    });
    signed.post("a%2Fb").query("x", "1").json(&json!({})).send().unwrap();
    let refusing = client().sign_with(|_| Err(Error::config("no key")));
    assert_eq!(refusing.get("x").send().err().unwrap().message(), "no key");
}

#[test]
fn a_judge_sees_every_answer_that_is_not_accepted() {
    let api = MockApi::new();
    for _ in 0..2 {
        api.expect("GET", "https://api.example.com/v1/a").answer(200, r#"{"status": "error"}"#);
    }
    api.expect("GET", "https://api.example.com/v1/b").answer(404, "");
    api.expect("GET", "https://api.example.com/v1/c").answer(302, r#"{"status": "ok"}"#);
    let judged = client().judge_with(|response| match response.json_at::<String>("/status")?.as_str() {
        "ok" => Ok(()),
        _ => Err(Error::rejected("it said no")),
    });
    assert_eq!(judged.get("a").send().err().unwrap().message(), "it said no");
    assert_eq!(judged.get("a").send_any().unwrap().status(), 200);
    assert_eq!(judged.get("b").accept(404).send().unwrap().status(), 404);
    assert_eq!(judged.get("c").send().unwrap().status(), 302);
}

#[test]
fn parts_of_an_answer_are_read_by_their_pointers() {
    let api = MockApi::new();
    api.expect("GET", "https://api.example.com/v1/a").answer(200, r#"{"a": {"b/c": [{"d": 5}]}, "e": null}"#);
    api.expect("GET", "https://api.example.com/v1/b").answer(200, "<html>");
    let answer = client().get("a").send().unwrap();
    assert_eq!(answer.json_at::<u32>("/a/b~1c/0/d").unwrap(), 5);
    assert_eq!(answer.json_at::<serde_json::Value>("").unwrap()["a"]["b/c"][0]["d"], 5);
    assert_eq!(answer.json_at::<Option<u32>>("/e").unwrap(), None);
    assert_eq!(answer.json_at::<Option<u32>>("/a/f").unwrap(), None);
    let error = answer.json_at::<u32>("/a/f").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        error.message().starts_with("GET api.example.com/v1/a answered 200 with unexpected JSON at /a/f: "),
        "{error}"
    );
    let broken = client().get("b").send().unwrap().json_at::<Option<u32>>("/a").unwrap_err();
    assert_eq!(broken.kind(), ErrorKind::Unavailable);
}
