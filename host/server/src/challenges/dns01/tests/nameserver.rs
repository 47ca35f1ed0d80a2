//! A DNS server over UDP and TCP whose zones and faults the test writes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard};

use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, CNAME, NS, SOA, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

/// What one or more servers serve.
#[derive(Default)]
pub(super) struct Zones {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    apexes: BTreeSet<Name>,
    records: Vec<Record>,
    faults: BTreeMap<Name, Fault>,
    hidden: BTreeMap<Name, usize>,
    is_terse: bool,
    questions: Vec<Question>,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: String,
    pub(super) record_type: RecordType,
    pub(super) recursion_desired: bool,
    pub(super) over_tcp: bool,
}

/// What goes wrong at a name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    Code(ResponseCode),
    Silent,
    /// The answer fits TCP alone.
    Truncated,
}

fn name(text: &str) -> Name {
    Name::from_str(&format!("{}.", text.trim_end_matches('.'))).expect("name")
}

impl Zones {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics with the zones locked")
    }

    fn add(&self, owner: &str, data: RData) -> &Self {
        self.state().records.push(Record::from_rdata(name(owner), 60, data));
        self
    }

    pub(super) fn zone(&self, apex: &str) -> &Self {
        self.state().apexes.insert(name(apex));
        let soa = SOA::new(name("ns.invalid"), name("hostmaster.invalid"), 1, 3600, 600, 86400, 1800);
        self.add(apex, RData::SOA(soa))
    }

    pub(super) fn ns(&self, zone: &str, server: &str) -> &Self {
        self.add(zone, RData::NS(NS(name(server))))
    }

    pub(super) fn a(&self, host: &str, address: [u8; 4]) -> &Self {
        self.add(host, RData::A(A(Ipv4Addr::from(address))))
    }

    pub(super) fn aaaa(&self, host: &str, address: &str) -> &Self {
        self.add(host, RData::AAAA(address.parse().expect("address")))
    }

    pub(super) fn cname(&self, alias: &str, target: &str) -> &Self {
        self.add(alias, RData::CNAME(CNAME(Name::from_ascii(format!("{target}.")).expect("name"))))
    }

    /// An alias of a name whose first label no host has.
    pub(super) fn odd_cname(&self, alias: &str, label: &[u8], parent: &str) -> &Self {
        let target = name(parent).prepend_label(label).expect("a short label");
        self.add(alias, RData::CNAME(CNAME(target)))
    }

    pub(super) fn txt(&self, owner: &str, strings: &[&str]) -> &Self {
        self.add(owner, RData::TXT(TXT::new(strings.iter().map(ToString::to_string).collect())))
    }

    pub(super) fn txt_values(&self, owner: &str) -> Vec<String> {
        let owner = name(owner);
        let text = |record: &Record| match &record.data {
            RData::TXT(txt) if record.name == owner => {
                Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned())
            }
            _ => None,
        };
        self.state().records.iter().filter_map(text).collect()
    }

    pub(super) fn replace_txt(&self, owner: &str, values: &[String]) {
        let gone = name(owner);
        self.state().records.retain(|record| record.name != gone || record.record_type() != RecordType::TXT);
        for value in values {
            self.txt(owner, &[value]);
        }
    }

    pub(super) fn fault(&self, owner: &str, fault: Fault) -> &Self {
        self.state().faults.insert(name(owner), fault);
        self
    }

    /// Answers the first questions for TXT at the name as if there was nothing.
    pub(super) fn hide(&self, owner: &str, times: usize) -> &Self {
        self.state().hidden.insert(name(owner), times);
        self
    }

    /// Negative answers come without an SOA record from now on.
    pub(super) fn terse(&self) -> &Self {
        self.state().is_terse = true;
        self
    }

    pub(super) fn questions(&self) -> Vec<Question> {
        self.state().questions.clone()
    }

    fn answer(&self, request: &Message, over_tcp: bool) -> Option<Message> {
        let mut state = self.state();
        let query = request.queries.first()?.clone();
        state.questions.push(Question {
            name: query.name().to_ascii().trim_end_matches('.').to_owned(),
            record_type: query.query_type(),
            recursion_desired: request.recursion_desired,
            over_tcp,
        });
        let mut reply = Message::response(request.id, request.op_code);
        reply.metadata.recursion_desired = request.recursion_desired;
        reply.metadata.authoritative = true;
        reply.add_query(query.clone());
        match state.faults.get(query.name()) {
            Some(Fault::Silent) => return None,
            Some(Fault::Code(code)) => {
                reply.metadata.response_code = *code;
                return Some(reply);
            }
            Some(Fault::Truncated) if !over_tcp => {
                reply.metadata.truncation = true;
                return Some(reply);
            }
            Some(Fault::Truncated) | None => {}
        }
        state.fill(&query, &mut reply);
        Some(reply)
    }
}

