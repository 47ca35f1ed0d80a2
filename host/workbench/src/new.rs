//! `plugin new`: a project that builds, passes its tests and is meant to be changed. The SDK and the contract go with
//! it, those of this very server, so that nothing has to be fetched or matched.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use crate::command::{Kind, Language, NewOptions};
use crate::text::shell;

/// Longer names do not fit into metrics and tables.
const MAX_NAME_BYTES: usize = 40;

/// A file of a project.
struct File {
    path: &'static str,
    bytes: &'static [u8],
}

mod files {
    use super::File;
    include!(concat!(env!("OUT_DIR"), "/files.rs"));
}

/// Where files of a set go: below a folder of the project.
struct Part {
    files: &'static [File],
    folder: &'static str,
    is_template: bool,
}

const fn template(files: &'static [File]) -> Part {
    Part { files, folder: "", is_template: true }
}

const fn verbatim(files: &'static [File], folder: &'static str) -> Part {
    Part { files, folder, is_template: false }
}

/// Writes the project and returns what to say about it.
pub(crate) fn new(options: &NewOptions) -> anyhow::Result<String> {
    let name = options.name.as_str();
    check(name)?;
    let folder = options.folder.clone().unwrap_or_else(|| PathBuf::from(name));
    ensure!(
        fs::symlink_metadata(&folder).is_err(),
        "{} is there already; remove it, or name another folder with --folder",
        folder.display()
    );
    // Beside its place under another name, so that nobody meets half a project.
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
    let partial = parent.join(format!(".{name}.{}", std::process::id()));
    let written = write(&partial, name, parts(options)?)
        .and_then(|()| fs::rename(&partial, &folder).context("its place is taken, or cannot be written"));
    if let Err(error) = written {
        // What is left is ours; if it cannot be removed either, the first error says more.
        let _ = fs::remove_dir_all(&partial);
        return Err(error.context(format!("{} cannot be made", folder.display())));
    }
    let at = folder.display().to_string();
    // Not an option, whoever reads it.
    let at = shell(&if at.starts_with('-') { format!("./{at}") } else { at });
    Ok(format!(
        "{at} holds the {} `{name}`: {}, and conformance.json, the conversation with {}\n\nNext:\n\n  cd {at}\n{}  acme-manager-server plugin build\n  \
         acme-manager-server plugin test target/plugin/{name}.wasm\n\nREADME.md there says what to change.\n",
        match options.kind {
            Kind::DnsProvider => "plugin",
            Kind::IssuanceHook => "issuance hook",
        },
        options.language.sources(),
        match options.kind {
            Kind::DnsProvider => "the vendor's API",
            Kind::IssuanceHook => "the service that it asks",
        },
        options.language.preparations(),
    ))
}

fn check(name: &str) -> anyhow::Result<()> {
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.ends_with('-')
        && !name.contains("--");
    ensure!(
        fits && name.len() <= MAX_NAME_BYTES,
        "{name:?} is no name for a plugin: at most {MAX_NAME_BYTES} lower-case letters, digits and single `-`, the \
         first one a letter; for example `example-dns`"
    );
    Ok(())
}

/// Where the format of scripts is described, in projects that do not have the whole SDK.
const SCRIPT_FORMAT: &str = "conformance";

/// What a project consists of.
fn parts(options: &NewOptions) -> anyhow::Result<Vec<Part>> {
    let rust = |files| {
        vec![
            template(files),
            verbatim(files::LOCK, ""),
            verbatim(files::RUST_SDK, "acme-manager-sdk"),
            verbatim(files::CONTRACT, "acme-manager-sdk"),
            verbatim(files::SDK_MANIFEST, "acme-manager-sdk"),
        ]
    };
    let other = |files, sdk| {
        let format = verbatim(files::SCRIPT_FORMAT, SCRIPT_FORMAT);
        vec![template(files), verbatim(sdk, ""), verbatim(files::CONTRACT, ""), format]
    };
    Ok(match (options.kind, options.language) {
        (Kind::DnsProvider, Language::Rust) => rust(files::RUST_TEMPLATE),
        (Kind::DnsProvider, Language::Python) => other(files::PYTHON_TEMPLATE, files::PYTHON_SDK),
        (Kind::DnsProvider, Language::Javascript) => other(files::JAVASCRIPT_TEMPLATE, files::JAVASCRIPT_SDK),
        (Kind::IssuanceHook, Language::Rust) => rust(files::RUST_HOOK_TEMPLATE),
        (Kind::IssuanceHook, Language::Python | Language::Javascript) => bail!(
            "issuance hooks are written in Rust: leave --lang out. The SDKs of the other languages are for DNS providers"
        ),
    })
}

