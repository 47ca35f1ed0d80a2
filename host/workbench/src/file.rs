//! Files that are read no further than anybody means, and written in one step.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use acme_manager_plugin_runtime::read_regular_file;
use anyhow::{Context as _, ensure};

/// More than any script, environment or recording has.
const MAX_BYTES: u64 = 16 << 20;

/// Reads a text. A pipe or a device is none.
pub(crate) fn read(file: &Path) -> anyhow::Result<String> {
    let bytes = read_regular_file(file, MAX_BYTES)?;
    // The library's message would show nothing of it, but the bytes are kept in the error.
    String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("{} is no text in UTF-8", file.display()))
}

/// Whether files can be made in a folder, by making one.
pub(crate) fn takes_files(folder: &Path) -> std::io::Result<()> {
    let probe = partial(folder);
    fs::OpenOptions::new().write(true).create_new(true).open(&probe)?;
    fs::remove_file(probe)
}

/// A name beside the others that nobody has.
fn partial(folder: &Path) -> PathBuf {
    folder.join(format!(".acme-manager.{:016x}", rand::random::<u64>()))
}

/// Puts a new file with `mode` in the place of whatever file is there. Links, pipes and devices stay: `/dev/stdout` is one.
///
/// # Errors
/// When something else is there, or it cannot be written; then nothing is left of it.
pub fn replace(place: &Path, content: &[u8], mode: u32) -> anyhow::Result<()> {
    let failed = || format!("{} cannot be written", place.display());
    if let Ok(there) = fs::symlink_metadata(place) {
        ensure!(there.is_file(), "{} is there and is no regular file: remove it, or name another", place.display());
    }
    let folder = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let partial = partial(folder);
    let written =
        fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&partial).and_then(|mut opened| {
            opened.write_all(content)?;
            opened.sync_all()
        });
    written.and_then(|()| fs::rename(&partial, place)).with_context(failed).inspect_err(|_| {
        // What is left is ours; the first error says more than that it cannot be removed either.
        let _ = fs::remove_file(&partial);
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::process::Command;

    use super::*;

    #[test]
    fn a_file_is_new_and_for_its_owner_whatever_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, other] = ["file", "link", "other"].map(|name| folder.path().join(name));
        fs::write(&file, "old").unwrap();
        fs::write(&other, "of somebody").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        symlink(&other, &link).unwrap();
        let held = fs::File::open(&file).unwrap();
        replace(&file, b"new", 0o600).unwrap();
        let there = fs::symlink_metadata(&file).unwrap();
        assert!(there.is_file() && there.permissions().mode() & 0o777 == 0o600, "{there:?}");
        assert_eq!(fs::read(&file).unwrap(), b"new");
        let error = replace(&link, b"new", 0o600).unwrap_err().to_string();
        assert!(error.contains("no regular file") && link.is_symlink(), "{error}");
        assert_eq!(std::io::read_to_string(held).unwrap(), "old", "who has it open does not see the new one");
        assert_eq!(fs::read(&other).unwrap(), b"of somebody");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn what_is_no_file_stays_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for (place, expected) in [
            (folder.path().to_owned(), "no regular file"),
            (pipe, "no regular file"),
            ("/dev/null".into(), "no regular file"),
            (folder.path().join("missing/file"), "cannot be written"),
        ] {
            let error = format!("{:#}", replace(&place, b"new", 0o600).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_has_no_end_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let [pipe, large, binary] = ["pipe", "large", "binary"].map(|name| folder.path().join(name));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        fs::File::create(&large).unwrap().set_len(MAX_BYTES + 1).unwrap();
        fs::write(&binary, [0xff]).unwrap();
        for (file, expected) in [
            (pipe, "no regular file"),
            ("/dev/zero".into(), "no regular file"),
            (large, "more than the 16 MiB"),
            (binary, "no text in UTF-8"),
            (folder.path().join("missing"), "there is no file"),
        ] {
            let error = format!("{:#}", read(&file).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
