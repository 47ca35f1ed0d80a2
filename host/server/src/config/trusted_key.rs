//! Public keys of minisign: who may sign plugins.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::{PublicKey, Signature};

use super::plugin::read_text_file;
use super::section::{Notes, Section, scalar};
use super::tree::{Show, Value};

/// A key whose signatures count.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustedKey {
    id: KeyId,
    text: String,
    key: PublicKey,
}

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// It was made with another key.
    #[error("it was made with another key")]
    OtherKey,
    /// It is of the kind that minisign made before it hashed files first.
    #[error("it is of the legacy kind, which signs the file instead of its hash")]
    Legacy,
    /// It fits neither the file nor, perhaps, its own comment.
    #[error("it does not fit")]
    Forged,
}

/// The number that minisign gives a key; `Display` is 16 upper-case hex digits, as minisign shows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(u64);

impl KeyId {
    /// Of a public key or a signature in base64: two bytes say how it was made, eight whose it is.
    #[must_use]
    pub fn of(base64: &str) -> Option<Self> {
        let bytes = STANDARD.decode(base64.trim()).ok()?;
        Some(Self(u64::from_le_bytes(bytes.get(2..10)?.try_into().ok()?)))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl TrustedKey {
    /// The key's number.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Whether `signature` is one of `bytes` by this key.
    ///
    /// # Errors
    /// When it is not.
    pub fn verify(&self, bytes: &[u8], signature: &Signature) -> Result<(), Distrust> {
        self.key.verify(bytes, signature, false).map_err(|error| match error {
            minisign_verify::Error::UnexpectedKeyId => Distrust::OtherKey,
            minisign_verify::Error::UnexpectedAlgorithm => Distrust::Legacy,
            _ => Distrust::Forged,
        })
    }

    /// The key that `text` holds, or the file that it names with `file:` in front.
    ///
    /// # Errors
    /// When there is no such file or it holds no key; the text says what was expected.
    pub fn read(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix("file:").filter(|path| path.starts_with('/')) else {
            return text.parse().map_err(str::to_owned);
        };
        let content = read_text_file(Path::new(path))?;
        content.parse().map_err(|problem: &str| format!("{path}: {problem}"))
    }
}

/// The line in base64, or the two lines of a `.pub` file.
impl FromStr for TrustedKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a public key of minisign: 56 characters that begin with `RW`, or \
                                `file:/path/minisign.pub`";
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).ok_or(EXPECTED)?;
        let key = PublicKey::from_base64(line).map_err(|_| EXPECTED)?;
        Ok(Self { id: KeyId::of(line).ok_or(EXPECTED)?, text: line.to_owned(), key })
    }
}

impl fmt::Display for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustedKey({})", self.text)
    }
}

/// The list at `key`. A list without keys is refused: it could mean that nothing is checked, or that nobody is trusted.
pub(super) fn read_list(section: &Section<'_>, notes: &Notes, key: &str) -> Vec<TrustedKey> {
    let mut keys = Vec::new();
    let items = section.list(key);
    if matches!(section.node(key).map(|node| &node.value), Some(Value::List(items)) if items.is_empty()) {
        section.mistake(key, "names no key: leave it out to load plugins without a signature, or name one");
    }
    for (path, node) in items {
        // A secret key that was taken for the public one must not appear in a log.
        let read = scalar(node).ok_or_else(|| "expected text".to_owned()).and_then(TrustedKey::read);
        match read {
            Ok(key) => keys.push(key),
            Err(reason) => notes.mistake(path, node.line, format!("{reason}, got {}", node.describe(Show::KindOnly))),
        }
    }
    keys
}
