use std::time::Duration;

use proptest::prelude::*;

use super::super::dns::Propagation;
use super::super::tests::example;
use super::*;

fn environment(text: &str) -> Environment {
    Environment::parse(text, []).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn value(environment: &Environment, name: &str) -> Option<String> {
    environment.get(name).map(|value| value.expose_secret().to_owned())
}

#[test]
fn the_documented_file_loads_as_written() {
    let text = std::fs::read_to_string(example("example.env")).expect("example");
    let environment = environment(&text);
    assert_eq!(value(&environment, "CLOUDFLARE_EMAIL").as_deref(), Some("admin@example.com"));
    assert_eq!(value(&environment, "AWS_REGION").as_deref(), Some("us-east-1"));
    assert_eq!(value(&environment, "GCE_SERVICE_ACCOUNT_FILE").as_deref(), Some("/path/to/credentials.json"));
    assert_eq!(value(&environment, "GCE_SERVICE_ACCOUNT"), None);
    assert_eq!(environment.names().count(), 15);
    let [warning] = environment.warnings() else { panic!("{:?}", environment.warnings()) };
    assert!(warning.to_string().starts_with("line 17: GCE_SERVICE_ACCOUNT_FILE: cannot open"), "{warning}");

    let dns = environment.dns_settings().expect("valid");
    let resolvers: Vec<String> = dns.resolvers.iter().map(ToString::to_string).collect();
    assert_eq!(resolvers, ["8.8.8.8:53", "1.1.1.1:53"]);
    assert_eq!(dns.timeout, Duration::from_secs(10));
    assert_eq!(dns.propagation, Propagation::Wait(Duration::from_secs(120)));
    assert!(dns.follow_cname);
    assert!(environment.ca_settings().expect("valid").certificates.is_empty());
}

#[test]
fn the_process_wins_over_the_file_and_the_last_line_over_the_first() {
    let process = [("A".to_owned(), "process".to_owned())];
    let environment = Environment::parse("A=file\nB=one\nB=two\n", process).expect("valid");
    assert_eq!(value(&environment, "A").as_deref(), Some("process"));
    assert_eq!(value(&environment, "B").as_deref(), Some("two"));
    assert_eq!(environment.warnings()[0].to_string(), "line 3: B: given twice, first on line 2: the last one counts");
}

#[test]
fn quoting_comments_and_several_lines() {
    let text = "\u{feff}# c\nexport A=1 # c\nB='a $b #c'\nC=\"x\ny\"\nD=a#b\nE=\n\nF=\"q\\\"q\"\r\n";
    let environment = environment(text);
    let expected = [("A", "1"), ("B", "a $b #c"), ("C", "x\ny"), ("D", "a#b"), ("F", "q\"q")];
    for (name, expected) in expected {
        assert_eq!(value(&environment, name).as_deref(), Some(expected), "{name}");
    }
    assert_eq!(value(&environment, "E"), None, "empty counts as absent");
}

#[test]
fn a_malformed_line_is_named_by_number_and_never_shown() {
    let table = [
        ("A=1\nhunter2\n", 2),
        ("# c\n\nA=hunter2 and more\n", 3),
        ("A=1\nB='hunter2\nmore\n", 2),
        ("A=\"x\ny\"\n-B=hunter2\n", 3),
        ("A=hunter2\\q", 1),
        ("A='x\ny' hunter2\nB=1\n", 1),
    ];
    for (text, line) in table {
        let error = Environment::parse(text, []).expect_err(text);
        let message = error.to_string();
        assert!(message.contains(&format!("line {line}:")), "{text:?}: {message}");
        assert!(!message.contains("hunter2") && !format!("{error:?}").contains("hunter2"), "{message}");
    }
}

#[test]
fn a_missing_file_is_an_empty_one() {
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join(".env");
    assert!(Environment::load(&file).is_ok());
    std::fs::write(&file, "A=1\nhunter2\n").expect("written");
    let error = Environment::load(&file).expect_err("malformed").to_string();
    assert!(error.contains(&format!("{} is malformed: line 2:", file.display())), "{error}");
    assert!(matches!(Environment::load(directory.path()), Err(EnvironmentError::Read { .. })));
}

#[test]
fn the_file_is_read_and_the_process_left_alone() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join(".env");
    std::fs::write(&path, "ACME_MANAGER_TEST_ONLY=1\n").expect("written");
    let environment = Environment::load(&path).expect("valid");
    assert_eq!(value(&environment, "ACME_MANAGER_TEST_ONLY").as_deref(), Some("1"));
    assert!(std::env::var_os("ACME_MANAGER_TEST_ONLY").is_none());
    assert_eq!(value(&environment, "PATH"), std::env::var_os("PATH").and_then(|path| path.into_string().ok()));
}

