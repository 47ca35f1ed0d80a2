use clap::CommandFactory as _;

use super::super::{Command, Flags};
use super::*;

/// What every installation has to be told of.
const OWN: [&str; 6] = ["list", "inspect", "checksum", "keygen", "sign", "verify"];

fn parse(line: &str) -> Result<Command, FlagError> {
    Flags::parse_from(std::iter::once("acme-manager-server").chain(line.split_whitespace()))
}

fn help(line: &str) -> String {
    match parse(line) {
        Ok(Command::Help(text)) => text,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn commands_and_flags_mix() {
    let plugin = |line: &str| match parse(line) {
        Ok(Command::Plugin(command, flags)) => (command, flags.config_path),
        other => panic!("{line}: {other:?}"),
    };
    let file = || PathBuf::from("a.wasm");
    assert_eq!(plugin("plugin list"), (PluginCommand::List, PathBuf::from("config.yml")));
    let server = "https://acme.example.com".parse().expect("a URL");
    assert_eq!(plugin("plugin list https://acme.example.com").0, PluginCommand::ListOf(server));
    assert_eq!(plugin("-config-path=x plugin inspect a.wasm"), (PluginCommand::Inspect(file()), PathBuf::from("x")));
    assert_eq!(plugin("plugin checksum a.wasm -config-path x"), (PluginCommand::Checksum(file()), PathBuf::from("x")));
    assert_eq!(plugin("plugin inspect -- a.wasm").0, PluginCommand::Inspect(file()));
    let key = |password| SecretKeyFile { path: "k".into(), password };
    assert_eq!(plugin("plugin keygen -key k").0, PluginCommand::Keygen(key(KeyPassword::Terminal)));
    let key = key(KeyPassword::File("p".into()));
    assert_eq!(plugin("plugin sign a.wasm -key k -password-file p").0, PluginCommand::Sign { file: file(), key });
    assert_eq!(plugin("plugin verify a.wasm -key=k").0, PluginCommand::Verify { file: file(), key: "k".to_owned() });
    assert!(matches!(plugin("-config-path=x plugin test a.wasm --env A=-b").0, PluginCommand::Author(_)));
}

#[test]
fn each_command_has_its_help() {
    for name in OWN {
        let text = help(&format!("plugin {name} -help"));
        for line in [
            format!("plugin {name} -h"),
            format!("plugin {name} --help"),
            format!("-config-path x plugin {name} a.wasm b -no-password -h"),
        ] {
            assert_eq!(help(&line), text, "{line}");
        }
        insta::assert_snapshot!(format!("help-{name}"), text);
    }
    let overview = help("plugin -help");
    insta::assert_snapshot!("help-plugin", overview);
    assert!(help("plugin list -help-all").contains("-ring.memberlist"), "that is everything");
}

#[test]
fn the_help_of_a_command_is_true() {
    let server = Flags::command();
    for name in OWN {
        let text = help(&format!("plugin {name} -help"));
        for flag in usage::flags(name) {
            assert!(text.contains(&format!("--{flag}")), "{name}: {flag}");
            let real = server.get_arguments().find(|real| real.get_long() == Some(&flag));
            let real = real.unwrap_or_else(|| panic!("{name}: there is no flag {flag}"));
            let default = real.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
            if let Some(default) = default.filter(|default| default != "false") {
                assert!(text.contains(&format!("[default: {default}]")), "{name}: {flag}");
            }
        }
        let examples: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  acme-manager-server ")).collect();
        assert!(!examples.is_empty(), "{name}");
        for example in examples {
            assert!(matches!(parse(example), Ok(Command::Plugin(..))), "{example}");
        }
    }
}

#[test]
fn help_of_plugin_authors_is_their_own() {
    assert!(help("plugin test --help").contains("--script"));
    assert!(help("plugin test -help").contains("--script"));
}

#[test]
fn mistakes_are_sentences_that_name_the_help() {
    let table = [
        ("plugin list x", "plugin list: expected the URL of a server, like https://acme.example.com, got \"x\"; see"),
        ("plugin list https://a.example b", "plugin list: unexpected argument \"b\"; see"),
        ("plugin list -key k", "plugin list: -key, -password-file and -no-password belong to `plugin keygen`,"),
        ("plugin list -config-path", "plugin list: flag -config-path needs a value; see"),
        ("plugin list -allow-unverified-plugins=x", "plugin list: flag -allow-unverified-plugins: expected true or"),
        ("plugin inspect", "plugin inspect: FILE is missing: the component; see"),
        ("plugin checksum a b", "plugin checksum: unexpected argument \"b\"; see"),
        ("plugin checksum --zzz", "plugin checksum: unknown flag -zzz; see"),
        ("plugin keygen", "plugin keygen: -key is missing: the file of the secret key; see"),
        ("plugin keygen -key -no-password", "plugin keygen: expected a file's name behind -key"),
        ("plugin keygen a -key k", "plugin keygen: unexpected argument \"a\"; see"),
        ("plugin sign x", "plugin sign: -key is missing: the file of the secret key; see"),
        ("plugin sign x -kye k", "plugin sign: unknown flag -kye; did you mean -key? See"),
        ("plugin sign x -pasword-file k", "plugin sign: unknown flag -pasword-file; did you mean -password-file? See"),
        ("plugin sign x -key k -no-password -password-file p", "plugin sign: -password-file and -no-password exclude"),
        ("plugin sign x y -key k", "plugin sign: unexpected argument \"y\"; see"),
        ("plugin verify x", "plugin verify: -key is missing: the public key, or the file that holds it; see"),
        ("plugin verify x -key k -no-password", "plugin verify: -password-file and -no-password are for secret keys,"),
    ];
    for (line, expected) in table {
        let message = parse(line).expect_err(line).to_string();
        let command = line.split(' ').nth(1).expect("a command");
        assert!(message.starts_with(expected), "{line}: {message}");
        assert!(message.ends_with(&format!(" `acme-manager-server plugin {command} -help`")), "{line}: {message}");
    }
}

#[test]
fn mistakes_of_authors_are_sentences_too() {
    let message = parse("plugin test a.wasm --skript x").expect_err("no such flag").to_string();
    assert!(message.starts_with("plugin test: unexpected argument '--skript' found\n"), "{message}");
    assert!(message.contains("'--script'"), "{message}");
    for line in ["test", "test a.wasm --skript x", "new", "run a.wasm delete", "bench a.wasm --calls 1"] {
        let message = parse(&format!("plugin {line}")).expect_err(line).to_string();
        let command = line.split(' ').next().expect("a command");
        assert!(message.starts_with(&format!("plugin {command}: ")), "{message}");
        assert_eq!(message.matches("For more information").count(), 1, "{message}");
        assert!(message.ends_with(&format!("see `acme-manager-server plugin {command} -help`.")), "{message}");
    }
}

#[test]
fn a_wrong_command_is_told_before_its_flags() {
    let see = "see `acme-manager-server plugin -help`";
    for (line, near) in [
        ("insepct", Some("inspect")),
        ("insepct a.wasm --script x", Some("inspect")),
        ("-- insepct", Some("inspect")),
        ("tset a.wasm --script x", Some("test")),
        ("VERIFY a.wasm -h", Some("verify")),
        ("nwe", Some("new")),
        ("xyz", None),
    ] {
        let word = line.trim_start_matches("-- ").split(' ').next().expect("a word");
        let expected = match near {
            Some(near) => format!("there is no command `plugin {word}`; did you mean `plugin {near}`? S{}", &see[1..]),
            None => format!("there is no command `plugin {word}`; {see}"),
        };
        assert_eq!(parse(&format!("plugin {line}")).expect_err(line).to_string(), expected);
    }
    assert_eq!(parse("plugin").expect_err("none").to_string(), format!("`plugin` needs a command; {see}"));
}

#[test]
fn words_are_not_repeated_whole() {
    let key = format!("RWQAAEIy{}s3cr3t", "A".repeat(80));
    for line in [format!("plugin sign x {key}"), format!("plugin {key}"), format!("plugin list {key}"), key.clone()] {
        let message = parse(&line).expect_err("no such thing").to_string();
        assert!(message.contains("RWQAAEIyAAAA") && !message.contains("s3cr3t"), "{message}");
    }
}

#[test]
fn help_is_there_in_every_order() {
    for line in ["plugin checksum -help", "plugin help checksum", "plugin -help checksum"] {
        assert!(help(line).contains("plugin checksum"), "{line}");
    }
    assert_eq!(help("plugin help"), help("plugin -help"));
    let error = parse("plugin help inspct").expect_err("a slip").to_string();
    assert!(error.contains("inspect"), "{error}");
    for line in ["plugin help test", "plugin -h test"] {
        let Ok(Command::Help(text)) = parse(line) else { panic!("{line}") };
        assert!(text.contains("conformance.json"), "{line}: {text}");
    }
}
