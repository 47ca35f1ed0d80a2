//! Texts of strangers on their way to a terminal, into a configuration or onto a command line. They must neither steer
//! the terminal nor look like lines that somebody else wrote.

use std::fmt::Write as _;

/// What YAML takes for something else than a text, in one or the other of its versions.
const NO_TEXT: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf"];

/// One line: line ends, control characters, and what turns the writing direction or cannot be seen, are spelled out.
#[must_use]
pub fn plain(text: &str) -> String {
    spelled_out(text, |_| false)
}

/// The same for several lines, which stay such.
#[must_use]
pub fn block(text: &str) -> String {
    spelled_out(text, |c| matches!(c, '\n' | '\t'))
}

fn spelled_out(text: &str, stays: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unseen(c) && !stays(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Control characters and those that have no shape of their own.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A text in double quotes that YAML and JSON read back as it was.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_unseen(c) => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                // Texts take text.
                let _ = write!(out, "\\u{unit:04x}");
            }),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A text as YAML, bare where nobody can take it for anything else.
#[must_use]
pub fn yaml(text: &str) -> String {
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && !NO_TEXT.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_word { text.to_owned() } else { quoted(text) }
}

/// A word of a command line, for a shell.
pub(crate) fn shell(word: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_bare) {
        return word.to_owned();
    }
    if !word.chars().any(is_unseen) {
        return format!("'{}'", word.replace('\'', "'\\''"));
    }
    let mut out = "$'".to_owned();
    for c in word.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            c if is_unseen(c) => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| {
                // Three digits: a shorter one would take up what follows.
                let _ = write!(out, "\\{byte:03o}");
            }),
            c => out.push(c),
        }
    }
    out + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEERING: &str = "a\u{1b}[2J\r\n\u{9b}31m\u{202e}b\u{200b}\t\u{2028}\u{0}\u{7f}ä → 😀";

    #[test]
    fn nothing_steers_a_terminal() {
        let text = plain(STEERING);
        assert_eq!(text, "a\\u{1b}[2J\\r\\n\\u{9b}31m\\u{202e}b\\u{200b}\\t\\u{2028}\\u{0}\\u{7f}ä → 😀");
        assert_eq!(block("a\n\tb\r\u{1b}"), "a\n\tb\\r\\u{1b}");
        assert_eq!(plain(&text), text);
    }

    #[test]
    fn quotes_are_read_back() {
        for text in [STEERING, "", "a\": b", "\\", "\u{e0041}", "# x", "a: b\nc: d"] {
            let quoted = quoted(text);
            assert!(!quoted.chars().any(is_unseen), "{quoted}");
            assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
        }
        assert_eq!(["a-1", "A_B", "true", "No", "1a", "a b", ""].map(yaml), {
            ["a-1", "A_B", "\"true\"", "\"No\"", "\"1a\"", "\"a b\"", "\"\""]
        });
    }

    #[test]
    fn a_shell_reads_the_word() {
        for word in [STEERING, "", "a", "it's", "$(id)", "a\n'\\1", "\u{1b}1"] {
            let word = word.replace('\0', "");
            let output =
                std::process::Command::new("bash").args(["-c", &format!("printf %s {}", shell(&word))]).output();
            assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), word);
        }
        assert_eq!(shell("example.com/7"), "example.com/7");
    }
}
