//! A server between the store and Vault that spoils what passes through it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What becomes of one request.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// Passed on, and the answer back.
    Pass,
    /// Passed on, but the connection ends without the answer.
    LoseAnswer,
    /// Passed on, and then this answer instead of Vault's.
    Instead(&'static str),
    /// Not passed on: this answer.
    Answer(String),
    /// Not passed on, never answered.
    Ignore,
}

/// Asked with `METHOD path`, the body, and the number of the request.
type Judge = dyn Fn(&str, &str, usize) -> Fate + Send + Sync;

/// Listens on a port of its own until dropped.
pub(crate) struct Middleman {
    pub(crate) url: String,
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
    /// The tokens that came with the requests.
    pub(crate) tokens: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Middleman {
    pub(crate) async fn start(
        upstream: u16,
        judge: impl Fn(&str, &str, usize) -> Fate + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let tokens = Arc::new(Mutex::new(Vec::new()));
        let sniffed = Arc::clone(&tokens);
        let witness = Arc::new(Witness { judge: Box::new(judge), log: Arc::clone(&seen), sniffed, count: 0.into() });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, upstream, Arc::clone(&witness)));
            }
        });
        Self { url, seen, tokens, _tasks: tasks }
    }

    /// How many requests began with `start`.
    pub(crate) fn count(&self, start: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|line| line.starts_with(start)).count()
    }
}

struct Witness {
    judge: Box<Judge>,
    log: Arc<Mutex<Vec<String>>>,
    sniffed: Arc<Mutex<Vec<String>>>,
    count: AtomicUsize,
}

/// One request a connection.
async fn serve(mut stream: TcpStream, upstream: u16, witness: Arc<Witness>) {
    let Some((head, body)) = message(&mut stream).await else { return };
    let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    witness.log.lock().unwrap().push(line.clone());
    let tokens = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(name, _)| name.eq_ignore_ascii_case("x-vault-token"));
    witness.sniffed.lock().unwrap().extend(tokens.map(|(_, token)| token.to_owned()));
    let fate = (witness.judge)(&line, &body, witness.count.fetch_add(1, Ordering::SeqCst));
    let answer = match &fate {
        Fate::Answer(answer) => answer.clone().into_bytes(),
        Fate::Ignore => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            return;
        }
        Fate::Pass | Fate::LoseAnswer | Fate::Instead(_) => {
            let mut vault = TcpStream::connect(("127.0.0.1", upstream)).await.unwrap();
            let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            vault.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            vault.read_to_end(&mut answer).await.unwrap();
            answer
        }
    };
    match fate {
        Fate::LoseAnswer => {}
        Fate::Instead(answer) => stream.write_all(answer.as_bytes()).await.unwrap_or_default(),
        _ => stream.write_all(&answer).await.unwrap_or_default(),
    }
}

async fn message(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end + 4].to_vec()).ok()?;
            let length =
                head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let length: usize = length.unwrap_or(0);
            while bytes.len() < end + 4 + length {
                if stream.read_buf(&mut bytes).await.ok()? == 0 {
                    return None;
                }
            }
            return Some((head, String::from_utf8(bytes[end + 4..].to_vec()).ok()?));
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// An answer with this status and body.
pub(crate) fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}
