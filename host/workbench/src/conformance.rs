//! `plugin test`: a component under the real host, against a script's conversations and against an API in trouble.

mod trial;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use acme_manager_plugin_runtime::{CallError, ChallengeKind, ErrorKind, Function, ProposedOrder, TxtRecord};
use acme_manager_plugin_script::{self as wanted, Record, Refusal, Scenario, Script};
use anyhow::{Context as _, ensure};

pub use verdict::{Row, Verdict};

use crate::command::{Reach, TestOptions, known};
use crate::component::{Bench, Described};
use crate::file;
use crate::mock::{self, Mock, Role};
use crate::subject::Subject;
use trial::Trial;

/// What a component gets where the API does not answer: enough for an interpreter to start.
const SHORT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long after its timeout a call may still be ending.
const GRACE: Duration = Duration::from_secs(1);

/// Runs everything.
pub(crate) async fn test(options: &TestOptions) -> anyhow::Result<Verdict> {
    let script = read(options)?;
    let bench = Bench::load(&options.file).await?;
    let is_hook = matches!(bench.subject(), Subject::Hook(_));
    ensure!(
        script.scenarios.iter().all(|scenario| scenario.steps.is_empty()) || script.is_of_a_hook() == is_hook,
        "{} is {}, and the script {} is for {}",
        options.file.display(),
        bench.subject().kind(),
        options.script.display(),
        if is_hook { "DNS providers" } else { "issuance hooks: it calls `review`" }
    );
    known(bench.about().environment, &options.environment)?;
    let hosts = hosts(&bench, &script);
    let overlay: BTreeMap<String, String> =
        options.environment.iter().map(|one| (one.name.clone(), one.value.clone())).collect();
    let reach = Reach { hosts: options.allowed_hosts.clone(), ..Reach::default() };
    let run = Run { mock: Mock::start(hosts, name_servers(&script)).await?, bench, script, overlay, reach };
    let mut verdict = Verdict::new(&run.bench);
    verdict.add("script", run.completeness().map(|()| None), run.bench.reports().take());
    for scenario in &run.script.scenarios {
        let result = run.scenario(scenario).await;
        verdict.add(&scenario.name, result, run.bench.reports().take());
    }
    match Sample::of(&run.script, run.bench.subject()) {
        None if is_hook => verdict.note("no order is allowed after a request, so an API in trouble was not tried"),
        None => verdict.note("no scenario calls `present`, so an API in trouble was not tried"),
        Some(sample) => {
            for refusal in run.script.all_refusals() {
                let result = run.refusal(&refusal, &sample).await;
                verdict.add(&format!("always {}", refusal.name), result, run.bench.reports().take());
            }
            verdict.add_extreme("slow", run.slow(&sample).await, run.bench.reports().take());
            if !run.script.speaks_dns() {
                verdict.add_extreme("huge", run.huge(&sample).await, run.bench.reports().take());
            }
        }
    }
    if let Some(result) = run.bare().await {
        verdict.add("no environment", result, run.bench.reports().take());
    }
    Ok(verdict)
}

fn read(options: &TestOptions) -> anyhow::Result<Script> {
    let name = options.script.display();
    let text = file::read(&options.script).with_context(|| {
        format!("the script {name} cannot be read: name one with --script; sdk/script documents the format")
    })?;
    Script::parse(&text).map_err(|problem| anyhow::anyhow!("{name} is no script: {problem}"))
}

/// Every host that a conversation can lead to.
fn hosts(bench: &Bench, script: &Script) -> BTreeSet<String> {
    let scenarios = script.scenarios.iter();
    let steps = scenarios.clone().flat_map(|scenario| &scenario.steps);
    let requests = steps.flat_map(|step| &step.exchanges).filter_map(|exchange| mock::host(&exchange.request.url));
    let values = scenarios.flat_map(|scenario| scenario.environment.values()).chain(script.environment.values());
    let described = bench.about().hosts.iter().filter_map(|host| mock::host(&format!("https://{host}")));
    requests.chain(values.filter_map(|value| mock::host(value))).chain(described).collect()
}

