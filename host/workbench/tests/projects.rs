//! New projects in every language: written, built with the language's tools, run under the real host.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use acme_manager_workbench::{BuildOptions, Language, NewOptions, TestOptions, build_project, new_project, test};
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}

struct Project {
    folder: PathBuf,
    _place: TempDir,
}

fn project(language: Language) -> Project {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("my-dns");
    new_project(&NewOptions { name: "my-dns".into(), language, folder: Some(folder.clone()) }).expect("it is written");
    Project { folder, _place: place }
}

impl Project {
    async fn build(&self) -> anyhow::Result<String> {
        build_project(&BuildOptions { folder: self.folder.clone() }).await
    }

    /// Builds it and plays its script to the component.
    async fn passes(&self) {
        let said = self.build().await.expect("it builds");
        let component = self.folder.join("target/plugin/my-dns.wasm");
        for expected in ["checksum: ", "MY_DNS_API_TOKEN: file:", "allowed_hosts: [\"api.example.com\"]"] {
            assert!(said.contains(expected), "{expected} is not in:\n{said}");
        }
        let options = TestOptions {
            file: component,
            script: self.folder.join("conformance.json"),
            environment: Vec::new(),
            allowed_hosts: Vec::new(),
        };
        let verdict = test(&options).await.expect("it can be tried");
        assert_eq!(verdict.failed(), 0, "{verdict}");
        assert!(verdict.rows.len() > 9, "{verdict}");
    }
}

fn run(command: &mut Command, hint: &str) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: {hint}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}: {said}: {hint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_in_rust_passes_and_its_mistakes_are_explained() {
    let project = project(Language::Rust);
    project.passes().await;
    let sources = project.folder.join("src/lib.rs");
    let good = fs::read_to_string(&sources).unwrap();

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
