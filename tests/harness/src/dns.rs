//! Questions to one name server, past every cache and resolver.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, ensure};
use hickory_resolver::proto::{
    op::{Message, Query},
    rr::{Name, RData, RecordType},
};
use tokio::{net::UdpSocket, time::timeout};

const ANSWER_DEADLINE: Duration = Duration::from_secs(5);

/// The TXT values at `name`, each joined from its strings, in alphabetical order; empty when there are none.
///
/// # Errors
/// When `server` does not answer.
pub async fn txt(server: SocketAddr, name: &str) -> anyhow::Result<Vec<String>> {
    let answer = query(server, name, RecordType::TXT).await?;
    let mut values: Vec<String> = answer
        .answers
        .iter()
        .filter_map(|record| match &record.data {
            RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
            _ => None,
        })
        .collect();
    values.sort();
    Ok(values)
}

/// The whole answer of `server` to one question over UDP.
///
/// # Errors
/// When `name` is not a domain name or `server` does not answer in time.
pub async fn query(server: SocketAddr, name: &str, record_type: RecordType) -> anyhow::Result<Message> {
    let mut name = Name::from_utf8(name).with_context(|| format!("`{name}` is not a domain name"))?;
    name.set_fqdn(true);
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name, record_type));
    let socket = UdpSocket::bind(if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).await?;
    socket.connect(server).await?;
    socket.send(&message.to_vec()?).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    let length = timeout(ANSWER_DEADLINE, socket.recv(&mut buffer)).await;
    let length = length.with_context(|| format!("{server} does not answer"))??;
    let answer = Message::from_vec(&buffer[..length])?;
    ensure!(answer.metadata.id == message.metadata.id, "{server} answered another question");
    Ok(answer)
}