impl State {
    fn fill(&mut self, query: &Query, reply: &mut Message) {
        let (mut owner, record_type) = (query.name().clone(), query.query_type());
        if record_type == RecordType::TXT
            && let Some(left @ 1..) = self.hidden.get_mut(&owner)
        {
            *left -= 1;
            reply.metadata.response_code = ResponseCode::NXDomain;
            return;
        }
        let find = |records: &[Record], owner: &Name, wanted: RecordType| -> Vec<Record> {
            records.iter().filter(|r| r.name == *owner && r.record_type() == wanted).cloned().collect()
        };
        let mut answers = find(&self.records, &owner, record_type);
        let alias = find(&self.records, &owner, RecordType::CNAME);
        if answers.is_empty()
            && let Some(Record { data: RData::CNAME(target), .. }) = alias.first()
        {
            owner = target.0.clone();
            answers = alias.clone();
            answers.extend(find(&self.records, &owner, record_type));
        }
        if answers.len() <= alias.len() && answers.iter().all(|record| record.record_type() != record_type) {
            if alias.is_empty() && !self.records.iter().any(|record| owner.zone_of(&record.name)) {
                reply.metadata.response_code = ResponseCode::NXDomain;
            }
            let apex = self.apexes.iter().filter(|apex| apex.zone_of(&owner)).max_by_key(|apex| apex.num_labels());
            if let (Some(apex), false) = (apex, self.is_terse) {
                reply.add_authorities(find(&self.records, apex, RecordType::SOA));
            }
        }
        reply.add_answers(answers);
    }
}

/// A running server; it ends when dropped.
pub(super) struct NameServer {
    pub(super) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl NameServer {
    /// Serves on this address; port 0 takes a free one.
    pub(super) async fn start(ip: [u8; 4], port: u16, zones: Arc<Zones>) -> Self {
        let (udp, tcp, address) = bind(Ipv4Addr::from(ip), port).await;
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(udp, Arc::clone(&zones)));
        tasks.spawn(serve_tcp(tcp, zones));
        Self { address, _tasks: tasks }
    }
}

/// One port for both protocols. A port that is free for UDP may be taken for TCP; then another is tried.
async fn bind(ip: Ipv4Addr, port: u16) -> (UdpSocket, TcpListener, SocketAddr) {
    for _ in 0..20 {
        let Ok(udp) = UdpSocket::bind((ip, port)).await else { continue };
        let address = udp.local_addr().expect("bound");
        if let Ok(tcp) = TcpListener::bind(address).await {
            return (udp, tcp, address);
        }
    }
    panic!("no port of {ip} is free for UDP and TCP");
}

async fn serve_udp(socket: UdpSocket, zones: Arc<Zones>) {
    let mut buffer = [0; 4096];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
        let request = Message::from_vec(&buffer[..length]).expect("a well-formed question");
        if let Some(reply) = zones.answer(&request, false) {
            let bytes = reply.to_vec().expect("a small answer");
            socket.send_to(&bytes, peer).await.expect("loopback");
        }
    }
}

async fn serve_tcp(listener: TcpListener, zones: Arc<Zones>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let length = stream.read_u16().await.expect("a length");
        let mut question = vec![0; usize::from(length)];
        stream.read_exact(&mut question).await.expect("a question");
        let request = Message::from_vec(&question).expect("a well-formed question");
        if let Some(reply) = zones.answer(&request, true) {
            let bytes = reply.to_vec().expect("a small answer");
            stream.write_u16(u16::try_from(bytes.len()).expect("small")).await.expect("loopback");
            stream.write_all(&bytes).await.expect("loopback");
        }
    }
}
