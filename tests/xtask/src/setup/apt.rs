//! Debian packages, without the system services that come with them.

use std::process::Command;

use anyhow::{Context, bail};

use crate::run::{checked, find, succeeds};

/// Installs `packages` with apt-get, as root or through sudo.
///
/// # Errors
/// When there is no apt-get, no way to become root, or apt-get fails; the message names the packages.
pub(crate) fn install(packages: &[&str]) -> anyhow::Result<()> {
    let by_hand = format!("by hand: apt-get install {}", packages.join(" "));
    if find("apt-get").is_none() {
        bail!(
            "there is no apt-get here. Install the programs of these Debian packages with your own system's package \
             manager, in the same versions or newer: {}",
            packages.join(" ")
        );
    }
    let mut command = root_shell().with_context(|| by_hand.clone())?;
    checked(command.args(["-c", INSTALL, "apt-install"]).args(packages)).context(by_hand)
}

/// A package manager may not start the name servers that it installs: port 53 may be taken, and tests run their own.
/// A `policy-rc.d` that answers 101 forbids it; one that is there already stays.
const INSTALL: &str = r#"
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends "$@"
"#;

fn root_shell() -> anyhow::Result<Command> {
    if succeeds(Command::new("sh").args(["-c", r#"[ "$(id -u)" = 0 ]"#])) {
        return Ok(Command::new("sh"));
    }
    if find("sudo").is_none() {
        bail!("installing packages needs root, and there is no sudo");
    }
    let mut command = Command::new("sudo");
    command.arg("sh");
    Ok(command)
}
