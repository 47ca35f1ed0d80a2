//! The thin binary around the server: command line in, exit code out.

use std::process::ExitCode;
use std::time::Duration;

use acme_manager_server::app;
use acme_manager_server::config::{Command, Flags};

/// How long threads that block are waited for at the end.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    // Components are compiled by this program as well, in processes of their own.
    if let Some(code) = acme_manager_plugin_runtime::enter_compiler() {
        return code;
    }
    let command = match Flags::parse_from(std::env::args_os()) {
        Ok(command) => command,
        Err(error) => {
            app::tell(&format!("acme-manager-server: {error}\n"));
            return ExitCode::from(2);
        }
    };
    match run(command) {
        Ok(code) => code,
        Err(error) => {
            app::tell(&format!("acme-manager-server: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Help(text) => app::print(&format!("{text}\n"))?,
        Command::Version => app::print(concat!("acme-manager-server ", env!("CARGO_PKG_VERSION"), "\n"))?,
        Command::ConfigCheck(flags) => return Ok(app::check::run(&flags)),
        Command::Plugin(command, flags) => runtime()?.block_on(app::plugin_commands::run(command, &flags))?,
        Command::Serve(flags) => {
            app::start_logging(&flags.log);
            let runtime = runtime()?;
            let served = runtime.block_on(app::serve(&flags));
            // A plugin may be being compiled on a thread that nothing can stop.
            runtime.shutdown_timeout(LAST_PATIENCE);
            served?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    // Libraries that open TLS connections by themselves take the process's provider.
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("a TLS provider is installed already"))?;
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
