//! Where a challenge's TXT record really lives: the end of its CNAME chain and the zone around that.

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::super::ChallengeError;
use super::lookup::{Dns, display, host_name, parse};
use super::servers;

/// The most CNAME records that are followed. Resolvers themselves give up at eight to sixteen.
pub(super) const MAX_ALIASES: usize = 8;

/// How to look at a name that probably does not exist yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caution {
    /// Ask the resolvers.
    None,
    /// Ask the name servers of the zone around it, at this port, and the resolvers only if those do not help: a
    /// resolver that is asked now would remember that there is nothing when it is asked for the value later.
    KeepFromResolvers {
        /// The port of authoritative servers.
        port: u16,
    },
}

/// Follows the CNAME records of `fqdn` (lower case, no final dot) to their end, in the same form.
pub(super) async fn follow_aliases(dns: &Dns, fqdn: &str, caution: Caution) -> Result<String, ChallengeError> {
    let mut chain = vec![parse(fqdn)?];
    loop {
        let answers = probe(dns, current(&chain), RecordType::CNAME, caution).await?.answers;
        let before = chain.len();
        // A server may answer with the whole chain at once.
        while let Some(target) = answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == *current(&chain) => Some(target.0.clone()),
            _ => None,
        }) {
            if chain.contains(&target) {
                return Err(ChallengeError::AliasLoop { fqdn: fqdn.to_owned(), at: display(&target) });
            }
            if chain.len() > MAX_ALIASES {
                return Err(ChallengeError::AliasChainTooLong { fqdn: fqdn.to_owned(), limit: MAX_ALIASES });
            }
            chain.push(target);
        }
        if chain.len() == before {
            let end = current(&chain);
            return host_name(end)
                .ok_or_else(|| ChallengeError::AliasTarget { fqdn: fqdn.to_owned(), target: display(end) });
        }
    }
}

/// The zone that holds `fqdn`, in the same form: the nearest name upwards that has an SOA record. The walk usually
/// ends at once, because the negative answer for the challenge's name carries the SOA of its zone
/// (RFC 2308 §2.1). The root is nobody's zone; a top-level domain may be one in a private network.
pub(super) async fn find_zone(dns: &Dns, fqdn: &str, caution: Caution) -> Result<String, ChallengeError> {
    let not_found = || ChallengeError::ZoneNotFound { fqdn: fqdn.to_owned() };
    let name = parse(fqdn)?;
    let answer = probe(dns, &name, RecordType::SOA, caution).await?;
    let zone = match apex(&answer, &name) {
        Some(zone) => Some(zone),
        None => walk(dns, name.base_name()).await?,
    };
    zone.filter(|zone| !zone.is_root()).and_then(|zone| host_name(&zone)).ok_or_else(not_found)
}

/// The zone of an existing name, by asking the resolvers for the SOA of ever shorter names.
async fn walk(dns: &Dns, mut candidate: Name) -> Result<Option<Name>, ChallengeError> {
    while !candidate.is_root() {
        let answer = dns.resolve(&candidate, RecordType::SOA).await?;
        if let Some(zone) = apex(&answer, &candidate) {
            return Ok(Some(zone));
        }
        candidate = candidate.base_name();
    }
    Ok(None)
}

/// The zone that an answer to a question for the SOA of `name` tells of.
fn apex(answer: &Message, name: &Name) -> Option<Name> {
    if answer.answers.iter().any(|record| is_type(record, RecordType::SOA) && record.name == *name) {
        return Some(name.clone());
    }
    // What the authority section says of an alias is about the alias's target.
    if answer.answers.iter().any(|record| is_type(record, RecordType::CNAME)) {
        return None;
    }
    let soa = answer.authorities.iter().find(|record| is_type(record, RecordType::SOA))?;
    soa.name.zone_of(name).then(|| soa.name.clone())
}

async fn probe(dns: &Dns, name: &Name, record_type: RecordType, caution: Caution) -> Result<Message, ChallengeError> {
    if let Caution::KeepFromResolvers { port } = caution
        && let Ok(Some(zone)) = walk(dns, name.base_name()).await
        && let Ok(servers) = servers::find(dns, &zone, port).await
        && let Some(answer) = servers::first_word(dns, &servers, name, record_type).await
    {
        return Ok(answer);
    }
    dns.resolve(name, record_type).await
}

fn current(chain: &[Name]) -> &Name {
    chain.last().expect("a chain begins with the name asked for")
}

fn is_type(record: &Record, record_type: RecordType) -> bool {
    record.record_type() == record_type
}
