use std::path::Path;

use super::super::tests::example;
use super::*;

fn parse(line: &str) -> Result<Command, FlagError> {
    Flags::parse_from(std::iter::once("acme-manager-server").chain(line.split_whitespace()))
}

fn serve(line: &str) -> Flags {
    match parse(line) {
        Ok(Command::Serve(flags)) => *flags,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn the_documented_command_lines_load_as_written() {
    let text = std::fs::read_to_string(example("command-lines.sh")).expect("example");
    let lines = text.replace("\\\n", " ");
    let lines: Vec<&str> = lines.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let flags: Vec<Flags> = lines
        .iter()
        .map(|line| match Flags::parse_from(line.split_whitespace()) {
            Ok(Command::Serve(flags)) => *flags,
            other => panic!("{line}: {other:?}"),
        })
        .collect();
    let [single, first, second, third, unit, tls] = flags.as_slice() else { panic!("{} lines", flags.len()) };
    assert_eq!(single.server.listen_address, ListenAddress::AllInterfaces { port: 8989 });
    assert_eq!(first.ring.instance_id.as_deref(), Some("node1"));
    assert_eq!(first.ring.instance_addr.as_deref(), Some("192.168.1.10"));
    assert!(first.ring.join_members.is_empty());
    let members = |flags: &Flags| flags.ring.join_members.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(members(second), ["192.168.1.10:7946"]);
    assert_eq!(members(third), ["192.168.1.10:7946", "192.168.1.11:7946"]);
    assert_eq!(unit.env_config_path, Path::new("/etc/acme-manager/.env"));
    assert_eq!(members(unit), ["node1:7946", "node2:7946", "node3:7946"]);
    assert_eq!(tls.server.tls_client_ca_file.as_deref(), Some(Path::new("ca.crt")));
}

#[test]
fn defaults_are_the_documented_ones() {
    let flags = Flags::default();
    assert_eq!((flags.log.level, flags.log.format), (LogLevel::Info, LogFormat::Logfmt));
    assert_eq!(flags.server.listen_address.to_string(), ":8989");
    assert_eq!(flags.server.http_read_timeout, Duration::from_secs(300));
    assert_eq!(flags.server.http_read_header_timeout, Duration::from_secs(10));
    assert_eq!(
        (flags.config_path.as_path(), flags.env_config_path.as_path()),
        (Path::new("config.yml"), Path::new(".env"))
    );
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    assert_eq!(flags.check.renewal_interval, minutes(30));
    assert_eq!(flags.check.config_interval, Duration::from_secs(30));
    assert_eq!(flags.check.token_interval, minutes(1));
    assert_eq!(flags.check.issuer_interval, minutes(10));
    assert_eq!(flags.ring.instance_port, 7946);
    assert_eq!(flags.ring.heartbeat_period, Duration::from_secs(5));
    assert_eq!(flags.ring.heartbeat_timeout, minutes(1));
    assert!(flags.ring.keep_instance_in_ring_on_shutdown);
    assert!(!flags.cleanup.enabled && !flags.cleanup.cert_revoke_last_version && !flags.allow_unverified_plugins);
    assert_eq!((flags.cleanup.interval, flags.cleanup.cert_expire_days), (minutes(60), 10));
    assert_eq!((flags.memberlist.bind_port, flags.memberlist.gossip_nodes), (7946, 3));
    assert_eq!(flags.given().count(), 0);
}

#[test]
fn go_spellings_are_all_one() {
    for line in ["-ring.instance-id x", "-ring.instance-id=x", "--ring.instance-id=x", "--ring.instance-id x"] {
        let flags = serve(line);
        assert_eq!(flags.ring.instance_id.as_deref(), Some("x"), "{line}");
        assert!(flags.is_given("ring.instance-id") && !flags.is_given("ring.instance-addr"));
    }
    for line in ["-cleanup", "--cleanup", "-cleanup=true", "-cleanup=T", "-cleanup=false -cleanup=1"] {
        assert!(serve(line).cleanup.enabled, "{line}");
    }
    for line in ["-cleanup=false", "-cleanup=0", "-cleanup -cleanup=F"] {
        assert!(!serve(line).cleanup.enabled, "{line}");
    }
    assert_eq!(serve("-check-renewal-interval=1h30m").check.renewal_interval, Duration::from_secs(5400));
    assert_eq!(serve("-ring.instance-id -x").ring.instance_id.as_deref(), Some("-x"), "as Go takes it");
    assert_eq!(serve("-ring.instance-id=").ring.instance_id, None);
    assert_eq!(serve("-config-path a=b").config_path, Path::new("a=b"));
    assert_eq!(serve("-log.level=debug -log.level=error").log.level, LogLevel::Error);
    let joined = serve("-ring.join-members=a,[::1]:1 -ring.join-members=b:2").ring.join_members;
    let joined: Vec<String> = joined.iter().map(ToString::to_string).collect();
    assert_eq!(joined, ["a:7946", "[::1]:1", "b:2"]);
}

#[test]
fn every_flag_of_the_transport_is_accepted() {
    let definition = Flags::command();
    let mut count = 0;
    for flag in definition.get_arguments() {
        let name = flag.get_long().expect("all flags are long");
        let kind = flag.get_value_names().and_then(<[_]>::first).expect("all flags have a kind").to_string();
        let value = match (kind.as_str(), flag.get_default_values().first()) {
            (_, Some(default)) => default.to_string_lossy().into_owned(),
            _ => "x".to_owned(),
        };
        assert!(matches!(kind.as_str(), "string" | "int" | "duration" | "bool"), "{name}: {kind}");
        let belongs_to_commands = flag.get_help_heading() == Some("Plugin signatures");
        if !name.starts_with("server.tls") && !belongs_to_commands {
            assert!(parse(&format!("-{name}={value}")).is_ok(), "-{name}={value}");
        }
        count += 1;
    }
    assert!(count > 70, "{count}");
}

#[test]
fn wrong_command_lines_say_what_is_wrong() {
    let table = [
        ("-cleanup.intervall=1h", "unknown flag -cleanup.intervall; did you mean -cleanup.interval?"),
        ("-log.levle debug", "unknown flag -log.levle; did you mean -log.level?"),
        ("--zzzzzz", "unknown flag -zzzzzz; see -help"),
        ("-config-path", "flag -config-path needs a value"),
        ("-log.level=loud", "flag -log.level: expected one of debug, info, warn, error, got \"loud\""),
        ("-log.format=xml", "flag -log.format: expected one of logfmt, json, got \"xml\""),
        ("-cleanup=yes", "flag -cleanup: expected true or false, got \"yes\""),
        ("-cleanup yes", "unexpected argument \"yes\""),
        ("-check-token-interval=1d", "flag -check-token-interval: \"1d\" is not valid"),
        ("-check-token-interval=0s", "flag -check-token-interval: must be longer than 0"),
        ("-server.http-read-timeout=5s", "flag -server.http-read-timeout: expected whole seconds"),
        ("-server.listen-address=8989", "flag -server.listen-address: expected host:port or :port"),
        ("-server.listen-address=:99999", "expected a port from 0 to 65535"),
        ("-server.listen-address=::1:80", "expected [host]:port"),
        ("-ring.instance-port=99999", "flag -ring.instance-port: 99999 is not in 0..=65535"),
        ("-ring.join-members=a:x", "flag -ring.join-members: expected a port from 1 to 65535"),
        ("-ring.join-members=a,,b", "flag -ring.join-members: expected host or host:port"),
        ("-ring.heartbeat-period=2m", "-ring.heartbeat-timeout must be longer"),
        ("-cleanup.cert-expire-days=-1", "flag -cleanup.cert-expire-days"),
        ("-server.tls-cert-file=a", "need each other"),
        ("-server.tls-client-ca-file=a", "needs -server.tls-cert-file"),
        ("-cluster.expect=x", "flag -cluster.expect"),
        ("serve", "unexpected argument \"serve\"; see -help"),
        ("plugins list", "unexpected argument \"plugins\"; did you mean `plugin`?"),
        ("inspekt x", "unexpected argument \"inspekt\"; did you mean `plugin inspect`?"),
        ("-key k", "belong to `plugin keygen`"),
        ("-", "unexpected argument \"-\""),
    ];
    for (line, expected) in table {
        let message = parse(line).expect_err(line).to_string();
        assert!(message.contains(expected), "{line}: {message}");
    }
}

#[test]
fn flags_can_be_commands() {
    assert!(matches!(parse("-config-check"), Ok(Command::ConfigCheck(_))));
    assert!(matches!(parse("-config-check=false"), Ok(Command::Serve(_))));
    assert!(matches!(parse("--version"), Ok(Command::Version)));
}

#[test]
fn listen_addresses() {
    let candidates = |text: &str| text.parse::<ListenAddress>().map(|address| address.candidates());
    assert_eq!(candidates(":80"), Ok(vec!["[::]:80".to_owned(), "0.0.0.0:80".to_owned()]));
    for exact in ["127.0.0.1:0", "[::1]:8989", "localhost:8989"] {
        assert_eq!(candidates(exact), Ok(vec![exact.to_owned()]));
    }
}

#[test]
fn help_is_in_go_spelling() {
    for line in ["-h", "-help", "--help", "-log.level=debug -h"] {
        assert!(matches!(parse(line), Ok(Command::Help(text)) if !text.contains("memberlist")), "{line}");
    }
    let Ok(Command::Help(text)) = parse("-help") else { panic!("help") };
    insta::assert_snapshot!("help", text);
    let Ok(Command::Help(all)) = parse("-help-all") else { panic!("help") };
    insta::assert_snapshot!("help-all", all);
}
