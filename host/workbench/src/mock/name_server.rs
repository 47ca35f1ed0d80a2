//! Name servers that are played: one address for each, over UDP and TCP, so that it is known who was asked.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use acme_manager_plugin_script::{Answer, DnsRequest, Rcode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use super::{Play, Role, lock, next};

/// The largest that a length of two bytes can announce. RFC 1035 §4.2.2
const LONGEST: usize = 65_535;
/// How often a port of UDP is looked for that TCP has free as well.
const TRIES: usize = 16;

type Shared = Arc<Mutex<Play>>;

/// Starts the server `name` in `tasks`.
pub(super) async fn start(name: &str, play: Shared, tasks: &mut JoinSet<()>) -> std::io::Result<SocketAddr> {
    let (datagrams, connections) = sockets().await?;
    let address = datagrams.local_addr()?;
    let (own, shared) = (name.to_owned(), play.clone());
    tasks.spawn(async move {
        let mut message = vec![0; LONGEST];
        // A sender that is gone makes the next receiving fail once; there is nothing to be said of it.
        loop {
            let Ok((length, from)) = datagrams.recv_from(&mut message).await else { continue };
            if let Some(reply) = answer(&own, &message[..length], &shared) {
                let _ = datagrams.send_to(&reply, from).await;
            }
        }
    });
    let name = name.to_owned();
    tasks.spawn(async move {
        let mut streams = JoinSet::new();
        loop {
            if let Ok((stream, _)) = connections.accept().await {
                let (name, play) = (name.clone(), play.clone());
                streams.spawn(async move { serve(stream, &name, &play).await });
            }
            while streams.try_join_next().is_some() {}
        }
    });
    Ok(address)
}

/// A port that both have.
async fn sockets() -> std::io::Result<(UdpSocket, TcpListener)> {
    let mut tries = 0;
    loop {
        let datagrams = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        match TcpListener::bind(datagrams.local_addr()?).await {
            Ok(connections) => return Ok((datagrams, connections)),
            Err(error) if tries == TRIES => return Err(error),
            Err(_) => tries += 1,
        }
    }
}

async fn serve(mut stream: TcpStream, name: &str, play: &Mutex<Play>) {
    while let Ok(length) = stream.read_u16().await {
        let mut message = vec![0; length.into()];
        if stream.read_exact(&mut message).await.is_err() {
            return;
        }
        let Some(reply) = answer(name, &message, play) else { continue };
        let length = u16::try_from(reply.len()).unwrap_or(u16::MAX);
        let framed = [&length.to_be_bytes()[..], &reply].concat();
        if stream.write_all(&framed).await.is_err() {
            return;
        }
    }
}

/// The reply to a message; nothing from a server that is silent.
fn answer(name: &str, message: &[u8], play: &Mutex<Play>) -> Option<Vec<u8>> {
    let mut play = lock(play);
    let asked = match DnsRequest::read(name, message) {
        Ok(asked) => asked,
        Err(problem) => {
            play.difference.get_or_insert_with(|| format!("a message to {name}: {problem}"));
            return DnsRequest::not_understood(message);
        }
    };
    let chosen: Answer = match &mut *play {
        Play { role: Role::Always(answer), .. } => answer.clone(),
        Play { role: Role::Exchanges(left), difference, surplus, .. } => {
            // Said at once, as the web server does: nobody wants to wait for what does not come.
            let unknown = || Answer { rcode: Some(Rcode::NotImp), ..Answer::of(0) };
            next(left, &asked.sent(), difference, surplus).unwrap_or_else(unknown)
        }
        Play { role: Role::Recorded(_) | Role::Late | Role::Endless, .. } => return None,
    };
    match asked.reply(&chosen) {
        Ok(reply) => Some(reply),
        Err(problem) => {
            play.difference.get_or_insert(problem);
            None
        }
    }
}
