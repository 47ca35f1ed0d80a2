//! Recordings of failed calls, as files that `plugin replay` plays back. They hold no secrets, but they tell of an
//! account, so that nobody but the server's own user can read them.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use acme_manager_plugin_runtime::{Recorder, Recording};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::sync::Semaphore;

/// So many recordings of one plugin are kept, the latest.
const KEPT: usize = 20;
const SUFFIX: &str = ".json";

/// A recorder that writes the failed calls of the plugin `name` into `folder`, which it makes if need be.
///
/// One recording is written at a time; calls that fail meanwhile are not recorded. A recording that cannot be written
/// is a line in the log: the call has failed already, and its caller knows why.
pub(super) fn recorder(folder: PathBuf, name: &str) -> Recorder {
    let prefix: Arc<str> = format!("{name}-").into();
    let (folder, pen) = (Arc::<Path>::from(folder), Arc::new(Semaphore::new(1)));
    Arc::new(move |recording: Recording| {
        // What a component says of itself when it is loaded takes nothing from a vendor.
        if recording.error.is_none() || recording.function == "describe" {
            return;
        }
        let Ok(pen) = pen.clone().try_acquire_owned() else { return };
        let (folder, prefix) = (folder.clone(), prefix.clone());
        tokio::task::spawn_blocking(move || {
            match write(&folder, &prefix, &recording) {
                Ok(file) => {
                    let file = file.display().to_string();
                    tracing::info!(plugin = recording.component.name, file, "the failed call is recorded");
                }
                Err(error) => tracing::warn!(
                    plugin = recording.component.name,
                    folder = %folder.display(),
                    %error,
                    "the failed call cannot be recorded: look at `record_failures`"
                ),
            }
            drop(pen);
        });
    })
}

fn write(folder: &Path, prefix: &str, recording: &Recording) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let moment = OffsetDateTime::now_utc()
        .format(format_description!("[year][month][day]T[hour][minute][second].[subsecond digits:6]Z"))
        .map_err(io::Error::other)?;
    let file = folder.join(format!("{prefix}{moment}-{}{SUFFIX}", recording.function));
    let text = serde_json::to_vec_pretty(recording)?;
    // Under another name until it is whole.
    let partial = file.with_extension("partial");
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial).and_then(|mut opened| {
        opened.write_all(&text)?;
        opened.write_all(b"\n")
    });
    if let Err(error) = written.and_then(|()| fs::rename(&partial, &file)) {
        let _ = fs::remove_file(&partial);
        return Err(error);
    }
    prune(folder, prefix)?;
    Ok(file)
}

/// Removes the oldest: the moment in the names puts them in order.
fn prune(folder: &Path, prefix: &str) -> io::Result<()> {
    let mut own = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.and_then(|name| name.strip_prefix(prefix)).is_some_and(is_own) {
            own.push(path);
        }
    }
    own.sort_unstable();
    let surplus = own.len().saturating_sub(KEPT);
    own.iter().take(surplus).try_for_each(fs::remove_file)
}

/// Whether this is what follows the plugin's name in the name of a recording. A plugin may be called like the
/// beginning of another's name.
fn is_own(rest: &str) -> bool {
    let moment = rest.bytes().take_while(|byte| byte.is_ascii_digit()).count();
    moment == 8 && rest[moment..].starts_with('T') && rest.ends_with(SUFFIX)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn recording(function: &str, message: &str) -> Recording {
        let error = serde_json::json!({"class": "rejected", "message": message});
        serde_json::from_value(serde_json::json!({
            "component": {"name": "dns", "digest": "00"},
            "environment": {},
            "function": function,
            "error": if message.is_empty() { serde_json::Value::Null } else { error },
        }))
        .expect("a recording")
    }

    /// The names in the folder, once there are `count` of them that are whole.
    async fn names(folder: &Path, count: usize) -> Vec<String> {
        for _ in 0..500 {
            let entries = fs::read_dir(folder).into_iter().flatten();
            let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
            let mut names: Vec<String> = names.filter(|name| name.ends_with(SUFFIX)).collect();
            if names.len() >= count {
                names.sort_unstable();
                return names;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("there are no {count} recordings in {}", folder.display());
    }

    #[tokio::test]
    async fn a_failed_call_becomes_a_private_file() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("recordings/deep");
        let record = recorder(folder.clone(), "dns");
        record(recording("present", ""));
        record(recording("describe", "it did not load"));
        record(recording("present", "no such zone"));
        let names = names(&folder, 1).await;
        assert_eq!(names.len(), 1, "{names:?}");
        assert!(names[0].starts_with("dns-2") && names[0].ends_with("Z-present.json"), "{names:?}");
        let file = folder.join(&names[0]);
        let kept: Recording = serde_json::from_slice(&fs::read(&file).expect("a file")).expect("a recording");
        assert_eq!(kept, recording("present", "no such zone"));
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(&folder)), (0o600, 0o700));
    }

    #[tokio::test]
    async fn the_latest_are_kept_and_nobody_elses_are_touched() {
        let place = tempfile::tempdir().expect("a folder");
        let foreign = ["dns-notes.json", "dns-too-20260101T000000.000000Z-present.json", "dns-20260101.txt"];
        for name in foreign {
            fs::write(place.path().join(name), "").expect("written");
        }
        for number in 0..KEPT + 5 {
            write(place.path(), "dns-", &recording("cleanup", &format!("failure {number}"))).expect("written");
        }
        let all = names(place.path(), KEPT + 2).await;
        let own: Vec<&String> = all.iter().filter(|name| !foreign.contains(&name.as_str())).collect();
        assert_eq!(own.len(), KEPT);
        let oldest = fs::read_to_string(place.path().join(own[0])).expect("a file");
        assert!(oldest.contains("failure 5"), "{oldest}");
        assert!(foreign.iter().all(|name| place.path().join(name).exists()));
    }

    #[test]
    fn a_folder_that_cannot_be_used_leaves_nothing_behind() {
        let place = tempfile::tempdir().expect("a folder");
        let in_the_way = place.path().join("file");
        fs::write(&in_the_way, "").expect("written");
        write(&in_the_way, "dns-", &recording("present", "x")).expect_err("it is no folder");
        assert_eq!(fs::read(&in_the_way).expect("untouched"), b"");
    }
}
