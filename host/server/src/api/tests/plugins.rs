//! The list of plugins.

use super::*;
use crate::challenges::providers::ProviderEntry;
use crate::telemetry::plugins::{PluginCall, PluginCosts};

#[tokio::test]
async fn plugins_are_listed_with_their_state_and_calls() {
    let fixture = Fixture::new().await;
    let broken = ProviderEntry::unusable("there is no file /x.wasm".to_owned());
    assert!(broken.get().await.is_err());
    let idle = ProviderEntry::unusable(String::new());
    let entries = [("broken", broken), ("idle", idle)];
    let entries = entries.into_iter().map(|(name, entry)| (name.parse().expect("a name"), entry)).collect();
    fixture.state.certificates.providers().swap(entries);
    fixture.state.metrics.plugins().called(&PluginCall {
        plugin: "idle",
        operation: "present",
        outcome: "refused",
        error: Some("unauthorized"),
        seconds: 0.25,
        costs: PluginCosts { fuel: 7, requests: 2, ..PluginCosts::default() },
        is_suspended: false,
    });
    let with_key = request("GET", "/api/v1/plugins").header("x-api-key", API_KEY);
    let answer = fixture.send(with_key.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.status, StatusCode::OK);
    let list = answer.json();
    assert_eq!(list[0]["name"], "broken");
    assert_eq!((&list[0]["state"], &list[0]["reason"]), (&json!("unusable"), &json!("there is no file /x.wasm")));
    assert_eq!((&list[1]["state"], &list[1]["version"]), (&json!("unloaded"), &Value::Null));
    let present = &list[1]["operations"]["present"];
    assert_eq!(present["errors"], json!({ "unauthorized": 1 }));
    assert_eq!((&present["calls"], &present["fuel"], &present["requests"]), (&json!(1), &json!(7), &json!(2)));
    assert!(list[0]["operations"].as_object().is_some_and(serde_json::Map::is_empty));
}

#[tokio::test]
async fn plugins_are_shown_to_the_key_alone() {
    let fixture = Fixture::new().await;
    fixture.send(plain("GET", "/api/v1/plugins")).await.fails(Code::Unauthorized);
    let bearer = request("GET", "/api/v1/plugins").header("authorization", format!("Bearer {}", fixture.web));
    fixture.send(bearer.body(Body::empty()).expect("a request")).await.fails(Code::Unauthorized);
}