fn write(folder: &Path, name: &str, parts: Vec<Part>) -> anyhow::Result<()> {
    for part in parts {
        for File { path, bytes } in part.files {
            // A manifest under its own name would be one of this workspace.
            let place = folder.join(part.folder).join(path.strip_suffix(".in").unwrap_or(path));
            let text = part.is_template.then(|| std::str::from_utf8(bytes).ok()).flatten();
            match text {
                Some(text) => put(&place, fill(text, name).as_bytes())?,
                None => put(&place, bytes)?,
            }
        }
    }
    Ok(())
}

fn put(place: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = place.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| fs::File::create_new(place)?.write_all(bytes))
        .with_context(|| format!("{} cannot be written", place.display()))
}

/// The name in all spellings that sources want.
fn fill(text: &str, name: &str) -> String {
    let module = name.replace('-', "_");
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
    };
    let of_type: String = name.split('-').map(capital).collect();
    text.replace("{{name}}", name)
        .replace("{{NAME}}", &module.to_ascii_uppercase())
        .replace("{{module}}", &module)
        .replace("{{Type}}", &of_type)
}

impl Language {
    fn sources(self) -> &'static str {
        match self {
            Self::Rust => "src/lib.rs",
            Self::Python => "app.py",
            Self::Javascript => "app.js",
        }
    }

    fn preparations(self) -> &'static str {
        match self {
            Self::Rust => "  rustup target add wasm32-wasip2\n",
            Self::Python => "  python3 -m venv .venv && .venv/bin/pip install -r requirements.txt\n",
            Self::Javascript => "  npm install\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(name: &str, folder: PathBuf, language: Language) -> NewOptions {
        NewOptions { name: name.into(), language, kind: Kind::DnsProvider, folder: Some(folder) }
    }

    #[test]
    fn a_project_names_its_plugin_in_every_spelling() {
        let place = tempfile::tempdir().unwrap();
        for (language, kind, variable) in [
            (Language::Rust, Kind::DnsProvider, "\"MY_DNS2_API_TOKEN\""),
            (Language::Python, Kind::DnsProvider, "\"MY_DNS2_API_TOKEN\""),
            (Language::Javascript, Kind::DnsProvider, "\"MY_DNS2_API_TOKEN\""),
            (Language::Rust, Kind::IssuanceHook, "\"MY_DNS2_TOKEN\""),
        ] {
            let folder = place.path().join(format!("below/{language:?}-{kind:?}"));
            new(&NewOptions { kind, ..options("my-dns2", folder.clone(), language) }).unwrap();
            let script = fs::read_to_string(folder.join("conformance.json")).unwrap();
            assert!(script.contains(variable), "{language:?}: {script}");
            // Every file that the project's page points to is there.
            let page = fs::read_to_string(folder.join("README.md")).unwrap();
            for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                assert!(link.starts_with("http") || folder.join(link).is_file(), "{language:?}: {link}");
            }
            let mut left = vec![folder];
            while let Some(path) = left.pop() {
                if path.is_dir() {
                    left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                } else if let Ok(text) = fs::read_to_string(&path) {
                    for open in ["{{name}}", "{{NAME}}", "{{module}}", "{{Type}}"] {
                        assert!(!text.contains(open), "{open} in {}", path.display());
                    }
                }
            }
        }
    }

    #[test]
    fn a_hook_in_a_language_without_them_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let options = options("a", place.path().join("a"), Language::Python);
        let error = new(&NewOptions { kind: Kind::IssuanceHook, ..options }).unwrap_err().to_string();
        assert!(error.contains("written in Rust"), "{error}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_there_stays() {
        let place = tempfile::tempdir().unwrap();
        let error = new(&options("a", place.path().into(), Language::Rust)).unwrap_err().to_string();
        assert!(error.contains("is there already"), "{error}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn nothing_is_left_of_what_cannot_be_written() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("file"), "").unwrap();
        let error = new(&options("a", place.path().join("file/a"), Language::Rust)).unwrap_err();
        assert!(format!("{error:#}").contains("cannot be made"), "{error:#}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn names_are_checked() {
        let place = tempfile::tempdir().unwrap();
        for name in ["", "A", "1a", "a_b", "-a", "a-", "a--b", "a/b", "..", &"a".repeat(41), "ä"] {
            let error = new(&options(name, place.path().join("x"), Language::Rust)).unwrap_err().to_string();
            assert!(error.contains("is no name for a plugin"), "{name}: {error}");
        }
    }
}
