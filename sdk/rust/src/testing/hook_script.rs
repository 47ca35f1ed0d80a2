//! Runs a conformance script against an issuance hook without a host.

use acme_manager_plugin_script::{self as wanted, ExpectedError, ProposedOrder, Script};

use super::MockApi;
use super::script::{Running, all_came, check, equipped, secrets, within};
use crate::hook::{Challenge, Hook, Objection, Order};

/// Runs every scenario and every refusal of a hook's `conformance.json` (see `acme_manager_plugin_script`), and one review
/// without any environment.
///
/// # Panics
/// At the first difference, with the scenario, the step and what was expected.
pub fn run_hook_script<H: Hook>(json: &str) {
    let script = Script::parse(json).unwrap_or_else(|error| panic!("the script cannot be used: {error}"));
    let missing = script.missing_of_a_hook();
    assert!(missing.is_empty(), "the script lacks {}", missing.join("; "));
    let description = H::describe().into_wit();
    let secrets = secrets(&script, &description.environment);

    for scenario in &script.scenarios {
        let environment = script.environment_of(scenario);
        for (number, step) in scenario.steps.iter().enumerate() {
            within(&format!("scenario {:?}, step {}", scenario.name, number + 1), || {
                let order = step.order.as_ref().expect("the script was checked");
                let _api = equipped(&environment, Running::Exchanges(step.exchanges.iter().cloned().collect()));
                compare(review::<H>(order), step.error.as_ref(), &secrets);
                all_came();
            });
        }
    }
    if let Some(order) = script.sample_order() {
        for refusal in script.all_refusals() {
            within(&format!("an API that always answers {}", refusal.name), || {
                let _api = equipped(&script.environment_alone(), Running::Refusal(refusal.response.clone()));
                compare(review::<H>(order), Some(&refusal.error), &secrets);
            });
        }
    }
    if description.environment.iter().any(|key| key.required) {
        within("without an environment", || {
            let _api = MockApi::new();
            assert!(H::from_env().is_err(), "`from_env` succeeds although required variables are missing");
        });
    }
}

fn review<H: Hook>(order: &ProposedOrder) -> Result<(), Objection> {
    let challenge = match order.challenge {
        wanted::Challenge::Dns => Challenge::Dns,
        wanted::Challenge::Http => Challenge::Http,
    };
    let order = Order { domains: order.domains.clone(), issuer: order.issuer.clone(), challenge };
    H::from_env().map_err(Objection::from)?.review(&order)
}

fn compare(result: Result<(), Objection>, expected: Option<&ExpectedError>, secrets: &[&str]) {
    let (kind, sentence) = match (result, expected) {
        (Ok(()), None) => return,
        (Ok(()), Some(expected)) => panic!("expected it to be {}, but it was allowed", expected.kind),
        (Err(Objection::Refused(sentence)), _) => ("refused", sentence),
        (Err(Objection::Failed(sentence)), _) => ("failed", sentence),
    };
    let Some(expected) = expected else { panic!("{kind}: {sentence}") };
    check(&sentence, secrets);
    if let Some(difference) = expected.difference(kind, &sentence, None) {
        panic!("{difference}");
    }
}
