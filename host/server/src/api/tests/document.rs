//! The OpenAPI document and its pages.

use std::collections::BTreeSet;

use super::*;

#[test]
fn the_document_is_what_it_was() {
    let mut document = serde_json::to_value(document()).expect("a document");
    document["info"]["version"] = "[version]".into();
    insta::assert_snapshot!("openapi", serde_json::to_string_pretty(&document).expect("JSON"));
}

#[tokio::test]
async fn the_document_is_served() {
    let fixture = Fixture::new().await;
    let answer = fixture.send(plain("GET", "/swagger/doc.json")).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json(), serde_json::to_value(document()).expect("a document"));
    assert_eq!(answer.json()["openapi"], "3.1.0");
    assert_eq!(answer.json()["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn the_pages_load_nothing_from_elsewhere() {
    let fixture = Fixture::new().await;
    let moved = fixture.send(plain("GET", "/swagger")).await;
    assert!(moved.status.is_redirection());
    assert_eq!(moved.header("location"), "/swagger/");
    for path in ["/swagger/", "/swagger/index.html"] {
        let page = fixture.send(plain("GET", path)).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(!page.text().contains("https://") && !page.text().contains("http://"), "{}", page.text());
    }
    let settings = fixture.send(plain("GET", "/swagger/swagger-initializer.js")).await.text();
    assert!(settings.contains("/swagger/doc.json") && settings.contains(r#""validatorUrl": "none""#), "{settings}");
}

#[test]
fn every_operation_names_its_errors_and_an_id_of_its_own() {
    let document = serde_json::to_value(document()).expect("a document");
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            assert!(ids.insert(operation["operationId"].as_str().expect("an id").to_owned()), "{method} {path}");
            let secured = operation["security"].is_array();
            let responses = operation["responses"].as_object().expect("responses");
            if secured {
                for status in ["400", "401", "500", "503", "504"] {
                    assert!(responses.contains_key(status), "{method} {path} {status}");
                }
            }
            for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "400") {
                let content = &response["content"]["application/json"];
                assert_eq!(content["schema"]["$ref"], "#/components/schemas/ErrorBody", "{method} {path} {status}");
                let code = content["example"]["code"].as_str().expect("an example");
                let known = Code::ALL.into_iter().find(|known| known.as_str() == code).expect("a known code");
                assert_eq!(known.status().as_str(), status, "{method} {path}");
                assert!(response["description"].as_str().is_some_and(|text| text.contains("Codes: `")));
            }
        }
    }
}

#[test]
fn every_code_is_described_where_it_can_be_met() {
    let text = document().to_json().expect("JSON");
    for code in Code::ALL {
        let generic = matches!(code, Code::PathNotFound | Code::MethodNotAllowed);
        assert_eq!(text.contains(&format!("`{}`", code.as_str())), !generic, "{}", code.as_str());
    }
}
