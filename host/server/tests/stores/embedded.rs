//! The embedded store: conformance, and what happens to its file.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use acme_manager_server::storage::embedded::{EmbeddedSettings, EmbeddedStore, StoreKey};
use acme_manager_server::storage::{Expect, Store, StoreError, Version};
use futures::future::join_all;

use crate::{conformance, path, secret};

/// Tells the child process what to do: `job:directory`.
const CHILD_JOB: &str = "STORES_TEST_CHILD_JOB";

async fn open(dir: &Path) -> Result<EmbeddedStore, StoreError> {
    let settings = EmbeddedSettings::with_key_file(dir.join("data/store.redb"), &dir.join("store.key"))?;
    EmbeddedStore::open(settings).await
}

fn database(dir: &Path) -> PathBuf {
    dir.join("data/store.redb")
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let dir = tempfile::tempdir().unwrap();
    conformance::all(Arc::new(open(dir.path()).await.unwrap())).await;
}

#[tokio::test]
async fn keeps_everything_over_a_restart_in_private_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await.unwrap();
    store.write(&path("a/b"), &secret("hidden value"), Expect::Absent).await.unwrap();
    store.write(&path("a/c"), &secret("gone"), Expect::Absent).await.unwrap();
    store.delete(&path("a/c"), Version(1)).await.unwrap();
    assert_eq!(store.describe(), format!("embedded store {}", database(dir.path()).display()));
    drop(store);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&database(dir.path())), mode(&dir.path().join("data"))), (0o600, 0o700));
    let bytes = fs::read(database(dir.path())).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"hidden"), "a value is on the disk in the clear");
    let store = open(dir.path()).await.unwrap();
    assert_eq!(store.read(&path("a/b")).await.unwrap().unwrap().secret, secret("hidden value"));
    assert_eq!(store.read(&path("a/c")).await.unwrap(), None);
    assert_eq!(store.write(&path("a/c"), &secret("new"), Expect::Absent).await.unwrap(), Version(3));
}

#[tokio::test]
async fn a_second_opener_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await.unwrap();
    let in_use = |text: &str| text.contains("store.redb") && text.contains("open in another process");
    let error = open(dir.path()).await.unwrap_err();
    assert!(error.retryable() && in_use(&error.to_string()), "{error}");
    let output = child("open", dir.path()).stdout(Stdio::piped()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(in_use(&text), "{text}");
    store.write(&path("a"), &secret("still fine"), Expect::Absent).await.unwrap();
    drop(store);
    open(dir.path()).await.unwrap();
}

#[tokio::test]
async fn only_the_right_key_opens_it() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).await.unwrap());
    let before = fs::read(database(dir.path())).unwrap();
    let other = EmbeddedSettings { path: database(dir.path()), key: StoreKey::from_bytes([1; 32]) };
    let error = EmbeddedStore::open(other).await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { path, .. } if path.ends_with("store.redb")), "{error}");
    assert!(error.to_string().contains("another key"), "{error}");
    let key_file = dir.path().join("store.key");
    let key = fs::read(&key_file).unwrap();
    fs::remove_file(&key_file).unwrap();
    let error = open(dir.path()).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Denied { .. }) && error.to_string().contains("store.key is missing"),
        "{error}"
    );
    assert!(!key_file.exists(), "a new key was made for an old database");
    fs::write(&key_file, key).unwrap();
    drop(open(dir.path()).await.unwrap());
    assert_eq!(fs::read(database(dir.path())).unwrap().len(), before.len());
}

#[tokio::test]
async fn a_damaged_or_foreign_file_is_named_and_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await.unwrap();
    for n in 0..20 {
        store.write(&path(&format!("a/{n}")), &secret("x".repeat(9000)), Expect::Absent).await.unwrap();
    }
    drop(store);
    let good = fs::read(database(dir.path())).unwrap();
    let mut damaged: Vec<(String, Vec<u8>)> = vec![
        ("empty".to_owned(), Vec::new()),
        ("text".to_owned(), b"not a database, but long enough ".repeat(500)),
        ("zeros".to_owned(), vec![0; good.len()]),
    ];
    for length in [1, 100, 4096, 8192, good.len() / 2, good.len() - 4096, good.len() - 1] {
        damaged.push((format!("cut to {length}"), good[..length].to_vec()));
    }
    for (what, bytes) in damaged {
        fs::write(database(dir.path()), &bytes).unwrap();
        let error = open(dir.path()).await.expect_err(&what);
        assert!(matches!(&error, StoreError::Corrupt { path, .. } if path.ends_with("store.redb")), "{what}: {error}");
        assert_eq!(fs::metadata(database(dir.path())).unwrap().len(), bytes.len() as u64, "{what}");
    }
    fs::write(database(dir.path()), &good).unwrap();
    assert_eq!(open(dir.path()).await.unwrap().list("a").await.unwrap().len(), 20);
    fs::remove_file(database(dir.path())).unwrap();
    fs::create_dir(database(dir.path())).unwrap();
    assert!(matches!(open(dir.path()).await.unwrap_err(), StoreError::Denied { .. }));
}

