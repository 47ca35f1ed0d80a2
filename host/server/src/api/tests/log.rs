//! What requests leave in the log: enough to know who did what, and nothing that opens a door.

use std::io::Write;

use tracing_subscriber::fmt::MakeWriter;

use super::*;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic while writing").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic while writing").clone()).expect("UTF-8")
    }

    /// The one line that holds all of these.
    fn line(&self, parts: &[&str]) -> String {
        let text = self.text();
        let found: Vec<&str> = text.lines().filter(|line| parts.iter().all(|part| line.contains(part))).collect();
        assert_eq!(found.len(), 1, "{parts:?} in {text}");
        found[0].to_owned()
    }
}

/// Collects every line of this thread while the guard lives.
fn collect() -> (Lines, tracing::subscriber::DefaultGuard) {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .finish();
    (lines, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn a_request_leaves_one_line_with_its_id_owner_and_peer() {
    let fixture = Fixture::new().await;
    let (lines, _guard) = collect();
    let mut request = request("GET", "/api/v1/certificate/shop?secret=query")
        .header("authorization", format!("Bearer {}", fixture.web))
        .header("x-request-id", "my-id")
        .header("x-real-ip", "203.0.113.9")
        .body(Body::empty())
        .expect("a request");
    let peer: std::net::SocketAddr = "192.0.2.7:4711".parse().expect("an address");
    request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
    let answer = fixture.send(request).await;
    let line = lines.line(&["access: ", "my-id"]);
    for part in [
        "request_id=\"my-id\"",
        "method=\"GET\"",
        "route=\"/api/v1/certificate/{name}\"",
        "path=\"/api/v1/certificate/shop\"",
        "status_code=200",
        "owner=\"web\"",
        "duration=",
        "client_ip=\"192.0.2.7\"",
        &format!("length={}", answer.body.len()),
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    for secret in [fixture.web.as_str(), "query", "PEM of", "203.0.113.9"] {
        assert!(!lines.text().contains(secret), "{secret} is in {}", lines.text());
    }
}

#[tokio::test]
async fn every_mutation_leaves_an_audit_line_with_its_outcome() {
    let fixture = Fixture::new().await;
    let (lines, _guard) = collect();
    let new = json!({ "domain": "new.example.com", "issuer": "le" });
    fixture.web("POST", "/api/v1/certificate", new.clone()).await.fails(Code::IssuerUnusable);
    fixture.web("PUT", "/api/v1/certificate", new).await.fails(Code::CertificateNotFound);
    fixture.web("DELETE", "/api/v1/certificate/shop", Value::Null).await;
    fixture.web("DELETE", "/api/v1/certificate/none?revoke=true", Value::Null).await;
    let made = fixture.admin("POST", "/api/v1/token", json!({ "username": "ops", "scope": ["read"] })).await.json();
    let id = made["id"].as_str().expect("an id");
    let again = json!({ "id": id, "username": "ops", "scope": ["read"] });
    let replaced = fixture.admin("PUT", "/api/v1/token", again).await.json();
    fixture.admin("DELETE", &format!("/api/v1/token/{id}"), Value::Null).await;
    fixture.web("GET", "/api/v1/certificate/le/www.example.com", Value::Null).await;
    for (operation, parts) in [
        (
            "certificate.create",
            ["actor=\"token\"", "owner=\"web\"", "on=\"web/le/new.example.com\"", "outcome=\"issuer_unusable\""],
        ),
        (
            "certificate.update",
            ["actor=\"token\"", "owner=\"web\"", "on=\"web/le/new.example.com\"", "outcome=\"certificate_not_found\""],
        ),
        ("certificate.delete", ["actor=\"token\"", "owner=\"web\"", "on=\"web/shop\"", "outcome=\"ok\""]),
        (
            "certificate.revoke_and_delete",
            ["actor=\"token\"", "owner=\"web\"", "on=\"web/none\"", "outcome=\"certificate_not_found\""],
        ),
        ("token.create", ["actor=\"api_key\"", "owner=\"\"", "on=\"ops\"", "outcome=\"ok\""]),
        ("token.replace", ["actor=\"api_key\"", "owner=\"\"", id, "outcome=\"ok\""]),
        ("token.delete", ["actor=\"api_key\"", "owner=\"\"", id, "outcome=\"ok\""]),
    ] {
        let line = lines.line(&["audit: ", &format!("operation=\"{operation}\"")]);
        assert!(line.contains("request_id=\"req_"), "{line}");
        for part in parts {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }
    assert_eq!(lines.text().matches("audit: ").count(), 7);
    for secret in
        [&fixture.web, API_KEY, made["token"].as_str().unwrap_or("-"), replaced["token"].as_str().unwrap_or("-")]
    {
        assert!(!lines.text().contains(secret), "a credential is in {}", lines.text());
    }
}

#[tokio::test]
async fn what_an_answer_hides_is_in_the_log_under_the_same_id() {
    let (lines, _guard) = collect();
    let fixture = Fixture::with(Leadership::alone(), |_| Arc::new(Failing::Denied)).await;
    let answer = fixture.send(plain("GET", "/ready")).await;
    let id = answer.header("x-request-id").to_owned();
    let line = lines.line(&["request failed", &id]);
    assert!(line.contains("permission denied"), "{line}");
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_stop_a_change() {
    let fixture = Fixture::new().await;
    let (lines, _guard) = collect();
    let request =
        request("DELETE", "/api/v1/certificate/shop").header("authorization", format!("Bearer {}", fixture.web));
    let mut sent = Box::pin(fixture.send(request.body(Body::empty()).expect("a request")));
    // The handler begins its task at the first poll and waits for the disk.
    assert!(futures::poll!(&mut sent).is_pending());
    drop(sent);
    fixture.state.tasks.close();
    fixture.state.tasks.wait().await;
    lines.line(&["audit: ", "certificate.delete", "outcome=\"ok\""]);
    lines.line(&["access: ", "status_code=499"]);
    fixture.web("GET", "/api/v1/certificate/shop", Value::Null).await.fails(Code::CertificateNotFound);
}
