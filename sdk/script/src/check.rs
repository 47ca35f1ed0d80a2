//! What a script says that cannot be meant: told with its place when it is read, not by a run that goes otherwise.

use crate::hook::{FAILED, REFUSED};
use crate::{Answer, Call, Exchange, ExpectedError, ExpectedRequest, Refusal, Script, Step, answer, dns};

/// The kinds of a provider's errors, as the contract spells them.
const KINDS: [&str; 8] =
    ["config", "unauthorized", "zone-not-found", "rate-limited", "conflict", "unavailable", "rejected", "other"];

impl Script {
    pub(crate) fn check(&self) -> Result<(), String> {
        let is_of_a_hook = self.is_of_a_hook();
        let kinds = if is_of_a_hook { &[REFUSED, FAILED][..] } else { &KINDS };
        for (number, scenario) in self.scenarios.iter().enumerate() {
            if self.scenarios.iter().take(number).any(|earlier| earlier.name == scenario.name) {
                return Err(format!("two scenarios are called {:?}", scenario.name));
            }
            for step in &scenario.steps {
                let placed = |problem| format!("{:?}: {problem}", scenario.name);
                step.check().map_err(placed)?;
                step.error.iter().try_for_each(|error| error.check(kinds)).map_err(placed)?;
            }
        }
        for (number, refusal) in self.refusals.iter().enumerate() {
            if refusal.name.is_empty() || self.refusals.iter().take(number).any(|earlier| earlier.name == refusal.name)
            {
                return Err(format!("refusals need names of their own, and one is called {:?} again", refusal.name));
            }
            refusal.check(kinds).map_err(|problem| format!("refusal {:?}: {problem}", refusal.name))?;
        }
        let mut calls = self.scenarios.iter().flat_map(|scenario| &scenario.steps).map(|step| step.call);
        match calls.find(|call| (*call == Call::Review) != is_of_a_hook) {
            None => Ok(()),
            Some(other) => Err(format!(
                "`review` is a call of issuance hooks, `{}` one of DNS providers: a script is for one of them",
                if is_of_a_hook { other } else { Call::Present }.as_str()
            )),
        }
    }
}

impl Step {
    fn check(&self) -> Result<(), String> {
        let call = self.call.as_str();
        let (needs_record, needs_order) = (self.call.is_about_a_record(), self.call == Call::Review);
        if needs_record != self.record.is_some() || needs_order != self.order.is_some() {
            let needed = match (needs_record, needs_order) {
                (true, _) => "a `record` and no `order`",
                (_, true) => "an `order` and no `record`",
                _ => "neither `record` nor `order`",
            };
            return Err(format!("a call of `{call}` has {needed}"));
        }
        let takes_handle = matches!(self.call, Call::Cleanup | Call::Ready);
        for (field, is_given, is_fitting) in [
            ("with_handle", self.with_handle.is_some(), takes_handle),
            ("handle", self.handle.is_some(), self.call == Call::Present),
            ("ready", self.ready.is_some(), self.call == Call::Ready),
        ] {
            if is_given && !is_fitting {
                return Err(format!("a call of `{call}` has no `{field}`"));
            }
        }
        self.exchanges.iter().try_for_each(Exchange::check)
    }
}

impl Exchange {
    /// Whether request and answer are of one kind.
    fn check(&self) -> Result<(), String> {
        self.request.check()?;
        let (url, answer) = (&self.request.url, &self.response);
        answer.check().map_err(|problem| format!("the answer to {url} {problem}"))?;
        match (url.starts_with(dns::SCHEME), answer.rcode) {
            (true, Some(_)) => {
                let records = answer.records.iter().map(|text| dns::record(text).map(drop));
                records.collect::<Result<(), _>>()
            }
            (true, None) => Err(format!("the answer to {url} has an `rcode`, for example NOERROR")),
            (false, Some(_)) => Err(format!("{url} is no name server, so its answer has no `rcode`")),
            (false, None) if answer.status == answer::NO_STATUS => Err(format!("the answer to {url} has no `status`")),
            (false, None) => Ok(()),
        }
    }
}

impl ExpectedRequest {
    /// No request has line ends in these.
    fn check(&self) -> Result<(), String> {
        let texts = [("method", &self.method), ("url", &self.url)].into_iter();
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value));
        match texts.chain(headers).find(|(_, text)| text.chars().any(char::is_control)) {
            Some((name, text)) => Err(format!("no request has a control character in `{name}`: {text:?}")),
            None => Ok(()),
        }
    }
}

impl Answer {
    fn check(&self) -> Result<(), &'static str> {
        let has_body = self.json.is_some() || self.body.as_ref().is_some_and(|body| !body.is_empty());
        match (self.json.is_some() && self.body.is_some(), has_body && matches!(self.status, 204 | 304)) {
            (true, _) => Err("has one body: `json` or `body`"),
            (_, true) => Err("has a status that comes without a body"),
            _ => Ok(()),
        }
    }
}

impl Refusal {
    fn check(&self, kinds: &[&str]) -> Result<(), String> {
        self.response.check().map_err(|problem| format!("the response {problem}"))?;
        if self.response.rcode.is_none() && self.response.status == answer::NO_STATUS {
            return Err("the response has no `status`".to_owned());
        }
        self.error.check(kinds)
    }
}

impl ExpectedError {
    fn check(&self, kinds: &[&str]) -> Result<(), String> {
        match kinds.contains(&self.kind.as_str()) {
            true => Ok(()),
            false => Err(format!("there is no kind of error {:?}; there are {}", self.kind, kinds.join(", "))),
        }
    }
}
