//! Keys as minisign writes them, told apart before they are used. No message shows what is in a file or a key.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use acme_manager_plugin_runtime::read_regular_file;
use anyhow::{Context, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign::{SecretKey, SecretKeyBox};
use zeroize::Zeroizing;

use super::{said, with_suffix};
use crate::config::{KeyPassword, SecretKeyFile, TrustedKey};

/// Where passwords are asked for.
const TERMINAL: &str = "/dev/tty";
/// A key takes 200 bytes, a password at most a line.
const LONGEST: u64 = 16 << 10;
/// Where minisign begins its secret keys: the algorithm, how they are protected, the kind of checksum.
const UNPROTECTED: &[u8] = b"Ed\0\0B2";
const PROTECTED: &[u8] = b"EdScB2";
/// Those, 32 bytes of salt, two limits of 8, the number of 8, the key of 64 and the checksum of 32.
const SECRET_BYTES: usize = 158;
const CHECKSUM_BYTES: usize = 32;
/// The algorithm, the number of 8 and the key of 32.
const PUBLIC_BYTES: usize = 42;
/// As many, and 64 for the signature.
const SIGNATURE_BYTES: usize = 74;
/// No name of a file has so many letters and digits in one piece.
const LONGEST_PUBLIC: usize = 56;

/// What a text of minisign is.
enum Kind {
    Public,
    /// In base64 decoded.
    Unprotected(Zeroizing<Vec<u8>>),
    Protected,
    Signature,
    Other,
}

impl Kind {
    fn of(text: &str) -> Self {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines = [lines.next(), lines.next()];
        // A comment comes first in a file.
        let Some(line) = lines[1].or(lines[0]) else { return Self::Other };
        let Ok(bytes) = STANDARD.decode(line).map(Zeroizing::new) else { return Self::Other };
        match bytes.len() {
            SECRET_BYTES if bytes.starts_with(UNPROTECTED) => Self::Unprotected(bytes),
            SECRET_BYTES if bytes.starts_with(PROTECTED) => Self::Protected,
            PUBLIC_BYTES if bytes.starts_with(b"Ed") => Self::Public,
            SIGNATURE_BYTES if bytes.starts_with(b"Ed") || bytes.starts_with(b"ED") => Self::Signature,
            _ => Self::Other,
        }
    }
}

/// The key itself, or the file that holds it.
pub(super) fn public_key(key: &str) -> anyhow::Result<TrustedKey> {
    if let Ok(key) = key.parse() {
        return Ok(key);
    }
    refuse_a_secret(key)?;
    let file = Path::new(key);
    let text = read_text(file).context("-key is neither a public key of minisign nor a file with one")?;
    match Kind::of(&text) {
        Kind::Unprotected(_) | Kind::Protected => {
            bail!("{key} holds a secret key, and signatures are checked with the public one{}", partner(file))
        }
        Kind::Signature => bail!("{key} holds a signature, and -key names the public key that it is checked with"),
        Kind::Public | Kind::Other => text.parse().map_err(|_| {
            anyhow::anyhow!(
                "{key} holds no public key of minisign: 56 characters that begin with `RW`, below a comment"
            )
        }),
    }
}

/// A secret key on the command line can be seen by every user of the machine; it need not stand in a log too.
fn refuse_a_secret(key: &str) -> anyhow::Result<()> {
    let is_key = match Kind::of(key) {
        Kind::Unprotected(_) | Kind::Protected => true,
        // What is left of one that was cut or broken.
        _ => {
            let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
            let runs = key.split(|c| !is_base64(c));
            runs.into_iter().any(|run| run.starts_with("RW") && run.len() > LONGEST_PUBLIC)
        }
    };
    ensure!(
        !is_key,
        "-key looks like a secret key itself: every user of this machine can see a command line, so make a new pair of \
         keys, and write the file's name here"
    );
    Ok(())
}

pub(super) fn secret_key(key: &SecretKeyFile) -> anyhow::Result<SecretKey> {
    let SecretKeyFile { path, password } = key;
    refuse_a_secret(&path.to_string_lossy())?;
    let text = read_text(path)?;
    let name = path.display();
    let opened = match (Kind::of(&text), password) {
        (Kind::Public, _) => {
            bail!("{name} holds a public key, and signatures are made with the secret one{}", secret_partner(path))
        }
        (Kind::Signature, _) => bail!("{name} holds a signature, and -key names the secret key to make one with"),
        (Kind::Unprotected(_), KeyPassword::File(_)) => {
            bail!("{name} has no password: write -no-password instead of -password-file")
        }
        // Nobody need be asked for a password that there is not.
        (Kind::Unprotected(bytes), KeyPassword::None | KeyPassword::Terminal) => unprotected(&text, &bytes),
        (Kind::Protected, KeyPassword::None) => bail!(
            "{name} has a password: leave -no-password out to be asked for it, or name a file that holds it with \
             -password-file"
        ),
        (Kind::Protected, KeyPassword::File(file)) => sealed(&text)?.into_secret_key(Some(self::password(file)?)),
        (Kind::Protected, KeyPassword::Terminal) => {
            has_terminal().with_context(|| format!("{name} has a password"))?;
            sealed(&text)?.into_secret_key(Some(asked(&format!("Password of {name}: "))?))
        }
        (Kind::Other, _) => bail!("{name} holds no secret key of minisign: a comment, and below it 212 characters"),
    };
    opened.with_context(|| not_usable(key))
}

/// minisign itself writes no checksum into a key without a password, and the library wants one.
fn unprotected(text: &str, bytes: &[u8]) -> minisign::Result<SecretKey> {
    match bytes[SECRET_BYTES - CHECKSUM_BYTES..] == [0; CHECKSUM_BYTES] {
        // Whoever signs with it compares the signature with the public half, which is what a checksum would be for.
        true => SecretKey::from_bytes(bytes),
        false => sealed(text)?.into_unencrypted_secret_key(),
    }
}

fn sealed(text: &str) -> minisign::Result<SecretKeyBox> {
    SecretKeyBox::from_string(text)
}

pub(super) fn not_usable(key: &SecretKeyFile) -> String {
    format!("{} cannot be used as a secret key of minisign", key.path.display())
}

/// A password that somebody chooses at the terminal.
pub(super) fn new_password() -> anyhow::Result<String> {
    has_terminal().context("cannot make a key with a password; -no-password makes one without")?;
    let password = asked("Password for the new secret key: ")?;
    ensure!(!password.is_empty(), "no password was given: -no-password makes a key without one");
    ensure!(asked("The same again: ")? == password, "the two passwords differ: nothing was written");
    Ok(password)
}

fn has_terminal() -> anyhow::Result<()> {
    let terminal = OpenOptions::new().read(true).write(true).open(TERMINAL);
    ensure!(terminal.is_ok(), "there is no terminal to ask for it: name a file that holds it with -password-file");
    Ok(())
}

fn asked(question: &str) -> anyhow::Result<String> {
    rpassword::prompt_password(question).context("no password was given")
}

/// The first line of a file.
pub(super) fn password(file: &Path) -> anyhow::Result<String> {
    let text = read_text(file)?;
    let line = text.lines().next().unwrap_or_default();
    ensure!(!line.is_empty(), "{} holds no password in its first line", file.display());
    Ok(line.to_owned())
}

fn read_text(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    let bytes = Zeroizing::new(read_regular_file(file, LONGEST).map_err(|error| said(&error))?);
    let text = std::str::from_utf8(&bytes).map_err(|_| anyhow::anyhow!("{} is not text", file.display()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The other key of a pair, if it lies where it was made.
fn partner(secret: &Path) -> String {
    // `plugin keygen` adds to the name, most people who call minisign exchange its end.
    let places = [with_suffix(secret, ".pub"), secret.with_extension("pub")];
    there(places.into_iter().filter(|place| place != secret))
}

fn secret_partner(public: &Path) -> String {
    let Some(name) = public.to_str().and_then(|name| name.strip_suffix(".pub")) else { return String::new() };
    there([PathBuf::from(name), PathBuf::from(format!("{name}.key"))].into_iter())
}

fn there(mut places: impl Iterator<Item = PathBuf>) -> String {
    places.find(|place| place.is_file()).map(|place| format!("; did you mean {}?", place.display())).unwrap_or_default()
}
