//! New projects in every language: written, built with the language's tools, run under the real host.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use acme_manager_workbench::{
    BenchOptions, BuildOptions, Invocation, Kind, Language, NewOptions, ReplayOptions, RunOptions, TestOptions,
    build_project, call, measure, new_project, replay, test,
};
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}

struct Project {
    folder: PathBuf,
    _place: TempDir,
}

fn project(language: Language) -> Project {
    project_of(Kind::DnsProvider, language)
}

fn project_of(kind: Kind, language: Language) -> Project {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("my-dns");
    new_project(&NewOptions { name: "my-dns".into(), language, kind, folder: Some(folder.clone()) })
        .expect("it is written");
    Project { folder, _place: place }
}

impl Project {
    async fn build(&self) -> anyhow::Result<String> {
        build_project(&BuildOptions { folder: self.folder.clone() }).await
    }

    fn options(&self) -> TestOptions {
        TestOptions {
            file: self.folder.join("target/plugin/my-dns.wasm"),
            script: self.folder.join("conformance.json"),
            environment: Vec::new(),
            allowed_hosts: Vec::new(),
        }
    }

    /// Asks a hook by hand: it refuses, which is recorded, played back and told.
    async fn is_asked_by_hand(&self) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback and a folder");
        let url = format!("http://{}", listener.local_addr().expect("loopback and a folder"));
        let service = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("loopback and a folder");
            let mut asked = vec![0; 64 << 10];
            let mut length = 0;
            while !asked[..length].ends_with(b"}") {
                length += stream.read(&mut asked[length..]).expect("loopback and a folder");
            }
            let body = "{\"allowed\": false, \"reason\": \"not on a Friday\"}";
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all((head + body).as_bytes()).expect("loopback and a folder");
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        let secrets = self.folder.join("secrets");
        fs::write(&secrets, "MY_DNS_TOKEN=an-invented-token\n").expect("loopback and a folder");
        let (file, record) = (self.options().file, self.folder.join("failure.json"));
        let (file_text, record_text) = (file.display().to_string(), record.display().to_string());
        let line = |call: &str| {
            format!(
                "run {file_text} {call} --env-file {} --env MY_DNS_URL={url} --allow-cidr 127.0.0.0/8 --record {record_text}",
                secrets.display()
            )
        };
        let error = call(&run_options(&line("review --domain WWW.example.com. --challenge http")))
            .await
            .expect_err("it says no");
        assert!(error.to_string().contains("not on a Friday"), "{error}");
        let asked = service.join().expect("loopback and a folder");
        assert!(asked.contains("\"www.example.com\"") && asked.contains("http-01"), "{asked}");
        let recorded = fs::read_to_string(&record).expect("loopback and a folder");
        assert!(recorded.contains("www.example.com") && !recorded.contains("an-invented-token"), "{recorded}");
        let options = ReplayOptions { file, recording: record, environment: Vec::new() };
        let replayed = replay(&options).await.expect("loopback and a folder");
        assert!(replayed.is_same && replayed.text.contains("not on a Friday"), "{}", replayed.text);

        let error =
            call(&run_options(&line("present --name _acme-challenge.example.com"))).await.expect_err("it says no");
        assert!(error.to_string().contains("an issuance hook, which has the calls describe and review"), "{error}");
        let error = call(&run_options(&line("review"))).await.expect_err("it says no");
        assert!(error.to_string().contains("--domain is missing"), "{error}");
        let said = call(&run_options(&format!("run {file_text} describe"))).await.expect("loopback and a folder");
        assert!(said.contains("an issuance hook") && said.contains("MY_DNS_TOKEN (required, secret)"), "{said}");
    }

    /// Builds it and plays its script to the component.
    /// Builds and tests it; returns the table.
    async fn passes(&self) -> String {
        let said = self.build().await.expect("it builds");
        for expected in ["checksum: ", "MY_DNS_API_TOKEN: file:", "allowed_hosts: [\"api.example.com\"]"] {
            assert!(said.contains(expected), "{expected} is not in:\n{said}");
        }
        let verdict = test(&self.options()).await.expect("it can be tried");
        assert_eq!(verdict.failed(), 0, "{verdict}");
        assert!(verdict.rows.len() > 9, "{verdict}");
        verdict.to_string()
    }
}

fn run_options(line: &str) -> RunOptions {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let Ok(Invocation::Run(command)) = acme_manager_workbench::Command::read(&words) else { panic!("{line}") };
    let acme_manager_workbench::Command::Run(options) = *command else { panic!("{line}") };
    *options
}

