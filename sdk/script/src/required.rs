//! What a script must show, whatever the provider: a name alone shows nothing.

use crate::{Call, Exchange, Record, Scenario, Step};

/// A scenario that every script must have.
struct Required {
    name: &'static str,
    /// What it consists of, in words.
    needs: &'static str,
    is_shown_by: fn(&[Step]) -> bool,
}

const ALL: [Required; 4] = [
    Required {
        name: "happy path",
        needs: "a present and after it a cleanup of the same record, both successful",
        is_shown_by: happy_path,
    },
    Required {
        name: crate::TWO_VALUES,
        needs: "two successful calls of present with different values at one name",
        is_shown_by: two_values,
    },
    Required {
        name: "repeat",
        needs: "a successful present of a value that is there already: presented earlier in this scenario, or shown by \
                the answer to a request that does not hold it",
        is_shown_by: repeat,
    },
    Required {
        name: "cleanup by value",
        needs: "a successful cleanup with an empty with_handle",
        is_shown_by: cleanup_by_value,
    },
];

/// What the scenarios lack, each with the name of the one that it belongs into.
pub(crate) fn missing(scenarios: &[Scenario], two_values: bool) -> Vec<String> {
    let wanted = ALL.into_iter().filter(|required| two_values || required.name != crate::TWO_VALUES);
    let lack = |Required { name, needs, is_shown_by }| match scenarios.iter().find(|scenario| scenario.name == name) {
        None => Some(format!("{name} (it is not there; it needs {needs})")),
        Some(scenario) if !is_shown_by(&scenario.steps) => Some(format!("{name} (it needs {needs})")),
        Some(_) => None,
    };
    wanted.filter_map(lack).collect()
}

fn happy_path(steps: &[Step]) -> bool {
    let mut presented = successes(steps, Call::Present);
    presented.any(|(at, new)| successes(steps, Call::Cleanup).any(|(later, old)| later > at && is_same(new, old)))
}

fn two_values(steps: &[Step]) -> bool {
    let others = |one: &Record| {
        successes(steps, Call::Present).any(|(_, other)| other.name == one.name && other.value != one.value)
    };
    successes(steps, Call::Present).any(|(_, one)| others(one))
}

fn repeat(steps: &[Step]) -> bool {
    successes(steps, Call::Present).any(|(at, record)| {
        let is_again = successes(steps, Call::Present).any(|(before, other)| before < at && is_same(other, record));
        let exchanges = steps.get(at).map(|step| step.exchanges.as_slice()).unwrap_or_default();
        is_again || exchanges.iter().any(|exchange| shows(exchange, &record.value))
    })
}

fn cleanup_by_value(steps: &[Step]) -> bool {
    successes(steps, Call::Cleanup).any(|(at, record)| {
        match steps.get(at).and_then(|step| step.with_handle.as_deref()) {
            Some(handle) => handle.is_empty(),
            // Where the value was presented before, its handle is taken.
            None => !successes(steps, Call::Present).any(|(before, other)| before < at && other.value == record.value),
        }
    })
}

/// The calls of a function that must succeed, with their places.
fn successes(steps: &[Step], call: Call) -> impl Iterator<Item = (usize, &Record)> {
    let chosen = steps.iter().enumerate().filter(move |(_, step)| step.call == call && step.error.is_none());
    chosen.filter_map(|(place, step)| step.record.as_ref().map(|record| (place, record)))
}

fn is_same(one: &Record, other: &Record) -> bool {
    one.name == other.name && one.value == other.value
}

/// Whether the vendor has the value, and does not just repeat what it was sent.
fn shows(exchange: &Exchange, value: &str) -> bool {
    let Exchange { request, response } = exchange;
    let holds = |json: &Option<serde_json::Value>, text: &Option<String>| {
        json.as_ref().is_some_and(|json| json.to_string().contains(value))
            || text.as_ref().is_some_and(|text| text.contains(value))
    };
    let is_sent = request.url.contains(value) || holds(&request.json, &request.body);
    !is_sent && holds(&response.json, &response.body)
}
