//! A policy: no certificate for a name whose owner has not said by CAA records (RFC 8659) which CAs may issue for it.
//! CAs must look themselves; what they do not do is to refuse names without any record.

use std::str::FromStr as _;

use acme_manager_plugin::exchange::{Transport, exchange};
use acme_manager_plugin::hook::{Hook, HookDescription, Objection, Order};
use acme_manager_plugin::{Error, Key, env, export_hook, random};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::CAA;
use hickory_proto::rr::{Name, RData, RecordType};

struct DemandCaa {
    resolver: String,
    /// CAs by their names in CAA records, any of which will do; none for whichever the owner names.
    identities: Vec<String>,
}

impl Hook for DemandCaa {
    fn describe() -> HookDescription {
        HookDescription::new("caa", env!("CARGO_PKG_VERSION"))
            .homepage("https://www.rfc-editor.org/rfc/rfc8659")
            .key(
                Key::new("CAA_RESOLVER").required().endpoint().help("A name server that resolves: `host`, `host:port`"),
            )
            .key(
                Key::new("CAA_IDENTITIES")
                    .help("CAs as CAA records name them, commas between, `letsencrypt.org`; one must be allowed"),
            )
    }

    fn from_env() -> Result<Self, Error> {
        let identities = env::optional_or("CAA_IDENTITIES", "");
        let identities = identities.split(',').map(|name| name.trim().to_ascii_lowercase());
        let identities = identities.filter(|name| !name.is_empty()).collect();
        Ok(Self { resolver: env::required("CAA_RESOLVER")?, identities })
    }

    fn review(&self, order: &Order) -> Result<(), Objection> {
        order.domains.iter().try_for_each(|domain| self.review_name(domain))
    }
}

impl DemandCaa {
    fn review_name(&self, domain: &str) -> Result<(), Objection> {
        let (name, is_wildcard) = domain.strip_prefix("*.").map_or((domain, false), |name| (name, true));
        let Some((owner, records)) = self.relevant(name)? else {
            return Err(Objection::refused(format!("there is no CAA record for {name} or a domain above it")));
        };
        let allowed = issuers(&records, is_wildcard);
        if allowed.iter().any(|ca| self.identities.is_empty() || self.identities.contains(ca)) {
            return Ok(());
        }
        let told = if allowed.is_empty() { "no CA".to_owned() } else { allowed.join(", ") };
        Err(Objection::refused(format!("the CAA records of {owner} allow {told} to issue for {domain}")))
    }

    /// The records that count for a name: its own, or else those of the nearest domain above (RFC 8659 §3).
    fn relevant(&self, name: &str) -> Result<Option<(String, Vec<CAA>)>, Objection> {
        let mut rest = Some(name);
        while let Some(candidate) = rest {
            let records = self.look_up(candidate)?;
            if !records.is_empty() {
                return Ok(Some((candidate.to_owned(), records)));
            }
            rest = candidate.split_once('.').map(|(_, above)| above);
        }
        Ok(None)
    }

    fn look_up(&self, name: &str) -> Result<Vec<CAA>, Objection> {
        let failed = |problem: &dyn std::fmt::Display| {
            Objection::failed(format!("the CAA records of {name} cannot be looked up: {problem}"))
        };
        let owner = Name::from_str(&format!("{name}.")).map_err(|error| failed(&error))?;
        let mut question = Message::new(u16::from_be_bytes(random::bytes()), MessageType::Query, OpCode::Query);
        question.metadata.recursion_desired = true;
        question.add_query(Query::query(owner, RecordType::CAA));
        let question = question.to_vec().map_err(|error| failed(&error))?;
        let reply = exchange(&self.resolver, Transport::Udp, &question).map_err(|error| failed(&error))?;
        let reply = Message::from_vec(&reply).map_err(|error| failed(&error))?;
        match reply.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => {}
            code => return Err(failed(&code)),
        }
        let caa = reply.answers.into_iter().filter_map(|record| match record.data {
            RData::CAA(caa) => Some(caa),
            _ => None,
        });
        Ok(caa.collect())
    }
}

/// The CAs that the records name: for wildcards by `issuewild` where there is one (RFC 8659 §4.3).
fn issuers(records: &[CAA], is_wildcard: bool) -> Vec<String> {
    let of = |tag: &str| {
        let properties = records.iter().filter(|caa| caa.tag.eq_ignore_ascii_case(tag));
        properties.map(|caa| String::from_utf8_lossy(&caa.value).into_owned()).collect::<Vec<String>>()
    };
    let wild = if is_wildcard { of("issuewild") } else { Vec::new() };
    let properties = if wild.is_empty() { of("issue") } else { wild };
    // `ca.example; account=1`: parameters are between the owner and the CA. `;` alone is nobody.
    let names = properties.iter().map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    names.filter(|name| !name.is_empty()).collect()
}

export_hook!(DemandCaa);

#[cfg(test)]
mod tests;
