//! The shape of the code base: sizes of files and functions, ranks of modules, names of files.

use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::visit::Visit;

/// A longer file holds more than one idea.
const FILE_LINES: usize = 600;
/// A longer function does more than one thing. Tests that are one table are functions too.
const FUNCTION_LINES: usize = 70;

/// Modules of the server that may import only from lower ranks. `lib` declares them and imports nothing.
const RANKS: &[(usize, &[&str])] = &[
    (0, &["names", "clock", "durations", "records", "telemetry", "on_demand"]),
    (1, &["storage", "cluster", "acme", "challenges", "hooks"]),
    (2, &["tokens", "certificates"]),
    (3, &["api", "workers"]),
    (4, &["config", "app", "main"]),
];

/// The modules of a rank do not know each other, but for these: the lower half of a rank in words.
const WITHIN_A_RANK: &[(&str, &str)] = &[
    // Records and metrics are made of names and durations, and dates of the clock.
    ("records", "names"),
    ("telemetry", "names"),
    ("durations", "names"),
    // A certificate is changed by whoever shows the right to.
    ("certificates", "tokens"),
    // Assembly is one.
    ("app", "config"),
    ("main", "app"),
    ("main", "config"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies two folders down").to_owned()
}

fn rust_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["host", "sdk", "plugins", "tests"].into_iter().map(|name| root().join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the workspace") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 50, "the walk found only {} files", files.len());
    files.sort();
    files
}

fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn files_are_short_and_well_named() {
    let mut faults = Vec::new();
    for path in rust_files() {
        let lines = fs::read_to_string(&path).expect("text").lines().count();
        if lines > FILE_LINES {
            faults.push(format!("{} has {lines} lines, more than {FILE_LINES}", short(&path)));
        }
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if ["mod", "util", "utils", "helpers", "common", "misc", "manager"].contains(&stem)
            && !path.ends_with("config/common.rs")
        {
            faults.push(format!("{}: name the file after its idea", short(&path)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn functions_are_short() {
    struct Sizes(Vec<(String, usize)>);
    impl Sizes {
        fn note(&mut self, name: &syn::Ident, attributes: &[syn::Attribute], block: &syn::Block) {
            let span = block.span();
            let expected = attributes.iter().any(|attribute| attribute.path().is_ident("expect"));
            let test = attributes.iter().any(|attribute| attribute.path().segments.iter().any(|s| s.ident == "test"));
            if !expected && !test {
                self.0.push((name.to_string(), span.end().line - span.start().line));
            }
        }
    }
    impl<'ast> Visit<'ast> for Sizes {
        fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
            self.note(&item.sig.ident, &item.attrs, &item.block);
            syn::visit::visit_item_fn(self, item);
        }
        fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
            self.note(&item.sig.ident, &item.attrs, &item.block);
            syn::visit::visit_impl_item_fn(self, item);
        }
    }
    let mut faults = Vec::new();
    for path in rust_files() {
        let file = syn::parse_file(&fs::read_to_string(&path).expect("text")).expect("Rust");
        let mut sizes = Sizes(Vec::new());
        sizes.visit_file(&file);
        for (name, lines) in sizes.0.into_iter().filter(|(_, lines)| *lines > FUNCTION_LINES) {
            faults.push(format!("{}: {name} has {lines} lines, more than {FUNCTION_LINES}", short(&path)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_module_imports_only_lower_ranks() {
    struct Imports(Vec<String>);
    impl<'ast> Visit<'ast> for Imports {
        fn visit_use_tree(&mut self, tree: &'ast syn::UseTree) {
            if let syn::UseTree::Path(path) = tree
                && path.ident == "crate"
            {
                match &*path.tree {
                    syn::UseTree::Path(next) => self.0.push(next.ident.to_string()),
                    syn::UseTree::Name(next) => self.0.push(next.ident.to_string()),
                    syn::UseTree::Group(group) => {
                        for tree in &group.items {
                            match tree {
                                syn::UseTree::Path(next) => self.0.push(next.ident.to_string()),
                                syn::UseTree::Name(next) => self.0.push(next.ident.to_string()),
                                _ => {}
                            }
                        }
                    }
                    _ => {}
                }
            }
            syn::visit::visit_use_tree(self, tree);
        }
        fn visit_path(&mut self, path: &'ast syn::Path) {
            let mut segments = path.segments.iter();
            if segments.next().is_some_and(|first| first.ident == "crate")
                && let Some(second) = segments.next()
            {
                self.0.push(second.ident.to_string());
            }
            syn::visit::visit_path(self, path);
        }
    }
    let rank_of = |module: &str| RANKS.iter().find(|(_, modules)| modules.contains(&module)).map(|(rank, _)| *rank);
    let source = root().join("host/server/src");
    let (mut faults, mut seen) = (Vec::new(), 0);
    for path in rust_files().into_iter().filter(|path| path.starts_with(&source)) {
        let relative = path.strip_prefix(&source).expect("below it");
        let top = relative.iter().next().expect("a name").to_string_lossy().replace(".rs", "");
        if top == "lib" {
            continue;
        }
        let rank = rank_of(&top).unwrap_or_else(|| panic!("{top} has no rank: add it to RANKS and ARCHITECTURE.md"));
        let file = syn::parse_file(&fs::read_to_string(&path).expect("text")).expect("Rust");
        let mut imports = Imports(Vec::new());
        imports.visit_file(&file);
        for import in imports.0.into_iter().filter(|import| *import != top) {
            // Macros and items of the crate root have no rank.
            let Some(of_import) = rank_of(&import) else { continue };
            seen += 1;
            let allowed = WITHIN_A_RANK.contains(&(top.as_str(), import.as_str()));
            if of_import >= rank && !allowed {
                faults.push(format!("{}: rank {rank} must not import {import} of rank {of_import}", short(&path)));
            }
        }
    }
    assert!(seen > 100, "only {seen} imports were found: the test does not look");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_binary_is_thin() {
    let lines = fs::read_to_string(root().join("host/server/src/main.rs")).expect("text").lines().count();
    assert!(lines < 80, "main.rs has {lines} lines");
}
