//! The server's own files as text: bounded, and never a pipe or a device, which would keep a reload waiting for ever.

use std::io;
use std::path::Path;

use acme_manager_plugin_runtime::{LoadError, read_regular_file};
use zeroize::Zeroizing;

/// The content of a regular file of at most `limit` bytes, links followed.
///
/// # Errors
/// When there is none ([`io::ErrorKind::NotFound`]), or it cannot be read, is something else, is larger, or no UTF-8. The
/// reason does not name the file.
pub(super) fn read(path: &Path, limit: u64) -> io::Result<Zeroizing<String>> {
    let unfit = |what| io::Error::other(format!("expected a file of at most {} KiB: {what}", limit >> 10));
    let bytes = read_regular_file(path, limit).map(Zeroizing::new).map_err(|error| match error {
        LoadError::Missing { .. } => io::Error::from(io::ErrorKind::NotFound),
        LoadError::Unreadable { source, .. } => source,
        LoadError::NotAFile { .. } => unfit("it is no regular file"),
        _ => unfit("it is larger"),
    })?;
    let text = std::str::from_utf8(&bytes).map_err(|_| io::Error::other("it is not text in UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_no_file_is_neither_waited_for_nor_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let [pipe, large, binary, good] = ["pipe", "large", "binary", "good"].map(|name| folder.path().join(name));
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
        fs::File::create(&large).and_then(|file| file.set_len(2049)).expect("written");
        fs::write(&binary, [0xff]).expect("written");
        fs::write(&good, "a: 1").expect("written");
        for (path, expected) in [
            (pipe.as_path(), "no regular file"),
            (Path::new("/dev/zero"), "no regular file"),
            (folder.path(), "no regular file"),
            (&large, "at most 2 KiB: it is larger"),
            (&binary, "not text"),
        ] {
            let error = read(path, 2048).expect_err("refused").to_string();
            assert!(error.contains(expected), "{}: {error}", path.display());
        }
        assert_eq!(read(&folder.path().join("none"), 2048).expect_err("none").kind(), io::ErrorKind::NotFound);
        assert_eq!(*read(&good, 2048).expect("text"), "a: 1");
    }
}
