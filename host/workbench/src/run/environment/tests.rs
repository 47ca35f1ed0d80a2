use std::fs;

use super::*;

fn key(name: &str, required: bool) -> EnvironmentKey {
    EnvironmentKey {
        name: name.into(),
        aliases: vec![format!("OLD_{name}")],
        required,
        secret: name.contains("TOKEN"),
        endpoint: false,
        default: None,
        help: format!("the\n{name}"),
    }
}

fn keys() -> Vec<EnvironmentKey> {
    vec![key("A_TOKEN", true), key("REGION", false)]
}

fn options(words: &str) -> RunOptions {
    let words: Vec<String> = format!("run a.wasm check {words}").split_whitespace().map(str::to_owned).collect();
    let Ok(crate::Invocation::Run(command)) = crate::Command::read(&words) else { panic!("it is one: {words:?}") };
    let crate::Command::Run(options) = *command else { panic!("it is a run") };
    *options
}

#[test]
fn the_file_of_a_project_is_read_and_that_of_a_server_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (options, keys) = (options(""), keys());
    let error = of(&options, &keys, folder.path()).unwrap_err().to_string();
    assert!(error.contains("cannot do without A_TOKEN (the\\nA_TOKEN)") && !error.contains(".env"), "{error}");
    assert!(error.contains("--env-file FILE") && error.contains("--env A_TOKEN"), "{error}");

    fs::write(folder.path().join(".env"), "A_TOKEN=s3cr3t\nOTHER=x\nREGION=\n").unwrap();
    let error = of(&options, &keys, folder.path()).unwrap_err().to_string();
    assert!(error.contains(".env is not read by itself") && error.contains("no conformance.json"), "{error}");
    assert!(!error.contains("s3cr3t"), "{error}");

    fs::write(folder.path().join("conformance.json"), "{}").unwrap();
    let found = of(&options, &keys, folder.path()).unwrap();
    assert_eq!(found, BTreeMap::from([("A_TOKEN".to_owned(), "s3cr3t".to_owned())]));
}

#[test]
fn a_file_that_is_named_is_read_wherever_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("names");
    fs::write(&file, "OLD_A_TOKEN=s3cr3t\n").unwrap();
    // Then that of the project is not.
    fs::write(folder.path().join("conformance.json"), "{}").unwrap();
    fs::write(folder.path().join(".env"), "A_TOKEN=other\nREGION=eu\n").unwrap();
    let words = format!("--env-file {} --env OLD_REGION=us", file.display());
    let found = of(&options(&words), &keys(), folder.path()).unwrap();
    let expected = [("A_TOKEN", "s3cr3t"), ("REGION", "us")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(found, BTreeMap::from(expected));

    fs::write(&file, "REGION=eu\n").unwrap();
    let error = of(&options(&words), &keys(), folder.path()).unwrap_err().to_string();
    assert!(error.contains("names has none of that name"), "{error}");
}

#[test]
fn what_is_no_file_or_malformed_is_told_without_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let [pipe, malformed] = ["pipe", "malformed"].map(|name| folder.path().join(name));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::write(&malformed, "ZONE=1\nREGION=eu\nA_TOKEN='s3cr3t\n").unwrap();
    for (file, expected) in [
        (pipe.as_path(), "no regular file"),
        (Path::new("/dev/zero"), "no regular file"),
        (&malformed, "malformed: line 3: expected NAME=value"),
    ] {
        let options = options(&format!("--env-file {}", file.display()));
        let error = format!("{:#}", of(&options, &keys(), folder.path()).unwrap_err());
        assert!(error.contains(expected) && !error.contains("s3cr3t"), "{error}");
    }
}
