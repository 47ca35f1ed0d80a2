//! A pipe whose other end nobody opens, wherever a file is named: nothing waits for it.

use std::time::Duration;

use super::*;

/// What `work` comes to, unless it waits.
fn soon<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    result.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|error| panic!("{what}: {error}"))
}

#[test]
fn nothing_waits_for_a_pipe() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let pipe = pipe.display();
    let vault = "url: 'https://v', role_id: r, secret_id: s";
    let sum = "0".repeat(64);
    let plugin = |more: &str| format!("common: {{plugins: [{{name: p, {more}}}]}}");
    // What only a plugin needs is a warning; what the server itself reads at its start is a mistake.
    let table = [
        (plugin(&format!("path: {pipe}, checksum: '{sum}'")), true),
        (plugin(&format!("path: {pipe}, checksum: '{sum}', kind: dns-provider")), true),
        (plugin(&format!("path: {pipe}, checksum: '{sum}', kind: issuance-hook")), true),
        (plugin(&format!("path: {pipe}")), true),
        (plugin(&format!("env: {{A: 'file:{pipe}'}}")), false),
        (format!("common: {{plugin_trusted_keys: ['file:{pipe}']}}"), false),
        (format!("issuer: {{le: {{ca_dir_url: 'https://ca', ca_root_file: {pipe}}}}}"), false),
        (format!("storage: {{vault: {{{vault}, ca_file: {pipe}}}}}"), false),
    ];
    for (text, is_usable) in table {
        let file = folder.path().join("config.yml");
        std::fs::write(&file, &text).expect("the folder takes files");
        let said = match soon(&text, move || Config::load(&file)) {
            Ok(loaded) if is_usable => loaded.warnings.iter().map(|one| format!("{one}\n")).collect(),
            Err(error) if !is_usable => {
                error.to_string() + &std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default()
            }
            other => panic!("{text}: {other:?}"),
        };
        assert!(said.contains(&pipe.to_string()), "{text}: {said}");
        let words = ["it is no regular file", "expected a file of at most 64 KiB"];
        assert!(words.iter().any(|words| said.contains(words)), "{text}: {said}");
    }
    let file = folder.path().join(".env");
    std::fs::write(&file, format!("A_FILE={pipe}\n")).expect("the folder takes files");
    let environment = soon(".env", move || Environment::load(&file).expect("a warning"));
    assert!(environment.warnings()[0].to_string().contains("it is no regular file"), "{:?}", environment.warnings());
    let problem = soon("A", move || environment.resolve("A").map(drop).expect_err("a pipe"));
    assert!(problem.to_string().contains("expected a file"), "{problem}");
}