/// Every name server that a message can lead to.
fn name_servers(script: &Script) -> BTreeSet<String> {
    let steps = script.scenarios.iter().flat_map(|scenario| &scenario.steps);
    let urls = steps.flat_map(|step| &step.exchanges).map(|exchange| exchange.request.url.as_str());
    urls.filter_map(wanted::server_of).map(str::to_owned).collect()
}

struct Run {
    bench: Bench,
    script: Script,
    mock: Mock,
    /// The environment of the command line.
    overlay: BTreeMap<String, String>,
    reach: Reach,
}

/// What a scenario found: nothing or a remark, or what is wrong.
type Finding = Result<Option<String>, String>;

impl Run {
    /// What can be said without running anything.
    fn completeness(&self) -> Result<(), String> {
        match self.bench.subject() {
            Subject::Provider(plugin) => {
                let missing = self.script.missing(plugin.description().multiple_values).join("; ");
                if !missing.is_empty() {
                    return Err(format!("every provider must get these scenarios right, and it lacks {missing}"));
                }
            }
            Subject::Hook(_) => {
                let missing = self.script.missing_of_a_hook().join("; ");
                if !missing.is_empty() {
                    return Err(format!("the script of every hook must show these, and it lacks {missing}"));
                }
            }
        }
        let keys = self.bench.about().environment;
        let known = |name: &str| keys.iter().any(|key| key.name == name);
        let unknown: Vec<&str> =
            self.script.environment.keys().map(String::as_str).filter(|name| !known(name)).collect();
        if !unknown.is_empty() {
            let unknown = unknown.join(", ");
            return Err(format!("`describe` does not name its variables {unknown}, so no server hands them over"));
        }
        Ok(())
    }

    async fn scenario(&self, scenario: &Scenario) -> Finding {
        let subject = self.equip(self.script.environment_of(scenario), None).await?;
        let mut trial = Trial::new(&self.mock, &subject);
        for (number, step) in scenario.steps.iter().enumerate() {
            let call = step.call.as_str();
            trial.step(step).await.map_err(|problem| format!("step {} ({call}): {problem}", number + 1))?;
        }
        Ok(None)
    }

    async fn refusal(&self, refusal: &Refusal, sample: &Sample) -> Finding {
        let subject = self.equip(self.script.environment_alone(), None).await?;
        self.mock.play(Role::Always(refusal.response.clone()));
        let result = sample.ask(&subject).await;
        trial::compare(&subject, &result, Some(&refusal.error)).map(|()| None)
    }

    /// An API that accepts requests and does not answer must end in the class `unavailable` or the host's time-out,
    /// both of which are tried again.
    async fn slow(&self, sample: &Sample) -> Finding {
        let subject = self.equip(self.script.environment_alone(), Some(SHORT_TIMEOUT)).await?;
        self.mock.play(Role::Late);
        match tokio::time::timeout(SHORT_TIMEOUT + GRACE, sample.ask(&subject)).await {
            Err(_) => Err("the call outlived its time-out: this is a defect of the host, please report it".to_owned()),
            Ok(Ok(())) => Err("it took an API that never answered for a success".to_owned()),
            Ok(Err(CallError::Timeout { .. })) => Ok(Some("ended by the host's time-out".to_owned())),
            Ok(Err(CallError::Refused { kind: ErrorKind::Unavailable, .. })) => {
                Ok(Some("it gave up itself, in time".to_owned()))
            }
            Ok(Err(CallError::Refused { kind, message, .. })) => Err(format!(
                "expected an error of kind {}, or the host's time-out; got {}: {message}",
                subject.word(ErrorKind::Unavailable),
                subject.word(kind)
            )),
            Ok(Err(error)) => Err(trial::broken(&error)),
        }
    }