/// Whatever byte rots: the value is right, or there is an error; never a wrong value, never a panic of the caller.
#[tokio::test]
async fn rotten_bytes_never_become_values() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await.unwrap();
    for n in 0..8 {
        store.write(&path(&format!("a/{n}")), &secret("x".repeat(5000)), Expect::Absent).await.unwrap();
    }
    drop(store);
    let good = fs::read(database(dir.path())).unwrap();
    let used: Vec<usize> = (0..good.len()).filter(|&index| good[index] != 0).step_by(1777).collect();
    let mut refused = 0;
    for &index in &used {
        let mut rotten = good.clone();
        rotten[index] ^= 0x10;
        fs::write(database(dir.path()), &rotten).unwrap();
        let Ok(store) = open(dir.path()).await else {
            refused += 1;
            continue;
        };
        for n in 0..8 {
            match store.read(&path(&format!("a/{n}"))).await {
                Ok(found) => assert_eq!(found.unwrap().secret, secret("x".repeat(5000)), "byte {index}"),
                Err(error) => assert!(!error.retryable(), "byte {index}: {error}"),
            }
        }
    }
    assert!(refused > 0 && used.len() > 20, "{refused} of {}", used.len());
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size=4m tmpfs {0} && exec \"$@\"", dir.path().display());
    // In a mount namespace of its own the file system goes away with the process.
    let program = std::env::current_exe().unwrap();
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", &mount, "sh"])
        .arg(program)
        .args(["embedded::job", "--exact", "--ignored", "--nocapture"])
        .env(CHILD_JOB, format!("fill:{}", dir.path().display()))
        .output()
        .expect("unshare is missing: apt-get install util-linux");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("nothing was lost"), "{text}");
}

#[tokio::test]
async fn a_killed_process_loses_nothing_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: HashMap<String, u64> = HashMap::new();
    for round in 1..=8 {
        let mut child = child("write", dir.path()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut count = 0;
        while count < 20 * round {
            let line = lines.next().expect("the child ended early").unwrap();
            count += usize::from(note(&line, &mut acknowledged));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            note(&line, &mut acknowledged);
        }
        let store = open(dir.path()).await.unwrap();
        for (name, version) in &acknowledged {
            let found = store.read(&path(name)).await.unwrap().unwrap();
            // One more may have been written whose acknowledgement nobody heard.
            assert!(found.version.0 == *version || found.version.0 == version + 1, "{name}: {version}, {found:?}");
            assert_eq!(found.secret, secret(format!("{name} {}", found.version.0)));
        }
    }
}

fn note(line: &str, acknowledged: &mut HashMap<String, u64>) -> bool {
    let Some((name, version)) = line.strip_prefix("ack ").and_then(|rest| rest.split_once(' ')) else { return false };
    acknowledged.insert(name.to_owned(), version.parse().unwrap());
    true
}

/// This very program, doing one job in a process of its own.
fn child(job: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["embedded::job", "--exact", "--ignored", "--nocapture"]);
    command.env(CHILD_JOB, format!("{job}:{}", dir.display()));
    command
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the other tests run it as a child process"]
async fn job() {
    let job = std::env::var_os(CHILD_JOB).expect("the parent says what to do").into_string().unwrap();
    let (job, dir) = job.split_once(':').unwrap();
    let dir = Path::new(dir);
    match job {
        "open" => println!("{}", open(dir).await.expect_err("the parent has it open")),
        "write" => write_for_ever(&open(dir).await.unwrap()).await,
        "fill" => fill(dir).await,
        _ => unreachable!("no such job"),
    }
}

async fn write_for_ever(store: &EmbeddedStore) {
    let writers = (0..4).map(|writer| async move {
        let name = format!("kill/{writer}");
        let path = path(&name);
        let found = store.read(&path).await.unwrap();
        let mut expect = found.map_or(Expect::Absent, |found| Expect::Version(found.version));
        loop {
            let next = if let Expect::Version(version) = expect { version.0 + 1 } else { 1 };
            let version = store.write(&path, &secret(format!("{name} {next}")), expect).await.unwrap();
            writeln!(std::io::stdout().lock(), "\nack {name} {}", version.0).unwrap();
            expect = Expect::Version(version);
        }
    });
    join_all(writers).await;
}

/// Fills a small file system, looks, makes room, and goes on.
async fn fill(dir: &Path) {
    fs::write(dir.join("ballast"), vec![1; 1 << 20]).unwrap();
    let store = open(dir).await.unwrap();
    let mut written = 0;
    let error = loop {
        match store.write(&path(&format!("full/{written}")), &secret("x".repeat(50_000)), Expect::Absent).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(written > 5 && error.retryable(), "{written}: {error}");
    assert!(error.to_string().contains("store.redb") && error.to_string().contains("space"), "{error}");
    let check = async |store: &EmbeddedStore, count: usize| {
        for n in 0..count {
            let found = store.read(&path(&format!("full/{n}"))).await.unwrap_or_else(|error| panic!("{n}: {error}"));
            assert_eq!(found.unwrap().secret, secret("x".repeat(50_000)));
        }
        assert_eq!(store.list("full").await.unwrap().len(), count);
        store.ping().await.unwrap();
    };
    check(&store, written).await;
    for _ in 0..3 {
        let big = store.write(&path("full/again"), &secret("x".repeat(500_000)), Expect::Absent).await;
        assert!(big.unwrap_err().retryable());
        check(&store, written).await;
    }
    drop(store);
    let store = open(dir).await.unwrap();
    check(&store, written).await;
    fs::remove_file(dir.join("ballast")).unwrap();
    store.write(&path(&format!("full/{written}")), &secret("x".repeat(50_000)), Expect::Absent).await.unwrap();
    check(&store, written + 1).await;
    println!("nothing was lost");
}
