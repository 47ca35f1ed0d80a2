//! What a guest writes ends in our log, bounded, and without secrets.

use acme_manager_plugin_runtime::{CallError, Outcome};
use tracing::{Event, Metadata, Subscriber, span};

use crate::{
    lines::Lines,
    support::{Reports, TOKEN, plugin, present},
};

#[tokio::test]
async fn secrets_are_in_no_line_and_no_error() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let plugin = plugin(|_| {}).await;
    present(&plugin, "secrets-in-log").await.expect("logged");
    let error = present(&plugin, "secrets-in-error").await.expect_err("a refusal");
    let CallError::Refused { message, .. } = &error else { panic!("{error}") };
    assert_eq!(message, "GET /?token=[redacted] failed\\nbadly");
    let panicked = present(&plugin, "panic").await.expect_err("a panic").to_string();
    let lines = lines.take();
    for text in ["out [redacted]", "err [redacted]", "log [redacted] region eu-central-1", "url [redacted]"] {
        assert!(lines.iter().any(|line| line == text), "{text} in {lines:?}");
    }
    for text in lines.iter().chain([&error.to_string(), &panicked]) {
        assert!(!text.contains(TOKEN) && !text.contains("t0ken"), "{text}");
    }
}

#[tokio::test]
async fn the_description_shows_open_values_only() {
    let plugin = plugin(|_| {}).await;
    for description in [plugin.description().clone(), plugin.describe().await.expect("a description")] {
        let help =
            |name: &str| description.environment.iter().find(|key| key.name == name).expect("the key").help.clone();
        assert_eq!(help("TOKEN"), "the TOKEN, now Some(\"[redacted]\")");
        assert_eq!(help("REGION"), "the REGION, now Some(\"eu-central-1\")");
    }
}

/// Who writes a component must not decide what of the operator's may be seen.
#[tokio::test]
async fn what_is_named_like_a_secret_is_one_whatever_a_stranger_says() {
    let stranger = plugin(|settings| drop(settings.environment.insert("DESCRIBE".into(), "open".into()))).await;
    let error = present(&stranger, "secrets-in-error").await.expect_err("a refusal").to_string();
    assert!(error.contains("?token=[redacted] failed"), "{error}");
    let secret = "s3cr3tt0kenvalue";
    for (how, expected) in [
        ("leak", "a name in its description contains the value of a secret"),
        ("cut", "AAAA[redacted]` is not made of a-z"),
    ] {
        let mut settings = crate::support::settings();
        settings.environment.insert("DESCRIBE".into(), how.into());
        settings.environment.insert("TOKEN".into(), secret.into());
        let error = crate::support::ENGINE.load(settings).await.expect_err("refused");
        let told = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        assert!(told.contains(expected) && !told.contains("s3cr3t"), "{how}: {told}");
    }
    // What the operator calls a secret is one as well, however it is named.
    let told = plugin(|settings| settings.secrets.extend(["REGION".to_owned()])).await;
    let help = format!("{:?}", told.description());
    assert!(!help.contains("eu-central-1"), "{help}");
}

#[tokio::test]
async fn a_flood_of_lines_is_cut_off_and_summed_up() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let reports = Reports::default();
    let plugin = plugin(|settings| {
        settings.limits.log_lines = 50;
        reports.observe(settings);
    })
    .await;
    present(&plugin, "log-flood 10000").await.expect("the call goes on");
    let lines = lines.take();
    assert_eq!(lines.len(), 51);
    assert!(lines[50].contains("log limit reached"), "{}", lines[50]);
    assert_eq!(reports.last().dropped_log_lines, 30_000 - 50);
}

/// Stands for a defect of the host: it panics inside a host function.
struct Defect;

impl Subscriber for Defect {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "plugin"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {
        panic!("a defect of the host");
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn a_panic_of_the_host_costs_one_call() {
    let reports = Reports::default();
    let plugin = plugin(|settings| reports.observe(settings)).await;
    {
        let _guard = tracing::subscriber::set_default(Defect);
        let error = present(&plugin, "log-flood 1").await.expect_err("the host panics");
        assert!(matches!(&error, CallError::Host { detail, .. } if detail == "a defect of the host"), "{error}");
        assert_eq!(reports.last().outcome, Outcome::Host);
    }
    present(&plugin, "ok").await.expect("nothing is poisoned");
}