    /// A body without an end must be given up, by the component or by a limit.
    async fn huge(&self, sample: &Sample) -> Finding {
        let subject = self.equip(self.script.environment_alone(), None).await?;
        self.mock.play(Role::Endless);
        match sample.ask(&subject).await {
            Ok(()) => Ok(Some("it does not read the body".to_owned())),
            Err(CallError::Refused { kind, .. }) => {
                Ok(Some(format!("given up with an error of kind {}", subject.word(kind))))
            }
            Err(
                error @ (CallError::OutOfMemory { .. } | CallError::OutOfFuel { .. } | CallError::OutOfBounds { .. }),
            ) => Ok(Some(format!("stopped by a limit: {error}"))),
            Err(CallError::Timeout { .. }) => {
                Err("it read until its time was up: bound what is read of an answer's body".to_owned())
            }
            Err(error) => Err(trial::broken(&error)),
        }
    }

    /// Without what it needs, `check` or `review` must say so.
    async fn bare(&self) -> Option<Finding> {
        self.bench.about().environment.iter().find(|key| key.required)?;
        let subject = match self.equip(BTreeMap::new(), None).await {
            Ok(subject) => subject,
            Err(problem) => return Some(Err(problem)),
        };
        self.mock.play(Role::Exchanges(std::collections::VecDeque::new()));
        let (call, expected, ended) = match &subject {
            Subject::Provider(plugin) => ("check", ErrorKind::Config, plugin.check().await),
            Subject::Hook(hook) => ("review", ErrorKind::Unavailable, hook.review(&any_order()).await),
        };
        Some(match ended {
            Err(CallError::Refused { kind, .. }) if kind == expected => Ok(None),
            Err(CallError::Refused { kind, message, .. }) => Err(format!(
                "`{call}` must end with an error of kind {}, got {}: {message}",
                subject.word(expected),
                subject.word(kind)
            )),
            Err(error) => Err(trial::broken(&error)),
            Ok(()) => Err(format!("`{call}` succeeds although required variables are missing")),
        })
    }

    async fn equip(
        &self,
        mut environment: BTreeMap<String, String>,
        timeout: Option<Duration>,
    ) -> Result<Subject, String> {
        // Where nothing is set, nothing is meant to be.
        if !environment.is_empty() {
            environment.extend(self.overlay.clone());
        }
        let adjust = |settings: &mut acme_manager_plugin_runtime::PluginSettings| {
            self.mock.lead_here(settings);
            settings.limits.timeout = timeout.unwrap_or(settings.limits.timeout);
        };
        let said = |error: anyhow::Error| format!("{error:#}");
        let reachable = self.bench.reachable(&environment, &self.reach, Described::All).map_err(said)?;
        self.bench.equip(&environment, reachable.grants, adjust).await.map_err(said)
    }
}

/// The call that an API in trouble is tried with.
enum Sample {
    Present(TxtRecord),
    Review(ProposedOrder),
}

impl Sample {
    fn of(script: &Script, subject: &Subject) -> Option<Self> {
        match subject {
            Subject::Hook(_) => script.sample_order().map(|order| Self::Review(proposed(order))),
            Subject::Provider(_) => script.sample().map(|record| Self::Present(txt(record))),
        }
    }

    async fn ask(&self, subject: &Subject) -> Result<(), CallError> {
        match (subject, self) {
            (Subject::Provider(plugin), Self::Present(record)) => plugin.present(record).await.map(drop),
            (Subject::Hook(hook), Self::Review(order)) => hook.review(order).await,
            // The script is for the component's world.
            _ => Ok(()),
        }
    }
}

fn any_order() -> ProposedOrder {
    let domains = vec!["www.example.com".to_owned()];
    ProposedOrder { domains, issuer: "letsencrypt".to_owned(), challenge: ChallengeKind::Dns }
}

fn proposed(order: &wanted::ProposedOrder) -> ProposedOrder {
    let challenge = match order.challenge {
        wanted::Challenge::Dns => ChallengeKind::Dns,
        wanted::Challenge::Http => ChallengeKind::Http,
    };
    ProposedOrder { domains: order.domains.clone(), issuer: order.issuer.clone(), challenge }
}

fn txt(record: &Record) -> TxtRecord {
    let Record { zone, name, value, ttl } = record.clone();
    TxtRecord { zone, name, value, ttl }
}

/// Whether a report belongs to a call that a scenario made, as opposed to the host's own question.
fn is_call(function: Function) -> bool {
    function != Function::Describe
}
