//! DNS messages in scripts. A message becomes a request like one over HTTP: the method is `QUERY` or `UPDATE`, the URL
//! `dns://SERVER/NAME?type=TYPE` (of an update, `dns://SERVER/ZONE`), and the body holds the records of an update, one in
//! a line, as zone files have them.

use std::str::FromStr;

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use serde::Deserialize;

use crate::{Answer, Sent};

/// What a URL of a DNS message begins with.
pub(crate) const SCHEME: &str = "dns://";

/// How a name server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "RFC 1035 and RFC 2136 document them")]
pub enum Rcode {
    NoError,
    FormErr,
    ServFail,
    NxDomain,
    NotImp,
    Refused,
    YxDomain,
    YxRrSet,
    NxRrSet,
    NotAuth,
    NotZone,
}

/// A DNS message that a plugin sent.
#[derive(Debug)]
pub struct DnsRequest {
    message: Message,
    method: &'static str,
    url: String,
    body: String,
}

impl DnsRequest {
    /// Reads a message to `server`, which is written as the plugin writes it.
    ///
    /// # Errors
    /// When it is none that a script can answer.
    pub fn read(server: &str, message: &[u8]) -> Result<Self, String> {
        let message = Message::from_vec(message).map_err(|error| format!("it is no DNS message: {error}"))?;
        // Where the library keeps a signature depends on what else it is built with.
        let is_signature = |record: &Record| record.record_type() == RecordType::TSIG;
        if message.signature.is_some() || message.additionals.iter().any(is_signature) {
            return Err("it is signed, and scripts have no keys: leave the key out of the environment".to_owned());
        }
        let [question] = message.queries.as_slice() else { return Err("it does not have one question".to_owned()) };
        let host = host(server);
        let (name, kind) = (text(question.name()), question.query_type());
        let (method, url) = match message.metadata.op_code {
            OpCode::Query => ("QUERY", format!("{SCHEME}{host}/{name}?type={kind}")),
            OpCode::Update => ("UPDATE", format!("{SCHEME}{host}/{name}")),
            other => return Err(format!("its opcode is {other}")),
        };
        let body: Vec<String> = message.authorities.iter().map(line).collect();
        let body = body.join("\n");
        Ok(Self { message, method, url, body })
    }

    /// The reply to a message that no script can answer, so that nobody waits for one; nothing to what is no message.
    #[must_use]
    pub fn not_understood(message: &[u8]) -> Option<Vec<u8>> {
        let message = Message::from_vec(message).ok()?;
        let mut reply = Message::response(message.metadata.id, message.metadata.op_code);
        reply.metadata.response_code = ResponseCode::NotImp;
        reply.add_queries(message.queries);
        reply.to_vec().ok()
    }

    /// The same as a request.
    #[must_use]
    pub fn sent(&self) -> Sent<'_> {
        Sent { method: self.method, url: &self.url, headers: &[], body: self.body.as_bytes() }
    }

    /// The server's reply.
    ///
    /// # Errors
    /// When the script's answer is none of a name server.
    pub fn reply(&self, answer: &Answer) -> Result<Vec<u8>, String> {
        let code = answer.rcode.ok_or("the answer to a DNS message has an `rcode`")?;
        let mut reply = Message::response(self.message.metadata.id, self.message.metadata.op_code);
        reply.metadata.response_code = code.into();
        reply.add_queries(self.message.queries.clone());
        reply.add_answers(answer.records.iter().map(|text| record(text)).collect::<Result<Vec<_>, _>>()?);
        reply.to_vec().map_err(|error| format!("the answer cannot be written: {error}"))
    }
}

/// The name or address of a server that is written `host`, `host:port` or `[IPv6]:port`.
#[must_use]
pub fn host(server: &str) -> String {
    let without_port = match server.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => server,
    };
    let is_bare_address = server.matches(':').count() > 1 && !server.starts_with('[');
    let host = if is_bare_address { server } else { without_port };
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// The server of a URL of a DNS message; nothing for other URLs.
#[must_use]
pub fn server_of(url: &str) -> Option<&str> {
    url.strip_prefix(SCHEME)?.split('/').next().filter(|host| !host.contains('*'))
}

/// A record as zone files have it: `example.com. 3600 IN CAA 0 issue "ca.example"`.
pub(crate) fn record(text: &str) -> Result<Record, String> {
    let wrong = |what: &dyn std::fmt::Display| format!("{text:?} is no record, `NAME TTL IN TYPE DATA`: {what}");
    let mut words = text.splitn(5, ' ');
    let mut word = || words.next().filter(|word| !word.is_empty()).ok_or_else(|| wrong(&"a part is missing"));
    let name = Name::from_str(word()?).map_err(|error| wrong(&error))?;
    let ttl = word()?.parse().map_err(|error| wrong(&error))?;
    if word()? != "IN" {
        return Err(wrong(&"the class is IN"));
    }
    let kind = RecordType::from_str(word()?).map_err(|error| wrong(&error))?;
    let data = RData::try_from_str(kind, word()?).map_err(|error| wrong(&error))?;
    Ok(Record::from_rdata(name, ttl, data))
}

fn line(record: &Record) -> String {
    let (kind, data) = (record.record_type(), &record.data);
    let data = match data {
        // Each part is a text of its own on the wire.
        RData::TXT(text) => {
            let parts = text.txt_data.iter().map(|part| format!("{:?}", String::from_utf8_lossy(part)));
            parts.collect::<Vec<_>>().join(" ")
        }
        data => data.to_string(),
    };
    format!("{} {} {} {kind} {data}", record.name.to_ascii(), record.ttl, record.dns_class)
}

fn text(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

impl From<Rcode> for ResponseCode {
    fn from(code: Rcode) -> Self {
        match code {
            Rcode::NoError => Self::NoError,
            Rcode::FormErr => Self::FormErr,
            Rcode::ServFail => Self::ServFail,
            Rcode::NxDomain => Self::NXDomain,
            Rcode::NotImp => Self::NotImp,
            Rcode::Refused => Self::Refused,
            Rcode::YxDomain => Self::YXDomain,
            Rcode::YxRrSet => Self::YXRRSet,
            Rcode::NxRrSet => Self::NXRRSet,
            Rcode::NotAuth => Self::NotAuth,
            Rcode::NotZone => Self::NotZone,
        }
    }
}
