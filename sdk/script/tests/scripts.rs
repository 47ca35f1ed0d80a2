//! The scripts of the plugins and of the templates of new projects.

use std::fs;
use std::path::{Path, PathBuf};

use acme_manager_plugin_script::Script;

/// Providers that hold one value at a name, and so cannot show two.
const ONE_VALUE: [&str; 1] = ["duckdns"];

#[test]
fn the_examples_of_the_readme_are_scripts() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let mut examples = text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let script = Script::parse(examples.next().unwrap()).unwrap();
    assert_eq!(script.missing(true).len(), 3, "it shows the happy path");
    let refusals = examples.next().unwrap().replacen('{', "{\"environment\": {}, \"scenarios\": [], ", 1);
    assert_eq!(Script::parse(&refusals).unwrap().refusals.len(), 1);
}

#[test]
fn every_script_shows_what_it_must() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // A project of `plugin new` has this crate, but neither plugins nor templates.
    let Ok(folders) = fs::read_dir(root.join("plugins")) else { return };
    let plugins = folders.map(|folder| folder.unwrap().path());
    let templates = ["rust/template", "rust/hook-template", "python/template", "javascript/template"];
    let templates = templates.map(|folder| root.join("sdk").join(folder));
    let folders: Vec<PathBuf> = plugins.chain(templates).filter(|at| at.join("conformance.json").is_file()).collect();
    assert!(folders.len() > 25, "only {} scripts were found", folders.len());
    let mut faults = Vec::new();
    for folder in folders {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(folder.join("conformance.json")).unwrap();
        match Script::parse(&text) {
            Ok(script) => {
                let of_a_hook = || script.missing_of_a_hook().into_iter().map(str::to_owned).collect();
                let of_a_provider = || script.missing(!ONE_VALUE.contains(&name));
                let missing: Vec<String> = if script.is_of_a_hook() { of_a_hook() } else { of_a_provider() };
                faults.extend(missing.iter().map(|lack| format!("{}: {lack}", folder.display())));
            }
            Err(problem) => faults.push(format!("{}: {problem}", folder.display())),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
