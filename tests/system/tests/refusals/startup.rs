//! What keeps the server from starting, what `-config-check` finds, and the `plugin` commands: exit status and text.

use std::{fs, net::TcpListener, path::Path, process::Output, time::Duration};

use acme_manager_harness::{Server, ServerOptions};
use acme_manager_system_tests::site::server_binary;
use tokio::{process::Command, time::timeout};

use crate::plugin_files;

/// A good config without issuers.
const CONFIG: &str = "common: {}\nstorage:\n  embedded:\n    path: store.redb\n";

/// A server that should end at once, and does not, is ended here.
const DEADLINE: Duration = Duration::from_secs(60);

async fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(server_binary());
    command.args(arguments).current_dir(folder).kill_on_drop(true).env_clear();
    let output = timeout(DEADLINE, command.output()).await;
    output.unwrap_or_else(|_| panic!("{arguments:?} does not end")).expect("the server starts")
}

fn text(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    out + &err
}

/// Runs the server in `folder`, whose config is `config`; it must end with `code` and say each of `words`.
async fn refused(folder: &Path, config: &str, flags: &[&str], code: i32, words: &[&str]) {
    fs::write(folder.join("config.yml"), config).unwrap();
    let mut arguments = vec!["-server.listen-address=127.0.0.1:0"];
    arguments.extend(flags);
    let output = run(folder, &arguments).await;
    let said = text(&output);
    assert_eq!(output.status.code(), Some(code), "{flags:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{flags:?} {config:?}: {word:?} is not in:\n{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[tokio::test]
async fn a_config_check_names_line_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let check = ["-config-check"];
    let vault = "storage:\n  vault:\n    url: https://v.test\n    role_id: r\n    secret_id: s3cr3t\n";
    let cases: &[(String, &[&str])] = &[
        ("common: [\n".to_owned(), &["not valid YAML", "line 1"]),
        ("commom: {}\n".to_owned(), &["line 1", "did you mean `common`?"]),
        ("common:\n  cert_timeout: 4m\n".to_owned(), &["line 2", "common.cert_timeout", "whole seconds", "4m"]),
        ("common:\n  api_key_hash: short\n".to_owned(), &["common.api_key_hash", "64 hex digits"]),
        ("common:\n  plugins:\n    - name: a\n      path: a.wasm\n".to_owned(), &["plugins[0].path", "absolute"]),
        ("issuer:\n  le:\n    ca_dir_url: ftp://x\n".to_owned(), &["issuer.le.ca_dir_url", "ftp"]),
        ("issuer:\n  le:\n    ca_dir_url: https://x/d\n    eab: true\n".to_owned(), &["issuer.le", "kid", "eab"]),
        (format!("{vault}    token_prefix: certificates\n"), &["storage.vault.token_prefix", "certificate_prefix"]),
        (format!("{vault}  embedded:\n    path: x.redb\n"), &["storage", "embedded", "vault"]),
    ];
    for (config, words) in cases {
        refused(folder.path(), config, &check, 1, words).await;
    }
    refused(folder.path(), CONFIG, &check, 0, &["is valid"]).await;
    fs::write(folder.path().join("bad.env"), "ACME_MANAGER_DNS_RESOLVER=127.0.0.1\n").unwrap();
    let flags = ["-config-check", "-env-config-path=bad.env"];
    refused(
        folder.path(),
        CONFIG,
        &flags,
        1,
        &["ACME_MANAGER_DNS_RESOLVER", "did you mean ACME_MANAGER_DNS_RESOLVERS?"],
    )
    .await;
    refused(folder.path(), CONFIG, &["-config-check", "-config-path=none.yml"], 1, &["none.yml"]).await;
    assert!(!folder.path().join("store.redb").exists(), "a check makes no store");
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    refused(folder, CONFIG, &["-server.listen-addres=:1"], 2, &["server.listen-addres"]).await;
    refused(folder, CONFIG, &["-log.level=loud"], 2, &["log.level", "loud"]).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("-server.listen-address={}", taken.local_addr().unwrap());
    refused(folder, CONFIG, &[&address], 1, &["cannot listen on", "-server.listen-address", "in use"]).await;
    let key = "-server.tls-key-file=key.pem";
    let certificate = "-server.tls-cert-file=cert.pem";
    refused(folder, CONFIG, &[certificate], 2, &["-server.tls-key-file", "need each other"]).await;
    refused(folder, CONFIG, &[certificate, key], 1, &["cert.pem"]).await;
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(folder.join("cert.pem"), pair.cert.pem()).unwrap();
    refused(folder, CONFIG, &[certificate, key], 1, &["key.pem"]).await;
    let other = rcgen::KeyPair::generate().unwrap();
    fs::write(folder.join("key.pem"), other.serialize_pem()).unwrap();
    refused(folder, CONFIG, &[certificate, key], 1, &["cert.pem and its key do not make a TLS server"]).await;
    // Nobody waits for the other end of a pipe.
    for file in ["key.pem", "cert.pem"] {
        fs::remove_file(folder.join(file)).unwrap();
        let made = Command::new("mkfifo").arg(folder.join(file)).status().await.unwrap();
        assert!(made.success());
        refused(folder, CONFIG, &[certificate, key], 1, &[file, "regular file"]).await;
    }
    refused(folder, "common:\n  cert_timeout: 4m\n", &[], 1, &["common.cert_timeout"]).await;
}

#[tokio::test]
async fn a_store_is_never_opened_twice_nor_with_a_wrong_key_nor_replaced() {
    let config = "common:\n  api_key_hash: '@API_KEY_HASH@'\nstorage:\n  embedded:\n    path: '@DIR@/store.redb'\n    key_file: '@DIR@/store.key'\n";
    let mut server = Server::start(ServerOptions::new(config)).await.unwrap();
    server.wait_ready().await.unwrap();
    let bearer = server.api().bearer("web").await.unwrap();
    let folder = server.directory().to_path_buf();
    let again = fs::read_to_string(folder.join("config.yml")).unwrap();
    refused(&folder, &again, &[], 1, &["store.redb", "another process"]).await;
    server.kill9().unwrap();

    let key = fs::read(folder.join("store.key")).unwrap();
    fs::rename(folder.join("store.key"), folder.join("store.key.away")).unwrap();
    refused(&folder, &again, &[], 1, &["store.key", "missing", "backup"]).await;
    assert!(!folder.join("store.key").exists(), "no new key for a store that exists");
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Server::start(ServerOptions::new(config)).await.unwrap();
    fs::copy(other.directory().join("store.key"), folder.join("store.key")).unwrap();
    refused(&folder, &again, &[], 1, &["store.redb", "key"]).await;
    fs::write(folder.join("store.key"), "no key").unwrap();
    refused(&folder, &again, &[], 1, &["store.key"]).await;

    fs::write(folder.join("store.key"), &key).unwrap();
    let whole = fs::read(folder.join("store.redb")).unwrap();
    let zeros = vec![0; 8192];
    for torn in [&whole[..whole.len() / 2], &whole[..100], &zeros, b"not a database at all".as_slice(), b""] {
        fs::write(folder.join("store.redb"), torn).unwrap();
        refused(&folder, &again, &[], 1, &["store.redb"]).await;
        assert_eq!(fs::read(folder.join("store.redb")).unwrap().len(), torn.len(), "the torn file is left alone");
    }
    fs::remove_file(folder.join("store.redb")).unwrap();
    fs::create_dir(folder.join("store.redb")).unwrap();
    refused(&folder, &again, &[], 1, &["store.redb"]).await;
    fs::remove_dir(folder.join("store.redb")).unwrap();
    fs::write(folder.join("store.redb"), &whole).unwrap();
    drop(elsewhere);
    server.restart().await.unwrap();
    server.wait_ready().await.unwrap();
    server.api().metadata(&bearer).await.unwrap();
}

#[tokio::test]
async fn plugin_commands_say_what_a_file_is() {
    let folder = tempfile::tempdir().unwrap();
    let plugins = plugin_files::all(folder.path());
    let work = tempfile::tempdir().unwrap();
    for plugin in plugins.iter().filter(|plugin| !plugin.inspected.is_empty()) {
        let path = plugin.path.display().to_string();
        let output = run(work.path(), &["plugin", "inspect", &path]).await;
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{}: {said}", plugin.name);
        assert!(said.contains(plugin.inspected), "{}: {:?} is not in {said}", plugin.name, plugin.inspected);
        let output = run(work.path(), &["plugin", "checksum", &path]).await;
        let said = text(&output);
        // Whatever can be read has a checksum.
        let readable = plugin.checksum.chars().any(|digit| digit != '0');
        assert_eq!(output.status.success(), readable, "{}: {said}", plugin.name);
        assert!(said.contains(if readable { &plugin.checksum } else { plugin.inspected }), "{}: {said}", plugin.name);
    }
    // A reader that goes away is no mistake, and no panic.
    let binary = server_binary();
    let script = format!("{0} -help | true; test ${{PIPESTATUS[0]}} = 0 && {0} -help | head -1", binary.display());
    let output = Command::new("bash").args(["-c", &script]).output().await.unwrap();
    assert!(output.status.success() && !text(&output).contains("panicked"), "{}", text(&output));
    // Nor is it one that nobody can be told of a mistake: the status says it.
    for (words, status) in
        [("plugin inspect nowhere", 1), ("plugin frob", 2), ("-config-path=nowhere -config-check", 1)]
    {
        let script = format!("{} {words} 2>/dev/full", binary.display());
        let output = Command::new("bash").args(["-c", &script]).current_dir(work.path()).output().await.unwrap();
        assert_eq!(output.status.code(), Some(status), "{words}: {}", text(&output));
    }
    // Where nobody can be asked for a password, it is said how to give it.
    let key = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../host/server/src/app/plugins/foreign/fixtures/secret.key")
        .display()
        .to_string();
    fs::write(work.path().join("empty.wasm"), b"\0asm\x0d\0\x01\0").unwrap();
    let mut alone = Command::new("setsid");
    alone.args(["--wait".as_ref(), binary.as_os_str()]).args(["plugin", "sign", "empty.wasm", "-key", &key]);
    let output = alone.current_dir(work.path()).output().await.unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no terminal to ask") && said.contains("-password-file"), "{said}");
    // Log lines that go into a file are text.
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/digitalocean.wasm");
    let component = component.display().to_string();
    fs::write(work.path().join("keys"), "DO_AUTH_TOKEN=an-invented-token\n").unwrap();
    let words = ["plugin", "run", &component, "check", "--env-file", "keys", "--env", "DO_API_URL=https://127.0.0.1:1"];
    let said = text(&run(work.path(), &words).await);
    assert!(said.contains(" INFO request failed") && !said.contains('\u{1b}'), "{said:?}");
    let mut config = "common:\n  plugins:\n".to_owned();
    config.extend(plugins.iter().map(plugin_files::BrokenPlugin::entry));
    fs::write(work.path().join("config.yml"), config + "storage:\n  embedded:\n    path: store.redb\n").unwrap();
    let output = run(work.path(), &["plugin", "list"]).await;
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for plugin in &plugins {
        let mut lines = said.lines().filter(|line| line.split_whitespace().next() == Some(plugin.name));
        let line = lines.next().unwrap_or_else(|| panic!("no {} in {said}", plugin.name));
        assert!(line.contains("not usable") && line.contains(plugin.words), "{:?} is not in {line}", plugin.words);
    }
    assert!(said.contains("cloudflare") && said.contains("bundled"), "{said}");
}
