use std::fs;

use acme_manager_plugin_runtime::HostGrant;

use super::*;
use crate::command::Reach;
use crate::text::block;

/// A bundled component that describes another host: one of the same length, so that nothing else of it changes.
fn stranger(host: &str, folder: &Path) -> std::path::PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/digitalocean.wasm");
    let mut bytes = fs::read(path).expect("run `cargo xtask plugins`");
    // Its host before its first key, and the address that it asks unless told otherwise.
    change(&mut bytes, "api.digitalocean.comDO_AUTH_TOKEN", host);
    if host.starts_with("http://") {
        change(&mut bytes, "https://api.digitalocean.com", host);
    }
    let file = folder.join("stranger.wasm");
    fs::write(&file, bytes).expect("the folder takes files");
    file
}

fn change(bytes: &mut [u8], from: &str, to: &str) {
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).expect(from);
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
}

fn names(reachable: &Reachable) -> Vec<String> {
    reachable.grants.hosts.iter().map(HostGrant::to_string).collect()
}

#[tokio::test]
async fn described_hosts_in_this_network_are_not_granted_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let environment = BTreeMap::from([("DO_AUTH_TOKEN".to_owned(), "an-invented-token".to_owned())]);
    for (host, grant) in
        [("http://127.0.0.1:80/", "http://127.0.0.1"), ("169.254.169.254:8080", "169.254.169.254:8080")]
    {
        let bench = Bench::load(&stranger(host, folder.path())).await.unwrap();
        let nothing = Reach::default();
        let reachable = bench.reachable(&environment, &nothing, Described::Certain).unwrap();
        assert_eq!((names(&reachable), reachable.withheld.len()), (Vec::new(), 1), "{host}");
        let said = announced(&environment, &reachable);
        assert!(said.contains("variables: DO_AUTH_TOKEN\n") && said.contains("hosts:     none\n"), "{said}");
        assert!(said.contains(&format!("add --allow-host {grant}\n")), "{said}");

        // Whoever means it says so; so does a variable that holds the address of the API.
        let allowed = Reach { hosts: vec![grant.to_owned()], ..Reach::default() };
        let reachable = bench.reachable(&environment, &allowed, Described::Certain).unwrap();
        assert!(names(&reachable).contains(&grant.to_owned()) && reachable.withheld.is_empty(), "{host}");
        let endpoint = BTreeMap::from([("DO_API_URL".to_owned(), "http://127.0.0.1/v2".to_owned())]);
        let reachable = bench.reachable(&endpoint, &nothing, Described::Certain).unwrap();
        assert_eq!(names(&reachable), ["http://127.0.0.1"]);
        assert_eq!(reachable.withheld.is_empty(), grant == "http://127.0.0.1");

        // A mock answers for every host.
        let reachable = bench.reachable(&environment, &nothing, Described::All).unwrap();
        assert_eq!((names(&reachable), reachable.withheld.len()), (vec![grant.to_owned()], 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_leads_nobody_into_this_network() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    // As long as the host that the component has by itself.
    let host = format!("http://0x7f.1:{:05}/", listener.local_addr().unwrap().port());
    let secrets = folder.path().join("secrets");
    fs::write(&secrets, "DO_AUTH_TOKEN=an-invented-token\n").unwrap();
    let words =
        format!("run {} check --timeout 2 --env-file {}", stranger(&host, folder.path()).display(), secrets.display());
    for (more, is_led) in [("", false), (host.as_str(), true)] {
        let mut options = options(&words);
        options.reach.hosts = (!more.is_empty()).then(|| more.to_owned()).into_iter().collect();
        let mut told = String::new();
        let before = |announced: &str| {
            assert!(listener.accept().is_err(), "it is told before anything is asked");
            told = announced.to_owned();
        };
        run(&options, before).await.expect_err("nobody answers");
        assert_eq!(listener.accept().is_ok(), is_led, "{told}");
        assert!(told.contains("variables: DO_AUTH_TOKEN\n") && !told.contains("an-invented-token"), "{told}");
        assert_eq!(told.contains("add --allow-host http://127.0.0.1:"), !is_led, "{told}");
    }
}

fn options(words: &str) -> RunOptions {
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    let Ok(crate::Invocation::Run(command)) = crate::Command::read(&words) else { panic!("it is one: {words:?}") };
    let crate::Command::Run(options) = *command else { panic!("it is a run") };
    *options
}

#[test]
fn what_it_gets_is_told_by_name_and_once() {
    let environment = BTreeMap::from([("B_URL".into(), "http://x".into()), ("A_TOKEN".into(), "s3cr3t".into())]);
    let mut reachable = Reachable { grants: Default::default(), withheld: Vec::new() };
    reachable.grants.hosts =
        ["api.example.com", "*.example.org", "https://api.example.com"].map(|host| host.parse().unwrap()).into();
    reachable.grants.dns_servers = vec!["192.0.2.1".parse().unwrap()];
    reachable.grants.cidrs = vec!["10.0.0.0/8".parse().unwrap()];
    assert_eq!(
        announced(&environment, &reachable),
        "the component gets\n  variables: A_TOKEN, B_URL\n  hosts:     api.example.com, *.example.org\n  name servers: 192.0.2.1\n  \
         networks that are not public: 10.0.0.0/8\n"
    );
}

#[test]
fn a_handle_is_a_word_of_a_command_and_no_more() {
    let options = options("run a.wasm present --name _acme-challenge.example.com --zone example.com");
    let record = record(&options).unwrap();
    let said = presented(&options, &record, "7'; reboot\n\u{1b}[2J\u{202e}");
    assert_eq!(said.lines().count(), 3, "{said}");
    assert_eq!(said, block(&said), "nothing steers a terminal");
    assert!(said.contains("--zone=example.com --handle=$'7\\'; reboot\\012\\033[2J\\342\\200\\256'\n"), "{said}");
}

#[tokio::test]
async fn a_description_with_a_host_that_nobody_can_grant_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let Err(error) = Bench::load(&stranger("https://a.example/v1", folder.path())).await else {
        panic!("it has a path")
    };
    let error = format!("{error:#}");
    assert!(error.contains("names the host `https://a.example/v1`, which nobody can grant: "), "{error}");
}
