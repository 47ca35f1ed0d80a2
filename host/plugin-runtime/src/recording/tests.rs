use std::sync::Arc;

use super::*;

fn exchange(body: &str, headers: &[(&str, &str)], answer: &str) -> RecordedExchange {
    let own = |fields: &[(&str, &str)]| fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    RecordedExchange {
        method: "POST".into(),
        url: "https://api.example.com/v1/zones?key=s3cr3t-key&page=2".into(),
        headers: own(headers),
        body: body.into(),
        answer: Some(RecordedAnswer {
            status: 200,
            headers: own(&[("x-subject-token", "vendor-made-1"), ("content-type", "application/json")]),
            body: answer.into(),
        }),
        failure: None,
    }
}

fn recording(exchanges: Vec<RecordedExchange>) -> (Recording, String) {
    let recording = recorded(exchanges).expect("few secrets");
    let text = serde_json::to_string_pretty(&recording).expect("it is JSON");
    (recording, text)
}

fn recorded(exchanges: Vec<RecordedExchange>) -> Option<Recording> {
    let subject = Subject {
        name: "example",
        digest: "00".into(),
        environment: vec![("TOKEN", "s3cr3t-key", true), ("PIN", "123", true), ("REGION", "eu-central-1", false)],
    };
    let record = TxtRecord { zone: "a".into(), name: "b".into(), value: "c".into(), ttl: 0 };
    let asked =
        Asked { function: Function::Cleanup, record: Some(&record), handle: Some("id-of-s3cr3t-key"), order: None };
    let error = CallError::OutOfFuel { plugin: Arc::from("example"), limit: 5 };
    Recording::new(&subject, asked, exchanges, Some(&error))
}

/// Each is looked for in a dozen spellings, and it is the other side that says how many there are.
#[test]
fn what_would_take_too_long_to_be_hidden_is_not_recorded() {
    let with = |values: &[String]| {
        let mut one = exchange("", &[], "{}");
        let answer = one.answer.as_mut().expect("there is one");
        answer.headers.extend(values.iter().map(|value| ("x-a".to_owned(), value.clone())));
        recorded(vec![one])
    };
    assert!(with(&["a".repeat(32_000)]).is_some());
    assert!(with(&(0..2_000).map(|number| format!("{number:016}")).collect::<Vec<_>>()).is_some());
    assert!(with(&["a".repeat(60_000)]).is_none());
    // The same again is no more.
    assert!(with(&["a".repeat(30_000), "a".repeat(30_000)]).is_some());
}

#[test]
fn the_environments_secrets_are_gone_and_the_rest_is_there() {
    let (recording, text) = recording(vec![exchange("{\"auth\": \"s3cr3t-key\"}", &[], "{}")]);
    assert!(!text.contains("s3cr3t") && !text.contains("123"), "{text}");
    assert_eq!(recording.environment["REGION"], "eu-central-1");
    assert_eq!(recording.environment["PIN"], MARK);
    assert_eq!(recording.exchanges[0].url, "https://api.example.com/v1/zones?key=[redacted]&page=2");
    assert_eq!(recording.handle.as_deref(), Some("id-of-[redacted]"));
    assert_eq!(recording.error.as_ref().map(|error| error.class.as_str()), Some("out-of-fuel"));
    assert_eq!(serde_json::from_str::<Recording>(&text).expect("it is read back"), recording);
}

#[test]
fn what_the_vendor_hands_out_is_gone_too() {
    let login = exchange("grant_type=client_credentials&client_secret=form-made-7", &[], {
        "{\"access_token\": \"vendor-made-2\", \"data\": {\"sessions\": [\"vendor-made-3\"], \"zone\": \"example.com\"}}"
    });
    let mut used =
        exchange("{\"apisessionid\": \"vendor-made-3\"}", &[("authorization", "Bearer vendor-made-2")], "{}");
    used.url = "https://api.example.com/vendor-made-1/zones".into();
    used.failure = Some("broken at vendor-made-2".into());
    let (recording, text) = recording(vec![login, used]);
    assert!(!text.contains("-made-"), "{text}");
    assert!(text.contains("example.com") && text.contains("grant_type=client_credentials"), "{text}");
    assert_eq!(recording.exchanges[1].headers, [("authorization".to_owned(), MARK.to_owned())]);
    assert_eq!(recording.exchanges[0].answer.as_ref().map(|answer| answer.headers[1].1.as_str()), {
        Some("application/json")
    });
}

#[test]
fn what_a_url_carries_is_gone_wherever_else_it_stands() {
    let mut first = exchange("", &[], "{\"next\": \"https://api.example.com/v1?page_token=vendor-made-6\"}");
    first.url = "https://api.example.com/login?sessionid=vendor-made-4&page=2".into();
    let answer = first.answer.as_mut().expect("it has one");
    answer.headers.push(("location".into(), "https://ann:vendor-made-5@api.example.com/v1?sig=short&a=b".into()));
    answer.headers.push(("link".into(), "</v1?token=vendor-made-7>; rel=\"next\"".into()));
    let mut second = exchange("vendor-made-4 vendor-made-6 vendor-made-7", &[], "{}");
    second.failure = Some("no answer from https://ann:vendor-made-5@api.example.com".into());
    let (recording, text) = recording(vec![first, second]);
    assert!(!text.contains("-made-") && !text.contains("short"), "{text}");
    assert_eq!(recording.exchanges[0].url, "https://api.example.com/login?sessionid=[redacted]&page=2");
    let fields = recording.exchanges[0].answer.as_ref().map(|answer| answer.headers.as_slice()).unwrap_or_default();
    assert_eq!(fields[2].1, "https://[redacted]@api.example.com/v1?sig=[redacted]&a=b");
    assert_eq!(fields[3].1, "</v1?token=[redacted]>; rel=\"next\"");
}

#[test]
fn short_values_do_not_blank_everything() {
    let (recording, _) = recording(vec![exchange("{\"token\": \"1\", \"ttl\": 1}", &[("x-a", "1")], "{\"id\": 1}")]);
    assert_eq!(recording.exchanges[0].body, "{\"token\": \"1\", \"ttl\": 1}");
    assert_eq!(recording.exchanges[0].headers[0].1, MARK);
}

#[test]
fn a_tape_holds_no_more_than_its_room() {
    let tape = Tape::default();
    let request = http::Request::builder().uri("/x").body(()).expect("a request");
    let piece = vec![b'x'; 100 << 10];
    for _ in 0..40 {
        let mark = tape.request("https://api.example.com", &request, &piece);
        tape.answer(mark, 200, request.headers());
        for _ in 0..5 {
            tape.piece(mark, &piece);
        }
    }
    let exchanges = tape.take();
    let bodies = exchanges.iter().map(|one| one.body.len() + one.answer.as_ref().map_or(0, |a| a.body.len()));
    assert_eq!(bodies.clone().sum::<usize>(), 4 << 20);
    assert_eq!(bodies.max(), Some((100 << 10) + (256 << 10)));
    assert_eq!(exchanges[0].url, "https://api.example.com/x");
}
