//! Dynamic updates in the DNS (RFC 2136), signed by TSIG (RFC 8945): BIND, Knot, PowerDNS and others understand them.
//! There is no vendor's API; the host carries the messages.

mod tsig;

use std::str::FromStr as _;

use acme_manager_plugin::exchange::{Transport, exchange};
use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, random};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use tsig::TsigKey;

const PREFIX: &str = "DNSUPDATE_";
/// What lego called it before.
const OLD_PREFIX: &str = "RFC2136_";
const TTL: u32 = 120;

struct DnsUpdate {
    server: String,
    key: Option<TsigKey>,
    /// The zones to choose from, longest first; none where the server is asked.
    zones: Vec<String>,
    ttl: u32,
}

/// What to do with the value.
#[derive(Clone, Copy, PartialEq)]
enum Change {
    Add,
    Delete,
}

impl Provider for DnsUpdate {
    fn describe() -> Description {
        let key = |name: &str| Key::new(&format!("{PREFIX}{name}")).alias(&format!("{OLD_PREFIX}{name}"));
        Description::new("dnsupdate", env!("CARGO_PKG_VERSION"))
            .homepage("https://www.rfc-editor.org/rfc/rfc2136")
            .key(key("NAMESERVER").required().endpoint().help("The primary name server: `host`, `host:port`; port 53"))
            .key(
                key("TSIG_KEY")
                    .help("Name of the key, as in the server's configuration; without it updates are unsigned"),
            )
            .key(key("TSIG_SECRET").secret().help("The key itself, in base64"))
            .key(key("TSIG_ALGORITHM").default("hmac-sha1").help("hmac-sha1, -sha224, -sha256, -sha384 or -sha512"))
            .key(Key::new("DNSUPDATE_ZONES").help("The zones, with commas between them; otherwise the server is asked"))
            .times_of(&[PREFIX, OLD_PREFIX], TTL, 60, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let zones = env::optional_or("DNSUPDATE_ZONES", "");
        let zone = |zone: &str| zone.trim().trim_end_matches('.').to_ascii_lowercase();
        let mut zones: Vec<String> = zones.split(',').map(zone).filter(|zone| !zone.is_empty()).collect();
        zones.sort_by_key(|zone| std::cmp::Reverse(zone.len()));
        let server = env::required("DNSUPDATE_NAMESERVER")?;
        Ok(Self { server, key: TsigKey::from_env()?, zones, ttl: env::ttl(PREFIX, TTL)? })
    }

    fn check(&self) -> Result<(), Error> {
        // Whatever the server has to say about it, it answers and takes the key.
        let zone = self.zones.first().map_or(".", String::as_str);
        self.ask(question(&name(zone)?)).map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let zone = self.zone(record)?;
        self.update(&zone, record, Change::Add)?;
        Ok(zone)
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let found = if handle.is_empty() { self.zone(record) } else { Ok(handle.to_owned()) };
        match found.and_then(|zone| self.update(&zone, record, Change::Delete)) {
            // Where there is no zone there is no value.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => Ok(()),
            done => done,
        }
    }
}

impl DnsUpdate {
    /// The zone of the server that holds the record.
    fn zone(&self, record: &TxtRecord) -> Result<String, Error> {
        let holds = |zone: &str| record.name == zone || record.name.ends_with(&format!(".{zone}"));
        if !self.zones.is_empty() {
            let zone = self.zones.iter().find(|zone| holds(zone)).cloned();
            return zone.ok_or_else(|| Error::zone_not_found(&record.name));
        }
        if !record.zone.is_empty() {
            return Ok(record.zone.clone());
        }
        for candidate in dns::zone_candidates(record) {
            let zone = name(candidate)?;
            let reply = self.ask(question(&zone))?;
            let is_apex = |record: &Record| record.record_type() == RecordType::SOA && record.name == zone;
            if reply.metadata.response_code == ResponseCode::NoError && reply.answers.iter().any(is_apex) {
                return Ok(candidate.to_owned());
            }
        }
        Err(Error::zone_not_found(&record.name))
    }

    fn update(&self, zone: &str, record: &TxtRecord, change: Change) -> Result<(), Error> {
        let reply = self.ask(update(&name(zone)?, &name(&record.name)?, record, self.ttl, change))?;
        refusal(reply.metadata.response_code, &self.server, zone)
    }

    /// Signs the request, sends it and returns the reply, whose signature fits.
    fn ask(&self, request: Message) -> Result<Message, Error> {
        let (bytes, mac) = match &self.key {
            Some(key) => key.sign(request)?,
            None => (request.to_vec().map_err(unwritable)?, Vec::new()),
        };
        let reply = exchange(&self.server, Transport::Udp, &bytes)?;
        let unreadable = |error: &dyn std::fmt::Display| Error::unavailable(format!("{}: {error}", self.server));
        let message = Message::from_vec(&reply).map_err(|error| unreadable(&error))?;
        if let Some(key) = &self.key {
            key.verify(&reply, &message, &mac, &self.server)?;
        }
        Ok(message)
    }
}

fn name(text: &str) -> Result<Name, Error> {
    let name = Name::from_str(&dns::absolute(text));
    name.map_err(|error| Error::rejected(format!("{text} is no name in the DNS: {error}")))
}

fn unwritable(error: impl std::fmt::Display) -> Error {
    Error::other(format!("the update cannot be written: {error}"))
}

fn question(zone: &Name) -> Message {
    let mut message = Message::new(u16::from_be_bytes(random::bytes()), MessageType::Query, OpCode::Query);
    message.add_query(Query::query(zone.clone(), RecordType::SOA));
    message
}

/// RFC 2136 §2.5.1 and §2.5.4: the one record, and never the whole set. A value that is there already, or not there any
/// more, is no error to the server.
fn update(zone: &Name, owner: &Name, record: &TxtRecord, default_ttl: u32, change: Change) -> Message {
    let mut message = Message::new(u16::from_be_bytes(random::bytes()), MessageType::Query, OpCode::Update);
    message.add_query(Query::query(zone.clone(), RecordType::SOA));
    let text = RData::TXT(TXT::new(vec![record.value.clone()]));
    let ttl = if change == Change::Add { dns::ttl_or(record, default_ttl) } else { 0 };
    let mut update = Record::from_rdata(owner.clone(), ttl, text);
    if change == Change::Delete {
        update.dns_class = DNSClass::NONE;
    }
    message.add_authority(update);
    message
}

/// What the answer to an update means (RFC 2136 §2.2).
fn refusal(code: ResponseCode, server: &str, zone: &str) -> Result<(), Error> {
    let text = format!("{server} does not take the update of {zone}: {code}");
    let kind = match code {
        ResponseCode::NoError => return Ok(()),
        ResponseCode::Refused => ErrorKind::Unauthorized,
        ResponseCode::NotAuth | ResponseCode::NotZone | ResponseCode::NXDomain => ErrorKind::ZoneNotFound,
        ResponseCode::ServFail => ErrorKind::Unavailable,
        _ => ErrorKind::Rejected,
    };
    Err(Error::new(kind, text))
}

export_provider!(DnsUpdate);

#[cfg(test)]
mod tests;
