//! `plugin run`, its recordings, `plugin replay` and `plugin bench`, with a component that is bundled and an API on
//! loopback.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use acme_manager_workbench::{
    BenchOptions, CallName, Challenge, Reach, ReplayOptions, RunOptions, Variable, call, measure, replay,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const TOKEN: &str = "an-invented-token-9";

fn component() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/digitalocean.wasm");
    assert!(path.exists(), "{} is missing: run `cargo xtask plugins`", path.display());
    path
}

/// Answers every connection's requests with the status and body that `answer` gives for the request's first line.
async fn api(answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback and a folder");
    let url = format!("http://{}", listener.local_addr().expect("loopback and a folder"));
    let answer = Arc::new(answer);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            connections.spawn(async move {
                let mut request = vec![0; 64 << 10];
                while let Ok(length @ 1..) = stream.read(&mut request).await {
                    let text = String::from_utf8_lossy(&request[..length]).into_owned();
                    let (status, body) = answer(text.lines().next().unwrap_or_default());
                    let head =
                        format!("HTTP/1.1 {status} x\r\nx-session: vendor-made-1\r\ncontent-length: {}", body.len());
                    if stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (url, tasks)
}

struct Bench {
    place: TempDir,
    options: RunOptions,
}

fn bench(url: &str, call: CallName) -> Bench {
    let place = tempfile::tempdir().expect("loopback and a folder");
    let env_file = place.path().join("env");
    fs::write(&env_file, format!("DO_AUTH_TOKEN={TOKEN}\nOTHER=x\n")).expect("loopback and a folder");
    let options = RunOptions {
        file: component(),
        call,
        name: Some("_acme-challenge.Example.com.".into()),
        zone: Some("example.com".into()),
        value: None,
        ttl: 0,
        handle: None,
        domains: Vec::new(),
        issuer: "letsencrypt".into(),
        challenge: Challenge::Dns,
        env_file: Some(env_file),
        environment: vec![format!("DO_API_URL={url}").parse::<Variable>().expect("loopback and a folder")],
        reach: Reach { cidrs: vec!["127.0.0.0/8".parse().expect("loopback and a folder")], ..Reach::default() },
        timeout: 10,
        record: None,
    };
    Bench { place, options }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_placed_and_the_way_back_is_told() {
    let (url, _tasks) = api(|line| match line.split(' ').next() {
        Some("POST") => (201, "{\"domain_record\": {\"id\": 7, \"data\": \"x\"}}".into()),
        _ => (200, "{\"domain_records\": []}".into()),
    })
    .await;
    let Bench { options, place: _place } = bench(&url, CallName::Present);
    let said = call(&options).await.unwrap();
    for expected in ["_acme-challenge.example.com holds ", "handle: \"example.com/7\"", "cleanup --name", "requests 3"]
    {
        assert!(said.contains(expected), "{expected} is not in:\n{said}");
    }
    let said = call(&RunOptions { call: CallName::Check, ..options.clone() }).await.unwrap();
    assert!(said.contains("is complete"), "{said}");
    let cleanup = RunOptions { call: CallName::Cleanup, value: Some("v".into()), ..options };
    assert!(call(&cleanup).await.unwrap().contains("no longer holds v"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_call_is_recorded_and_played_back_without_its_secrets() {
    let (url, _tasks) = api(|line| match line.contains("/records") {
        true => (500, "{\"message\": \"out of order\", \"token\": \"vendor-made-2\"}".into()),
        false => (200, "{}".into()),
    })
    .await;
    let Bench { mut options, place } = bench(&url, CallName::Present);
    let file = place.path().join("failure.json");
    options.record = Some(file.clone());
    // What is there is replaced, also when others may read it.
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let error = call(&options).await.unwrap_err().to_string();
    assert!(error.contains("(unavailable)"), "{error}");
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains(TOKEN) && !text.contains("vendor-made"), "{text}");
    assert!(text.contains("out of order") && text.contains("\"class\": \"unavailable\""), "{text}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let options = ReplayOptions { file: component(), recording: file.clone(), environment: Vec::new() };
    let replayed = replay(&options).await.unwrap();
    assert!(replayed.is_same && replayed.text.contains("→ 500"), "{}", replayed.text);

    // A variable that leads elsewhere is what is told, not that there is no such name here.
    let elsewhere = "DO_API_URL=https://elsewhere.example".parse().unwrap();
    let said = replay(&ReplayOptions { environment: vec![elsewhere], ..options.clone() }).await.unwrap().text;
    assert!(said.contains("was recorded, GET https://elsewhere.example/") && !said.contains("resolve"), "{said}");
    assert!(!said.contains("secrets are no part"), "{said}");

    // With another answer it ends otherwise, and that is said.
    fs::write(&file, text.replace("\"status\": 500", "\"status\": 401")).unwrap();
    let replayed = replay(&options).await.unwrap();
    assert!(!replayed.is_same && replayed.text.contains("(unauthorized)"), "{}", replayed.text);

    // Other requests are another call, even where the error is of the same class.
    let mut recording: serde_json::Value = serde_json::from_str(&text).unwrap();
    recording["exchanges"] = serde_json::json!([]);
    fs::write(&file, recording.to_string()).unwrap();
    let replayed = replay(&options).await.unwrap();
    assert!(!replayed.is_same && replayed.text.contains("a request too many"), "{}", replayed.text);

    // An answer that never came.
    let mut recording: serde_json::Value = serde_json::from_str(&text).unwrap();
    recording["exchanges"].as_array_mut().unwrap().truncate(1);
    recording["exchanges"][0]["answer"] = serde_json::Value::Null;
    recording["exchanges"][0]["failure"] = "ConnectionTerminated".into();
    fs::write(&file, recording.to_string()).unwrap();
    let replayed = replay(&options).await.unwrap();
    assert!(replayed.is_same && replayed.text.contains("ConnectionTerminated"), "{}", replayed.text);

    // A stranger's recording neither steers a terminal nor forges lines.
    let mut recording: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (place, field) in
        [("exchanges", "method"), ("exchanges", "url"), ("exchanges", "failure"), ("error", "message")]
    {
        let of = if place == "error" { &mut recording["error"] } else { &mut recording["exchanges"][0] };
        of[field] = format!("{}\u{1b}[2J\nnow:  ok \u{202e}", of[field].as_str().unwrap_or_default()).into();
    }
    fs::write(&file, recording.to_string()).unwrap();
    let said = replay(&options).await.unwrap().text;
    assert!(!said.contains(['\u{1b}', '\u{202e}']) && said.contains("\\u{1b}[2J\\nnow:  ok"), "{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("now:")).count(), 1, "{said}");

    fs::write(&file, "{}").unwrap();
    let error = replay(&options).await.unwrap_err().to_string();
    assert!(error.contains("is no recording"), "{error}");

    // What has no end is not read.
    for (recording, expected) in [("/dev/zero", "no regular file"), ("/nowhere", "there is no file")] {
        let error = replay(&ReplayOptions { recording: recording.into(), ..options.clone() }).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_call_did_is_told_although_it_cannot_be_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recording.json");
    // Something comes into the way meanwhile.
    let in_the_way = file.clone();
    let (url, _tasks) = api(move |_| {
        let _ = fs::create_dir(&in_the_way);
        (200, "{\"domain_records\": []}".into())
    })
    .await;
    let Bench { mut options, place: _place } = bench(&url, CallName::Check);
    options.record = Some(file);
    let error = format!("{:#}", call(&options).await.unwrap_err());
    assert!(
        error.contains("the call succeeded, but it is not recorded") && error.contains("no regular file"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_stay_off_the_command_line_and_mistakes_are_explained() {
    let Bench { options, place } = bench("http://127.0.0.1:1", CallName::Present);
    let with = |text: &str| RunOptions { environment: vec![text.parse().unwrap()], ..options.clone() };
    let missing = place.path().join("missing");
    let malformed = place.path().join("malformed");
    fs::write(&malformed, format!("DO_AUTH_TOKEN='{TOKEN}")).unwrap();
    for (options, expected) in [
        (with("DO_AUTH_TOKEN=abcdefgh"), "every user of this machine can see"),
        (with("DO_TOKEN=x"), "does not read DO_TOKEN; it reads DO_AUTH_TOKEN"),
        (with("DO_AUTH_TOKEN"), "has no variable DO_AUTH_TOKEN"),
        (with("DO_API_URL=file:/etc/hostname"), "DO_API_URL names a file, as only config.yml can"),
        (RunOptions { value: Some(String::new()), ..options.clone() }, "--value is empty"),
        (RunOptions { name: None, ..options.clone() }, "--name is missing"),
        (RunOptions { zone: Some("example.org".into()), ..options.clone() }, "is not in the zone"),
        (RunOptions { call: CallName::Cleanup, ..options.clone() }, "--value is missing"),
        (RunOptions { handle: Some("7".into()), ..options.clone() }, "`present` has no use for it"),
        (RunOptions { domains: vec!["example.com".into()], ..options.clone() }, "--domain is for review"),
        (RunOptions { env_file: Some(missing), ..options.clone() }, "there is no file"),
        (RunOptions { env_file: Some(malformed), ..options.clone() }, "expected NAME=value"),
    ] {
        let error = format!("{:#}", call(&options).await.unwrap_err());
        assert!(error.contains(expected) && !error.contains(TOKEN), "{expected}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_recording_takes_the_place_of_something_else() {
    let Bench { options, place } = bench("http://127.0.0.1:1", CallName::Check);
    let [link, component, other] = ["link", "copy.wasm", "notes.json"].map(|name| place.path().join(name));
    fs::copy(&options.file, &component).unwrap();
    fs::write(&other, "{}").unwrap();
    std::os::unix::fs::symlink(&other, &link).unwrap();
    for (file, words) in [
        (&link, "no regular file"),
        (&component, "is no recording"),
        (&other, "is no recording"),
        (&"/dev/null".into(), "no regular file"),
        (&place.path().join("missing/file"), "there is no folder"),
    ] {
        let error = call(&RunOptions { record: Some(file.clone()), ..options.clone() }).await.unwrap_err().to_string();
        // It is told before the call is made.
        assert!(error.starts_with("--record: ") && error.contains(words), "{error}");
    }
    assert!(link.is_symlink() && fs::read(&component).unwrap() == fs::read(&options.file).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_component_says_of_itself_is_shown_in_words() {
    let bench = bench("http://127.0.0.1:1", CallName::Describe);
    let text = call(&bench.options).await.expect("a description");
    for words in [
        "digitalocean 0.1.0, a DNS provider, https://",
        "hosts: api.digitalocean.com\n",
        "  DO_AUTH_TOKEN (",
        "secret)",
    ] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    assert!(!text.contains("Description {") && !text.contains("Some("), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_is_measured() {
    let said = measure(&BenchOptions { file: component(), calls: 20 }).await.unwrap();
    for expected in ["compiled in", "loaded from the cache in", "(20 times)", "times as long as a call", "fuel"] {
        assert!(said.contains(expected), "{expected} is not in:\n{said}");
    }
}
