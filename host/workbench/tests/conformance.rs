//! Built components under `plugin test`.

use std::fs;
use std::path::{Path, PathBuf};

use acme_manager_workbench::{Assignment, TestOptions, Verdict, test};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn component(name: &str) -> PathBuf {
    let path = root().join("target/plugins").join(name);
    assert!(path.exists(), "{} is missing: run `cargo xtask plugins`", path.display());
    path
}

fn options(name: &str, script: PathBuf) -> TestOptions {
    let file = component(&format!("{name}.wasm"));
    TestOptions { file, script, environment: Vec::new(), allowed_hosts: Vec::new() }
}

fn script_of(name: &str) -> PathBuf {
    root().join("plugins").join(name).join("conformance.json")
}

fn failures(verdict: &Verdict) -> Vec<String> {
    let failed = verdict.rows.iter().filter_map(|row| row.result.as_ref().err().map(|e| (&row.scenario, e)));
    failed.map(|(scenario, problem)| format!("{scenario}: {problem}")).collect()
}

/// A run with a changed script of digitalocean.
async fn changed(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let text = fs::read_to_string(script_of("digitalocean")).expect("the script can be read");
    let mut script: Value = serde_json::from_str(&text).expect("the script is JSON");
    change(&mut script);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("conformance.json");
    fs::write(&path, script.to_string()).expect("the folder takes files");
    failures(&test(&options("digitalocean", path)).await.expect("the script can be used"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_plugin_with_a_script_passes() {
    let folders = fs::read_dir(root().join("plugins")).unwrap();
    let names: Vec<_> = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    let names: Vec<_> = names.into_iter().filter(|name| script_of(name).is_file()).collect();
    let tried = names.len();
    // Most of the time goes into the API that does not answer.
    let trials = stream::iter(names).map(async |name| {
        let mut options = options(&name, script_of(&name));
        if name == "designate" {
            // Its catalogue names a second service, which operators grant with an endpoint key or by hand.
            options.allowed_hosts = ["dns.example.org:9001", "http://10.0.0.5:9001"].map(str::to_owned).into();
        }
        match test(&options).await {
            Err(error) => vec![format!("{name}: {error:#}")],
            Ok(verdict) => {
                let first = verdict.rows.get(1).expect("a script has scenarios");
                assert!(first.fuel > 0 && first.peak_memory_bytes > 0 && first.requests > 0, "{name}: {first:?}");
                failures(&verdict).into_iter().map(|failure| format!("{name}: {failure}")).collect()
            }
        }
    });
    let faults: Vec<String> = trials.buffer_unordered(4).collect::<Vec<_>>().await.concat();
    assert!(tried > 20, "only {tried} scripts were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn the_report_names_costs_and_limits() {
    let text = test(&options("digitalocean", script_of("digitalocean"))).await.unwrap().to_string();
    for expected in ["digitalocean 0.1.0", "happy path", "always 429", "slow", "huge", "no environment", "memory_mb:"] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_to_name_servers_are_compared() {
    let options = options("dnsupdate", script_of("dnsupdate"));
    let text = fs::read_to_string(&options.script).expect("the script can be read");
    let folder = tempfile::tempdir().expect("a folder");
    let changed = async |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let path = folder.path().join("conformance.json");
        fs::write(&path, text.replacen(from, to, 1)).expect("the folder takes files");
        let verdict = test(&TestOptions { script: path, ..options.clone() }).await.expect("it can be tried");
        (failures(&verdict), verdict)
    };
    let (failed, verdict) = changed("value-1", "value-1").await;
    assert!(failed.is_empty(), "{verdict}");
    for scenario in ["always REFUSED", "always SERVFAIL", "slow", "no environment"] {
        assert!(verdict.rows.iter().any(|row| row.scenario == scenario), "{scenario}: {verdict}");
    }
    let (failed, _) = changed("120 IN TXT", "121 IN TXT").await;
    assert!(failed.len() == 1 && failed[0].contains("got _acme-challenge.www.example.com. 120 IN TXT"), "{failed:?}");
    let (failed, _) = changed("dns://ns.example.com/example.com\"", "dns://other.example.com/example.com\"").await;
    assert!(failed.len() == 1 && failed[0].contains("got UPDATE dns://ns.example.com/example.com"), "{failed:?}");
    // A signature needs a key, which no script has.
    let key = "\"DNSUPDATE_NAMESERVER\": \"ns.example.com\", \"DNSUPDATE_TSIG_KEY\": \"k\", \"DNSUPDATE_TSIG_SECRET\": \
               \"c2VjcmV0LW9mLXRoZS1rZXk=\"";
    let (failed, _) = changed("\"DNSUPDATE_NAMESERVER\": \"ns.example.com\"", key).await;
    assert!(failed.iter().any(|failure| failure.contains("it is signed")), "{failed:?}");
}

#[tokio::test]
async fn a_script_that_expects_something_else_fails_with_what_came() {
    let url = |script: &mut Value| {
        script["scenarios"][0]["steps"][0]["exchanges"][0]["request"]["url"] = json!("https://api.digitalocean.com/x");
    };
    let failed = changed(url).await;
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].contains("step 1 (check)") && failed[0].contains("got GET https://api.dig"), "{failed:?}");

    let surplus = changed(|script| script["scenarios"][0]["steps"][0]["exchanges"] = json!([])).await;
    assert!(surplus.len() == 1 && surplus[0].contains("a request too many"), "{surplus:?}");

    let handle = changed(|script| script["scenarios"][0]["steps"][1]["handle"] = json!("7")).await;
    assert!(handle.len() == 1 && handle[0].contains("expected the handle \"7\""), "{handle:?}");

    let missing = changed(|script| script["scenarios"].as_array_mut().unwrap().truncate(1)).await;
    assert!(missing.len() == 1 && missing[0].contains("two values"), "{missing:?}");

    let refusal = json!([{"name": "500", "response": {"status": 500}, "error": {"kind": "rejected"}}]);
    let refused = changed(|script| script["refusals"] = refusal).await;
    assert!(refused.len() == 1 && refused[0].contains("expected an error of kind rejected"), "{refused:?}");

    let unknown = changed(|script| script["environment"]["DO_TOKEN"] = json!("x")).await;
    assert!(unknown.len() == 1 && unknown[0].contains("DO_TOKEN"), "{unknown:?}");
}

#[tokio::test]
async fn a_host_that_is_not_granted_is_named() {
    let failed = failures(&test(&options("designate", script_of("designate"))).await.unwrap());
    assert!(failed.iter().any(|failure| failure.contains("`allowed_hosts: [\"dns.example.org:9001\"]`")), "{failed:?}");
}

#[tokio::test]
async fn a_broken_plugin_fails_and_does_not_hang() {
    let record = json!({"zone": "example.com", "name": "_acme-challenge.example.com", "value": "ok"});
    let step = |call: &str| json!({"call": call, "record": record});
    let scenario =
        |name: &str, verb: &str| json!({"name": name, "environment": {"MISBEHAVE": verb}, "steps": [step("present")]});
    let script = json!({"environment": {"TOKEN": "0123456789"}, "scenarios": [
        scenario("panics", "panic"), scenario("loops", "loop"), scenario("exits", "exit"),
    ]});
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("conformance.json");
    fs::write(&path, script.to_string()).unwrap();
    let mut options = options("test/misbehaving", path);
    options.environment.push(Assignment { name: "REGION".into(), value: "eu".into() });
    let verdict = test(&options).await.unwrap();
    let failed = failures(&verdict);
    assert!(failed.iter().any(|f| f.starts_with("panics: step 1") && f.contains("crashed")), "{failed:?}");
    assert!(
        failed.iter().any(|f| f.starts_with("loops: step 1") && f.contains("raise `common.plugins[].fuel`")),
        "{failed:?}"
    );
    assert!(failed.iter().any(|f| f.starts_with("exits: step 1") && f.contains("exit")), "{failed:?}");
    assert!(
        failed.iter().any(|f| f.starts_with("script: every provider must get") && f.contains("it lacks happy path")),
        "{failed:?}"
    );
}

#[tokio::test]
async fn what_is_no_script_and_no_component_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("conformance.json");
    let fail = async |path: &Path| format!("{:#}", test(&options("digitalocean", path.into())).await.unwrap_err());
    assert!(fail(&path).await.contains("--script"));
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for endless in [&pipe, Path::new("/dev/zero")] {
        assert!(fail(endless).await.contains("no regular file"));
    }
    fs::write(&path, "{\"scenarios\": []}").unwrap();
    assert!(fail(&path).await.contains("environment"));
    let mut text = options("digitalocean", script_of("digitalocean"));
    text.file = path;
    let error = format!("{:#}", test(&text).await.unwrap_err());
    assert!(error.contains("it is text"), "{error}");
}
