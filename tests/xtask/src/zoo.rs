//! `cargo xtask zoo`: a thousand of every misbehaviour, to see that none leaves anything behind.

use crate::{
    run::{cargo, checked},
    test::plugins,
};

/// Builds the components and runs the tests that the ordinary run leaves out.
///
/// # Errors
/// When a step fails.
pub(crate) fn run() -> anyhow::Result<()> {
    plugins()?;
    let tests = ["--test", "zoo", "--", "--ignored", "--nocapture"];
    checked(cargo().args(["test", "-p", "acme-manager-plugin-runtime"]).args(tests))
}
