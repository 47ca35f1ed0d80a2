//! How many metadata requests one processor answers.
//!
//! The server has processor 0, the client processor 1. The client is a few blocking threads on kept connections that do
//! nothing but write a prepared request and count the bytes of the answer, so that it costs less than the server.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::{
    instance::{API_KEY, Folder},
    measure::Samples,
    seed,
};

const CONNECTIONS: usize = 8;
const RUN: Duration = Duration::from_secs(3);
const RUNS: usize = 5;

/// # Errors
/// When the server does not start or an answer is not 200.
pub(crate) async fn run(binary: &Path) -> anyhow::Result<()> {
    let folder = Folder::new(binary, "")?;
    drop(folder.start(None)?);
    seed::certificates(&folder.store(), "one", 1).await?;
    seed::certificates(&folder.store(), "many", 1000).await?;
    let server = folder.start(Some("0"))?;
    let me = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-a", "-c", "-p", "1", &me]).output().context("taskset")?;
    ensure!(pinned.status.success(), "{}", String::from_utf8_lossy(&pinned.stderr));
    for (owner, query, what) in [
        ("one", "", "1 certificate, whole list"),
        ("many", "?issuer=bench&domain=host-500.bench.example", "1,000 certificates, one of them"),
        ("many", "", "1,000 certificates, whole list"),
    ] {
        let bearer = token(server.address, owner)?;
        let request = format!(
            "GET /api/v1/certificate/metadata{query} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {bearer}\r\n\r\n"
        );
        measure(server.address, request.as_bytes(), what)?;
    }
    Ok(())
}

fn measure(address: SocketAddr, request: &[u8], what: &str) -> anyhow::Result<()> {
    let mut rates = Vec::new();
    let (mut tails, mut medians) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    for _ in 0..RUNS {
        let begun = Instant::now();
        let mut times = Vec::new();
        for (these, size) in thread::scope(|scope| {
            let work = || scope.spawn(|| connection(address, request));
            let threads: Vec<_> = (0..CONNECTIONS).map(|_| work()).collect();
            threads.into_iter().map(|t| t.join().unwrap_or_else(|_| bail!("the client broke"))).collect::<Vec<_>>()
        })
        .into_iter()
        .collect::<anyhow::Result<Vec<_>>>()?
        {
            times.extend(these);
            bytes = size;
        }
        rates.push(times.len() as f64 / begun.elapsed().as_secs_f64());
        let samples = Samples::new(times);
        tails.push(samples.percentile(99));
        medians.push(samples.median());
    }
    rates.sort_by(f64::total_cmp);
    let ms = |values| Samples::new(values).median().as_secs_f64() * 1e3;
    println!(
        "metadata, {what} ({bytes} bytes): {:.0} requests/s on one processor ({:.0} to {:.0}), \
         latency {:.2} ms median, {:.2} ms p99, {CONNECTIONS} connections",
        rates[RUNS / 2],
        rates[0],
        rates[RUNS - 1],
        ms(medians),
        ms(tails),
    );
    Ok(())
}

/// Asks again and again on one connection; the times and the size of a body.
fn connection(address: SocketAddr, request: &[u8]) -> anyhow::Result<(Vec<Duration>, usize)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let (mut buffer, mut times, mut size) = (vec![0; 256 << 10], Vec::new(), 0);
    let begun = Instant::now();
    while begun.elapsed() < RUN {
        let asked = Instant::now();
        stream.write_all(request)?;
        size = answer(&mut stream, &mut buffer)?;
        times.push(asked.elapsed());
    }
    Ok((times, size))
}

/// Reads one answer with a `Content-Length` to its end; the size of its body.
fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<usize> {
    const END: &[u8] = b"\r\n\r\n";
    let mut have = 0;
    let header = loop {
        let read = stream.read(&mut buffer[have..])?;
        ensure!(read > 0, "the server closed the connection");
        have += read;
        if let Some(at) = buffer[..have].windows(END.len()).position(|window| window == END) {
            break at + END.len();
        }
    };
    let text = std::str::from_utf8(&buffer[..header])?.to_ascii_lowercase();
    ensure!(text.starts_with("http/1.1 200"), "the server answered {text}");
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let size: usize = length.context("no Content-Length")?.trim().parse()?;
    let mut left = (header + size).saturating_sub(have);
    while left > 0 {
        let read = stream.read(buffer)?;
        ensure!(read > 0, "the server closed the connection");
        left = left.saturating_sub(read);
    }
    Ok(size)
}

fn token(address: SocketAddr, owner: &str) -> anyhow::Result<String> {
    let body = format!(r#"{{"username":"{owner}","scope":["read"],"duration":"1h"}}"#);
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST /api/v1/token HTTP/1.1\r\nHost: bench\r\nX-API-Key: {API_KEY}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let json = text.split("\r\n\r\n").nth(1).context("no body")?;
    let answer: Value = serde_json::from_str(json).with_context(|| text.clone())?;
    answer["token"].as_str().map(str::to_owned).with_context(|| format!("no token in {json}"))
}