#[test]
fn files_stand_in_for_values() {
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join("token");
    std::fs::write(&file, "hunter2\n").expect("written");
    let text = format!("A_FILE={0}\nB_FILE={0}\nB=direct\nC_FILE=/nowhere\n", file.display());
    let environment = environment(&text);
    assert_eq!(value(&environment, "A").as_deref(), Some("hunter2"));
    assert_eq!(value(&environment, "B").as_deref(), Some("direct"));
    assert_eq!(value(&environment, "C"), None);
    let problem = environment.resolve("C").expect_err("unreadable");
    assert!(problem.to_string().starts_with("C_FILE: cannot read /nowhere"), "{problem}");
    assert!(!format!("{environment:?}").contains("hunter2"));
    assert!(!format!("{environment:?}").contains("direct"));
}

#[test]
fn dns_settings_are_typed() {
    let dns = |text: &str| environment(text).dns_settings().expect("valid");
    assert_eq!(dns("").propagation, Propagation::Authoritative);
    assert_eq!(dns("ACME_MANAGER_DNS_PROPAGATIONRNS=1").propagation, Propagation::AuthoritativeAndRecursive);
    assert_eq!(dns("ACME_MANAGER_DNS_PROPAGATIONDISABLEANS=true").propagation, Propagation::None);
    let both = "ACME_MANAGER_DNS_PROPAGATIONDISABLEANS=t\nACME_MANAGER_DNS_PROPAGATIONRNS=T";
    assert_eq!(dns(both).propagation, Propagation::Recursive);
    assert_eq!(dns("ACME_MANAGER_DNS_PROPAGATIONWAIT=0").propagation, Propagation::Authoritative);
    assert!(!dns("LEGO_DISABLE_CNAME_SUPPORT=true").follow_cname);
    let resolvers = dns("ACME_MANAGER_DNS_RESOLVERS='9.9.9.9, ::1,[::2]:54,dns.example'").resolvers;
    let resolvers: Vec<String> = resolvers.iter().map(ToString::to_string).collect();
    assert_eq!(resolvers, ["9.9.9.9:53", "[::1]:53", "[::2]:54", "dns.example:53"]);
}

#[test]
fn ca_settings_are_a_list_of_files() {
    let ca = environment("LEGO_CA_CERTIFICATES=/a.pem:/b.pem:\nLEGO_CA_SYSTEM_CERT_POOL=true").ca_settings();
    let ca = ca.expect("valid");
    assert_eq!(ca.certificates, [PathBuf::from("/a.pem"), PathBuf::from("/b.pem")]);
    assert!(ca.with_public_roots);
}

#[test]
fn all_mistakes_in_settings_come_together() {
    let text = "
ACME_MANAGER_DNS_RESOLVERS=8.8.8.8:0,ok:53,a b
ACME_MANAGER_DNS_TIMEOUT=soon
ACME_MANAGER_DNS_PROPAGATIONDISABLEANS=true
ACME_MANAGER_DNS_PROPAGATIONRNS=yes
ACME_MANAGER_DNS_PROPAGATIONWAIT=-5
ACME_MANAGER_DNS_PROPAGATIONWAITS=5
LEGO_DISABLE_CNAME_SUPPORT=maybe
"
    .replace("a b", "'a_b'/");
    let error = environment(&text).dns_settings().expect_err("mistakes");
    insta::assert_snapshot!(error.to_string());
    let exclusive = "ACME_MANAGER_DNS_PROPAGATIONWAIT=5\nACME_MANAGER_DNS_PROPAGATIONRNS=true\n\
                     ACME_MANAGER_DNS_PROPAGATIONDISABLEANS=true";
    let error = environment(exclusive).dns_settings().expect_err("exclusive").to_string();
    assert!(error.contains("2 mistakes") && error.contains("cannot be given together"), "{error}");
    assert!(environment("LEGO_CA_SYSTEM_CERT_POOL=perhaps").ca_settings().is_err());
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "[A-C=# '\"\\\\\n\r$x{}é]{0,60}") {
        if let Ok(environment) = Environment::parse(&text, []) {
            let _ = environment.dns_settings();
        }
    }

    #[test]
    fn single_quotes_keep_everything(value in "[^'\\\\\r\\x00]{1,40}") {
        let environment = Environment::parse(&format!("A='{value}'\n"), []).expect("quoted");
        prop_assert_eq!(environment.get("A").map(|v| v.expose_secret().to_owned()), Some(value));
    }
}
