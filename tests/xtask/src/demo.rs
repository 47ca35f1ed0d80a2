//! `cargo xtask demo`: a CA, a DNS server and acme-manager on this machine, and one certificate issued before your eyes.

use crate::{
    run::{cargo, checked},
    setup::{self, Tool},
    test,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Issue one certificate, show it and end, instead of serving until Ctrl-C
    #[arg(long)]
    once: bool,
}

/// Installs what it needs, builds everything and runs the demonstration.
///
/// # Errors
/// When a step fails, or no certificate was issued and verified.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    setup::setup(&Tool::FOR_DEMO)?;
    test::plugins()?;
    checked(cargo().args(["build", "--package", "acme-manager-server", "--package", "acme-manager-demo"]))?;
    let mut demo = cargo();
    demo.args(["run", "--quiet", "--package", "acme-manager-demo", "--"]);
    if arguments.once {
        demo.arg("--once");
    }
    checked(&mut demo)
}
