//! What single servers show: the authoritative servers of a zone, found by name and asked by address.

use std::net::{IpAddr, SocketAddr};

use futures::future::join_all;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::super::{ChallengeError, Invisible};
use super::lookup::{Dns, QueryError, Role, display};

/// The most name servers of a zone, and addresses of one of those, that are asked: registries allow thirteen.
const MAX_SERVERS: usize = 16;
const MAX_ADDRESSES: usize = 8;

/// How many foreign values, and how much of each, an error text repeats.
const QUOTED_VALUES: usize = 3;
const QUOTED_CHARS: usize = 64;

/// An authoritative server. Without addresses nobody else can ask it either.
#[derive(Debug)]
pub(super) struct NameServer {
    name: String,
    addresses: Vec<SocketAddr>,
}

/// What became of asking one server about one value.
#[derive(Debug)]
pub(super) enum Look {
    /// It shows the value at every address that answered.
    Visible,
    /// It shows something else, or is down.
    Missing(Invisible),
    /// It cannot be asked from here, which says nothing about what it shows to others.
    Skipped(Invisible),
}

/// The servers of the zone by its NS records.
pub(super) async fn find(dns: &Dns, apex: &Name, port: u16) -> Result<Vec<NameServer>, ChallengeError> {
    let answer = dns.resolve(apex, RecordType::NS).await?;
    let mut names: Vec<Name> = answer
        .answers
        .into_iter()
        .filter_map(|record| match record.data {
            RData::NS(name) if record.name == *apex => Some(name.0),
            _ => None,
        })
        .collect();
    names.sort();
    names.dedup();
    names.truncate(MAX_SERVERS);
    if names.is_empty() {
        let (name, record_type) = (display(apex), RecordType::NS.to_string());
        return Err(ChallengeError::Lookup { name, record_type, detail: "the zone has no NS record".to_owned() });
    }
    Ok(join_all(names.iter().map(|name| locate(dns, name, port))).await)
}

async fn locate(dns: &Dns, name: &Name, port: u16) -> NameServer {
    let (v4, v6) = futures::join!(dns.resolve(name, RecordType::A), dns.resolve(name, RecordType::AAAA));
    let mut addresses = Vec::new();
    for answer in [v4, v6] {
        match answer {
            Ok(answer) => addresses.extend(answer.answers.iter().filter_map(|record| match &record.data {
                RData::A(address) => Some(SocketAddr::new(IpAddr::V4(address.0), port)),
                RData::AAAA(address) => Some(SocketAddr::new(IpAddr::V6(address.0), port)),
                _ => None,
            })),
            Err(error) => tracing::debug!(%name, %error, "the address of a name server is not known"),
        }
    }
    addresses.truncate(MAX_ADDRESSES);
    NameServer { name: display(name), addresses }
}

impl NameServer {
    /// Asks all addresses of the server for the value.
    pub(super) async fn look(&self, dns: &Dns, name: &Name, value: &str) -> Look {
        let looks = join_all(self.addresses.iter().map(|address| async move {
            (*address, dns.ask(*address, name, RecordType::TXT, Role::Authoritative).await)
        }));
        let mut is_visible = false;
        let mut silent = None;
        let mut skipped = self.invisible(name, None, "has no address".to_owned());
        for (address, answer) in looks.await {
            match answer {
                Ok(answer) => match other_than(&answer, value) {
                    None => is_visible = true,
                    Some(shown) => return Look::Missing(self.invisible(name, Some(address), shown)),
                },
                Err(error) if address.is_ipv6() || matches!(error, QueryError::NoRoute(_)) => {
                    skipped = self.invisible(name, Some(address), error.to_string());
                }
                Err(error) => silent = Some(self.invisible(name, Some(address), error.to_string())),
            }
        }
        match (is_visible, silent) {
            (true, _) => Look::Visible,
            (false, Some(silent)) => Look::Missing(silent),
            (false, None) => Look::Skipped(skipped),
        }
    }

    fn invisible(&self, name: &Name, address: Option<SocketAddr>, shown: String) -> Invisible {
        let server = match address {
            Some(address) => format!("{} ({address})", self.name),
            None => self.name.clone(),
        };
        Invisible { fqdn: display(name), server, shown }
    }
}

/// What the first server that knows says of a name. A referral to a delegated zone is not knowing.
pub(super) async fn first_word(
    dns: &Dns,
    servers: &[NameServer],
    name: &Name,
    record_type: RecordType,
) -> Option<Message> {
    for address in servers.iter().flat_map(|server| &server.addresses) {
        match dns.ask(*address, name, record_type, Role::Authoritative).await {
            Ok(answer) if answer.authoritative => return Some(answer),
            Ok(_) => return None,
            Err(error) => tracing::debug!(%address, %name, %error, "trying the next name server"),
        }
    }
    None
}

/// What is missing after all servers were asked. At least one must have shown the value.
pub(super) fn verdict(looks: Vec<Look>) -> Vec<Invisible> {
    let is_visible = looks.iter().any(|look| matches!(look, Look::Visible));
    let counts = |look| match look {
        Look::Missing(missing) => Some(missing),
        Look::Skipped(skipped) => (!is_visible).then_some(skipped),
        Look::Visible => None,
    };
    looks.into_iter().filter_map(counts).collect()
}

/// What a resolver shows instead of the value.
pub(super) async fn ask_resolver(dns: &Dns, resolver: SocketAddr, name: &Name, value: &str) -> Option<Invisible> {
    let shown = match dns.ask(resolver, name, RecordType::TXT, Role::Recursive).await {
        Ok(answer) => other_than(&answer, value)? + &remembered(&answer),
        Err(error) => error.to_string(),
    };
    Some(Invisible { fqdn: display(name), server: resolver.to_string(), shown })
}

/// What the answer shows if the value is not in it.
fn other_than(answer: &Message, value: &str) -> Option<String> {
    let mut others = Vec::new();
    for record in &answer.answers {
        if let RData::TXT(txt) = &record.data {
            // RFC 7208 §3.3, which everybody follows for TXT: the strings of one record are joined without space.
            let text = txt.txt_data.concat();
            if text == value.as_bytes() {
                return None;
            }
            others.push(text);
        }
    }
    if others.is_empty() {
        let is_missing = answer.response_code == ResponseCode::NXDomain;
        return Some(if is_missing { "no such name" } else { "no TXT record" }.to_owned());
    }
    let quote = |text: &Vec<u8>| {
        let text = String::from_utf8_lossy(text);
        format!("{:?}", text.chars().take(QUOTED_CHARS).collect::<String>())
    };
    let quoted: Vec<String> = others.iter().take(QUOTED_VALUES).map(quote).collect();
    Some(format!("other values only ({} in all): {}", others.len(), quoted.join(", ")))
}

/// How long a resolver keeps a negative answer (RFC 2308 §5), since no waiting helps before that.
fn remembered(answer: &Message) -> String {
    let soa = answer.authorities.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
        _ => None,
    });
    match soa {
        Some(seconds) if answer.answers.is_empty() => format!(", remembered for {seconds} s"),
        _ => String::new(),
    }
}