fn run(command: &mut Command, hint: &str) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: {hint}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}: {said}: {hint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_in_rust_passes_and_its_mistakes_are_explained() {
    let project = project(Language::Rust);
    let table = project.passes().await;
    assert!(table.contains("1.5 MiB"), "a call asks for memory:\n{table}");
    let sources = project.folder.join("src/lib.rs");
    let good = fs::read_to_string(&sources).unwrap();

    let large = "#[unsafe(no_mangle)]\npub static LARGE: [u8; 2_000_000] = [1; 2_000_000];\n";
    fs::write(&sources, good.clone() + large).unwrap();
    let error = project.build().await.unwrap_err().to_string();
    assert!(error.contains("Raise `--initial-memory` in .cargo/config.toml"), "{error}");

    fs::write(&sources, good.replace("self.zone(record)?", "self.zoen(record)?")).unwrap();
    let error = project.build().await.unwrap_err().to_string();
    assert!(error.contains("zoen") && error.contains("src/lib.rs:"), "{error}");

    let foreign = "unsafe extern \"C\" { fn fork() -> i32; }\n#[unsafe(no_mangle)]\npub extern \"C\" fn f() -> i32 { \
                   unsafe { fork() } }\n";
    fs::write(&sources, good.clone() + foreign).unwrap();
    let error = project.build().await.unwrap_err().to_string();
    assert!(error.contains("sandbox") && error.contains("fork") && error.len() < 3000, "{error}");

    fs::write(&sources, good.replace("export_provider!(MyDnsProvider);", "")).unwrap();
    let error = project.build().await.unwrap_err().to_string();
    assert!(error.contains("no plugin for this server") && error.contains("export_provider!"), "{error}");

    fs::write(&sources, &good).unwrap();
    let manifest = project.folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("[\"cdylib\", \"rlib\"]", "[\"rlib\"]")).unwrap();
    let error = project.build().await.unwrap_err().to_string();
    assert!(error.contains("crate-type = [\"cdylib\", \"rlib\"]"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_passes_and_one_that_consents_unasked_does_not() {
    let project = project_of(Kind::IssuanceHook, Language::Rust);
    let said = project.build().await.expect("it builds");
    for expected in ["kind: issuance-hook\n", "MY_DNS_TOKEN: file:", "allowed_hosts: [\"policy.example.com\"]"] {
        assert!(said.contains(expected), "{expected} is not in:\n{said}");
    }
    let options = project.options();
    let verdict = test(&options).await.expect("it can be tried");
    assert_eq!(verdict.failed(), 0, "{verdict}");
    let tried: Vec<&str> = verdict.rows.iter().map(|row| row.scenario.as_str()).collect();
    for scenario in ["allowed", "refused", "always 401", "always 429", "always 500", "slow", "huge", "no environment"] {
        assert!(tried.contains(&scenario), "{scenario} is not in {tried:?}");
    }
    measure(&BenchOptions { file: options.file.clone(), calls: 10 }).await.expect("it can be measured");
    project.is_asked_by_hand().await;

    // The script of a provider, and one that never says no.
    let provider = root().join("plugins/digitalocean/conformance.json");
    let error = test(&TestOptions { script: provider, ..options.clone() }).await.unwrap_err().to_string();
    assert!(error.contains("is an issuance hook") && error.contains("is for DNS providers"), "{error}");
    let text = fs::read_to_string(&options.script).unwrap();
    fs::write(&options.script, text.replace("\"kind\": \"refused\"", "\"kind\": \"failed\"")).unwrap();
    let verdict = test(&options).await.unwrap();
    assert!(verdict.failed() == 2 && verdict.to_string().contains("an order that is refused"), "{verdict}");
    fs::write(&options.script, text).unwrap();

    let sources = project.folder.join("src/lib.rs");
    let good = fs::read_to_string(&sources).unwrap();
    let careless = good.replace(
        ".send()?.json()?;",
        ".send().and_then(|answer| answer.json()).unwrap_or(Verdict { allowed: true, reason: String::new() });",
    );
    assert_ne!(good, careless);
    fs::write(&sources, careless).unwrap();
    project.build().await.expect("it builds");
    let verdict = test(&options).await.unwrap();
    for scenario in ["an answer that says neither", "always 401", "always 429", "always 500"] {
        let row = verdict.rows.iter().find(|row| row.scenario == scenario).unwrap();
        assert!(row.result.as_ref().is_err_and(|problem| problem.contains("but it succeeded")), "{verdict}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_in_python_passes_and_its_mistakes_are_explained() {
    let project = project(Language::Python);
    let tools = root().join("target/tools/venv");
    assert!(tools.join("bin/componentize-py").exists(), "run `cargo xtask setup componentize-py`");
    std::os::unix::fs::symlink(&tools, project.folder.join(".venv")).unwrap();
    project.passes().await;
    run(Command::new("python3").args(["-m", "unittest", "-q"]).current_dir(&project.folder), "python3 is needed");

    let sources = project.folder.join("app.py");
    let good = fs::read_to_string(&sources).unwrap();
    fs::write(&sources, "import nothing_of_the_kind\n".to_owned() + &good).unwrap();
    let error = project.build().await.unwrap_err().to_string();
    assert!(error.contains("nothing_of_the_kind") && error.len() < 4000, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_in_javascript_passes_and_its_mistakes_are_explained() {
    let project = project(Language::Javascript);
    let error = project.build().await.unwrap_err().to_string();
    assert!(error.contains("npm install"), "{error}");
    let hint = "npm is needed: run `cargo xtask setup node`";
    run(
        Command::new("npm").args(["install", "--silent", "--no-audit", "--no-fund"]).current_dir(&project.folder),
        hint,
    );
    project.passes().await;
    run(Command::new("npm").args(["test", "--silent"]).current_dir(&project.folder), hint);

    let manifest = project.folder.join("package.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"build\":", "\"built\":")).unwrap();
    let error = project.build().await.unwrap_err().to_string();
    assert!(error.contains("has no script `build`"), "{error}");
    fs::write(&manifest, text).unwrap();

    let sources = project.folder.join("app.js");
    let good = fs::read_to_string(&sources).unwrap();
    fs::write(&sources, good + "\nthis is no JavaScript\n").unwrap();
    let error = project.build().await.unwrap_err().to_string();
    assert!(error.contains("npm run build") && error.len() < 4000, "{error}");
}

/// The SDKs' own tests, in their own languages.
#[test]
fn the_sdks_pass_their_own_tests() {
    let sdk = root().join("sdk");
    run(Command::new("python3").args(["-m", "unittest", "-q"]).current_dir(sdk.join("python")), "python3 is needed");
    let files = fs::read_dir(sdk.join("javascript/tests")).unwrap().map(|entry| entry.unwrap().path());
    run(Command::new("node").arg("--test").args(files), "node is needed: run `cargo xtask setup node`");
}
