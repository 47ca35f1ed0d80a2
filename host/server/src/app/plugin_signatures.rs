//! `plugin keygen|sign|verify`: signatures of components, as minisign makes and reads them.

mod keys;

use std::fs::OpenOptions;
use std::io::{Cursor, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use acme_manager_plugin_runtime::{LoadError, World, read_component};
use acme_manager_workbench::file;
use anyhow::Context;
use minisign::{KeyPair, PublicKey};
use zeroize::Zeroizing;

use self::keys::{not_usable, public_key, secret_key};
use super::plugins::signature;
use super::print;
use crate::certificates::chain;
use crate::config::{KeyPassword, SecretKeyFile};

/// Makes a pair of keys: the secret one in the file, the public one in the file with `.pub` behind its name.
pub(super) fn keygen(key: &SecretKeyFile) -> anyhow::Result<()> {
    let public = with_suffix(&key.path, ".pub");
    for file in [&key.path, &public] {
        let is_there = std::fs::symlink_metadata(file).is_ok();
        anyhow::ensure!(!is_there, "{} is there already: remove it or choose another name", file.display());
    }
    let password = match &key.password {
        KeyPassword::Terminal => Some(keys::new_password()?),
        KeyPassword::File(file) => Some(keys::password(file)?),
        KeyPassword::None => None,
    };
    let pair = match password {
        Some(password) => KeyPair::generate_encrypted_keypair(Some(password)),
        None => KeyPair::generate_unencrypted_keypair(),
    };
    let pair = pair.context("cannot make a key")?;
    let secret = Zeroizing::new(pair.sk.to_box(None).context("cannot write the key")?.into_string());
    let text = pair.pk.to_box().context("cannot write the key")?.into_string();
    create(&key.path, secret.as_bytes(), 0o600)?;
    create(&public, text.as_bytes(), 0o644).inspect_err(|_| {
        // Half a pair is of no use, and in the way of the next try.
        let _ = std::fs::remove_file(&key.path);
    })?;
    print(&format!(
        "secret key: {}\npublic key: {}\nfor `trusted_keys`: {}\n",
        key.path.display(),
        public.display(),
        pair.pk.to_base64()
    ))
}

/// Signs a file; the signature lies beside it.
pub(super) fn sign(file: &Path, key: &SecretKeyFile) -> anyhow::Result<()> {
    let bytes = read_component(file).map_err(|error| said(&error))?;
    // A signature says that its maker stands for it: not for whatever was named by mistake, such as the key itself.
    World::exported_by(&bytes)
        .map_err(|reason| anyhow::anyhow!("{} is no plugin, so it is not signed: {reason}", file.display()))?;
    let secret = secret_key(key)?;
    let public = PublicKey::from_secret_key(&secret).with_context(|| not_usable(key))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    // A comment is one line.
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let seconds = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    let comment = format!("timestamp:{seconds}\tfile:{name}\thashed");
    let signed = minisign::sign(Some(&public), &secret, Cursor::new(&bytes), Some(&comment), None)
        .with_context(|| format!("cannot sign {}", file.display()))?;
    let target = signature::beside(file);
    file::replace(&target, signed.into_string().as_bytes(), 0o644)?;
    // What was written must count where it will be looked at.
    check(file, &bytes, &public.to_base64())?;
    print(&format!("{}\n", target.display()))
}

/// Checks the signature beside a file.
pub(super) fn verify(file: &Path, key: &str) -> anyhow::Result<()> {
    let bytes = read_component(file).map_err(|error| said(&error))?;
    print(&format!("{}\n", check(file, &bytes, key)?))
}

fn check(file: &Path, bytes: &[u8], key: &str) -> anyhow::Result<String> {
    let key = public_key(key)?;
    let signed = signature::read(&signature::beside(file))?;
    let id = signed.check(bytes, &file.display().to_string(), &[key])?;
    Ok(format!("{} is signed by the key {id}: {}", file.display(), signed.comment()))
}

/// Writes a file that is not there yet.
fn create(file: &Path, content: &[u8], mode: u32) -> anyhow::Result<()> {
    let written = OpenOptions::new().write(true).create_new(true).mode(mode).open(file).and_then(|mut opened| {
        opened.write_all(content)?;
        opened.sync_all()
    });
    // What was there before is not ours.
    let is_ours = |error: &std::io::Error| error.kind() != std::io::ErrorKind::AlreadyExists;
    let written = written.inspect_err(|error| drop(is_ours(error).then(|| std::fs::remove_file(file))));
    written.with_context(|| format!("cannot write {}", file.display()))
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn said(error: &LoadError) -> anyhow::Error {
    anyhow::anyhow!(chain(error))
}

#[cfg(test)]
mod tests;
