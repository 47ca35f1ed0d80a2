use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::{dns, http};

const NAME: &str = "_acme-challenge.www.example.test";

async fn call(mock: &CloudflareMock, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
    let mut request = http::client().request(method, format!("{}{path}", mock.base_url)).bearer_auth("t0ken");
    if let Some(body) = body {
        request = request.json(&body);
    }
    http::exchange(request).await.unwrap()
}

fn record(content: &str) -> Value {
    json!({"type": "TXT", "name": NAME, "content": content, "ttl": 120, "comment": "acme-manager"})
}

#[tokio::test]
async fn a_record_lives_and_is_published() {
    let dns = ChallTestSrv::start().await.unwrap();
    let mock = CloudflareMock::start("example.test", "t0ken").await.unwrap();
    mock.publish_to(&dns);
    let (_, zones) = call(&mock, Method::GET, "/zones?name=example.test", None).await;
    assert_eq!(zones["result"][0]["id"], mock.zone_id.as_str());
    let (_, none) = call(&mock, Method::GET, "/zones?name=www.example.test", None).await;
    assert_eq!(none["result_info"]["total_count"], 0);
    let records = format!("/zones/{}/dns_records", mock.zone_id);
    let (status, made) = call(&mock, Method::POST, &records, Some(record("\"one\""))).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(dns::txt(dns.dns, NAME).await.unwrap(), ["one"]);
    let (status, again) = call(&mock, Method::POST, &records, Some(record("one"))).await;
    assert_eq!((status, &again["errors"][0]["code"]), (StatusCode::BAD_REQUEST, &json!(81058)));
    let (_, found) = call(&mock, Method::GET, &format!("{records}?type=TXT&name={NAME}&per_page=100"), None).await;
    assert_eq!(found["result"][0]["id"], made["result"]["id"]);
    let path = format!("{records}/{}", made["result"]["id"].as_str().unwrap());
    let (_, gone) = call(&mock, Method::DELETE, &path, None).await;
    assert_eq!(gone["result"]["id"], made["result"]["id"]);
    assert_eq!(call(&mock, Method::DELETE, &path, None).await.0, StatusCode::NOT_FOUND);
    assert!(dns::txt(dns.dns, NAME).await.unwrap().is_empty());
    mock.assert_clean();
}

#[tokio::test]
async fn what_the_documentation_forbids_is_noted() {
    let mock = CloudflareMock::start("example.test", "t0ken").await.unwrap();
    let records = format!("/zones/{}/dns_records", mock.zone_id);
    let mut bad = record("one");
    bad["ttl"] = json!(30);
    bad["tTl"] = json!(120);
    bad["name"] = json!("_acme-challenge");
    call(&mock, Method::POST, &records, Some(bad)).await;
    call(&mock, Method::GET, "/zones?per_page=500", None).await;
    call(&mock, Method::GET, "/zones/none/dns_records", None).await;
    let url = format!("{}{records}", mock.base_url);
    http::client().post(&url).bearer_auth("t0ken").body("{}").send().await.unwrap();
    assert_eq!(http::client().get(&url).send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    let violations = mock.violations().join("\n");
    for text in
        ["ttl 30", "`tTl`", "not a full name", "per_page=500", "no such endpoint", "content type", "no credentials"]
    {
        assert!(violations.contains(text), "{text:?} is missing in:\n{violations}");
    }
}

#[tokio::test]
async fn credentials_are_checked() {
    let mock = CloudflareMock::start_with_global_key("example.test", "a@example.test", "k3y").await.unwrap();
    let zones = format!("{}/zones", mock.base_url);
    let with_key =
        |key: &str| http::client().get(&zones).header("X-Auth-Email", "a@example.test").header("X-Auth-Key", key);
    assert_eq!(with_key("k3y").send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(with_key("no").send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(http::client().get(&zones).bearer_auth("k3y").send().await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn faults_come_in_turn() {
    let mock = CloudflareMock::start("example.test", "t0ken").await.unwrap();
    let faults =
        [Fault::Unauthorized, Fault::RateLimited { retry_after_seconds: 7 }, Fault::ServerError, Fault::AnswerLost];
    faults.into_iter().for_each(|fault| mock.fail_next(fault));
    let zones = format!("{}/zones", mock.base_url);
    let send = || http::client().get(&zones).bearer_auth("t0ken").timeout(Duration::from_millis(500)).send();
    assert_eq!(send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let limited = send().await.unwrap();
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!(send().await.unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(send().await.unwrap_err().is_timeout());
    assert_eq!(send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(mock.requests().len(), 5);
}
