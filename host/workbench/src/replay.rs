//! `plugin replay`: a recorded call again, with the API's part played from the recording.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use acme_manager_plugin_runtime::{CallError, MAX_RECORDED_BODY_BYTES, RecordedError, Recording, TxtRecord};
use anyhow::{Context as _, bail};

use crate::command::{Reach, ReplayOptions, known};
use crate::component::{Bench, Described};
use crate::file;
use crate::mock::{self, Mock, Role};
use crate::subject::Subject;
use crate::text::plain;

/// Where nothing was answered, nobody wants to wait as long as a server did.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What a replay found.
#[derive(Debug)]
pub struct Replayed {
    /// The report for people.
    pub text: String,
    /// Whether the call ended as it did when it was recorded.
    pub is_same: bool,
}

/// Plays it.
///
/// # Errors
/// When the component or the recording cannot be used.
pub(crate) async fn replay(options: &ReplayOptions) -> anyhow::Result<Replayed> {
    let recording = read(options)?;
    let bench = Bench::load(&options.file).await?;
    let described = bench.about().hosts.iter().filter_map(|host| mock::host(&format!("https://{host}")));
    let asked = recording.exchanges.iter().filter_map(|exchange| mock::host(&exchange.url));
    known(bench.about().environment, &options.environment)?;
    let mut environment = recording.environment.clone();
    environment.extend(options.environment.iter().map(|one| (one.name.clone(), one.value.clone())));
    // A variable may lead elsewhere than it did then: what comes there is told, with what was recorded instead.
    let endpoints = bench.endpoints(&environment).filter_map(|(_, value)| mock::host(value));
    let mock = Mock::start(asked.chain(described).chain(endpoints).collect::<BTreeSet<_>>(), BTreeSet::new()).await?;
    // Every origin that was reached then may be reached now.
    let hosts = recording.exchanges.iter().filter_map(|exchange| origin(&exchange.url)).collect();
    let reach = Reach { hosts, ..Reach::default() };
    let reachable = bench.reachable(&environment, &reach, Described::All)?;
    let subject = bench.equip(&environment, reachable.grants, |settings| {
        mock.lead_here(settings);
        settings.limits.timeout = TIMEOUT;
    });
    let subject = subject.await.context("with the recorded environment; --env NAME=VALUE changes it")?;
    mock.play(Role::Recorded(recording.exchanges.iter().cloned().collect()));
    let ended = call(&subject, &recording).await?;
    let review = mock.review();
    let mut text = String::new();
    if recording.component.digest != subject.digest().to_string() {
        text += "the recording is of another build of the component\n";
    }
    for (number, exchange) in recording.exchanges.iter().enumerate() {
        let answer = match (&exchange.answer, &exchange.failure) {
            (Some(answer), None) => answer.status.to_string(),
            (Some(answer), Some(failure)) => format!("{}, then {failure}", answer.status),
            (None, Some(failure)) => failure.clone(),
            (None, None) => "no answer".to_owned(),
        };
        let asked = plain(&format!("{} {} → {answer}", exchange.method, exchange.url));
        writeln!(text, "{:>3}. {asked}", number + 1)?;
    }
    for remark in review.remarks.iter().chain(&review.difference).chain(&review.broken) {
        writeln!(text, "  - {}", plain(remark))?;
    }
    if !review.left.is_empty() {
        let next = plain(&review.left[0]);
        writeln!(text, "  - {} recorded requests did not come; the next was {next}", review.left.len())?;
    }
    let went_the_same_way = review.difference.is_none() && review.left.is_empty();
    let is_same = matches(recording.error.as_ref(), ended.as_ref()) && went_the_same_way;
    let then = recording.error.as_ref().map_or("ok", |error| &error.message);
    let now = ended.as_ref().map_or_else(|| "ok".to_owned(), ToString::to_string);
    writeln!(text, "then: {}\nnow:  {}", plain(then), plain(&now))?;
    let mut answers = recording.exchanges.iter().filter_map(|exchange| exchange.answer.as_ref());
    let is_cut = answers.any(|answer| answer.body.len() >= MAX_RECORDED_BODY_BYTES);
    if is_cut && !is_same {
        text += "a body of the recording is cut: no more of one is kept than 256 KiB\n";
    }
    let is_explained = is_cut || review.difference.is_some() || !review.remarks.is_empty();
    if environment.values().any(|value| value == mock::GAP) && !is_same && !is_explained {
        text += "secrets are no part of a recording: where one must have a certain form, give an invented one with \
                 --env NAME=VALUE\n";
    }
    Ok(Replayed { text, is_same })
}

fn read(options: &ReplayOptions) -> anyhow::Result<Recording> {
    let text = file::read(&options.recording)?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is no recording: `plugin run --record` makes one", options.recording.display()))
}

async fn call(subject: &Subject, recording: &Recording) -> anyhow::Result<Option<CallError>> {
    let plugin = match subject {
        Subject::Provider(plugin) => plugin,
        Subject::Hook(hook) => match (recording.function.as_str(), &recording.order) {
            ("review", Some(order)) => return Ok(hook.review(order).await.err()),
            ("describe", _) => return Ok(hook.describe().await.err()),
            ("review", None) => bail!("the recording has no order"),
            (other, _) => bail!("the recording is of a call of {other:?}, which an issuance hook does not have"),
        },
    };
    let handle = recording.handle.as_deref().unwrap_or_default();
    let record = || -> anyhow::Result<&TxtRecord> { recording.record.as_ref().context("the recording has no record") };
    Ok(match recording.function.as_str() {
        "describe" => plugin.describe().await.err(),
        "check" => plugin.check().await.err(),
        "present" => plugin.present(record()?).await.err(),
        "cleanup" => plugin.cleanup(record()?, handle).await.err(),
        "ready" => plugin.ready(record()?, handle).await.err(),
        other => bail!("the recording is of a call of {other:?}, which a DNS provider does not have"),
    })
}

/// Sentences hold times and identifiers; the class is what the server acts upon.
fn matches(then: Option<&RecordedError>, now: Option<&CallError>) -> bool {
    then.map(|error| error.class.as_str()) == now.map(CallError::class)
}

fn origin(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{}{port}", url.scheme(), url.host()?))
}
