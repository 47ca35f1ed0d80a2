//! What a linker or a run time says, in words.

use serde_json::Value;

/// What is shown of a text that nobody foresaw.
const MAX_LINES: usize = 12;

/// The notes below "linking with … failed": names that nothing provides are what matters.
pub(super) fn linker(notes: &[Value]) -> String {
    let all: String = notes.iter().filter_map(|note| note["message"].as_str()).collect::<Vec<_>>().join("\n");
    let mut missing: Vec<&str> =
        all.lines().filter_map(|line| line.split_once("undefined symbol: ")).map(|(_, name)| name.trim()).collect();
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        return format!(
            "error: the component cannot be linked: nothing provides {}\n\
             A crate that it uses wants something of an operating system that a sandbox does not have (threads, \
             sockets, a C library), or C code that was not built for it. `cargo tree --target wasm32-wasip2` shows which \
             crates there are: switch off its default features, or use another.",
            missing.join(", ")
        );
    }
    if all.contains("initial memory too small") {
        return "error: the component cannot be linked: its constants need more memory than it has at its start. Raise \
                `--initial-memory` in .cargo/config.toml, to a multiple of 65536."
            .to_owned();
    }
    if let Some((_, why)) = all.split_once("failed to encode component") {
        return format!(
            "error: the component does not fit its world:\n{}\nWhat it imports from `env`, nothing in the sandbox \
             provides: a crate or foreign code wants something of an operating system. Otherwise the SDK and the contract \
             are of two versions: both must be those of one acme-manager-sdk.",
            tail(why)
        );
    }
    format!("error: the component cannot be linked:\n{}", tail(&all))
}

/// The end of a text, where tools say what is wrong.
pub(super) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let start = lines.len().saturating_sub(MAX_LINES);
    let cut = |line: &&str| line.chars().take(300).collect::<String>();
    lines[start..].iter().map(cut).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn missing_symbols_are_named_once() {
        let note = "rust-lld: error: a.o: undefined symbol: fork\nrust-lld: error: b.o: undefined symbol: fork\n\
                    rust-lld: error: undefined symbol: getpid";
        let text =
            linker(&[json!({"message": "\"wasm-component-ld\" \"-flavor\" \"wasm\""}), json!({"message": note})]);
        assert!(text.contains("nothing provides fork, getpid\n") && !text.contains("flavor"), "{text}");
    }

    #[test]
    fn what_nobody_foresaw_is_short() {
        let note = (0..500).map(|line| format!("line {line} {}\n", "x".repeat(1000))).collect::<String>();
        let text = linker(&[json!({"message": note})]);
        assert!(text.len() < 5000 && text.contains("line 499"), "{text}");
    }
}
