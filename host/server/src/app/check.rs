//! `-config-check`: everything that can be said about config and environment without starting anything.

use std::process::ExitCode;

use super::plugins;
use crate::config::{Config, Environment, Flags};

/// Prints what is wrong on standard error and the verdict on standard output.
#[must_use]
pub fn run(flags: &Flags) -> ExitCode {
    let mut mistakes = Vec::new();
    match Environment::load(&flags.env_config_path) {
        Ok(environment) => {
            for warning in environment.warnings() {
                eprintln!("warning: {}: {warning}", flags.env_config_path.display());
            }
            mistakes.extend(environment.dns_settings().err().map(|e| e.to_string()));
            mistakes.extend(environment.ca_settings().err().map(|e| e.to_string()));
        }
        Err(error) => mistakes.push(error.to_string()),
    }
    match Config::load(&flags.config_path) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                eprintln!("warning: {}: {warning}", flags.config_path.display());
            }
            for doubt in plugins::doubts(&loaded.config).into_iter().chain(plugins::wrong_files(&loaded.config)) {
                eprintln!("warning: {}: {doubt}", flags.config_path.display());
            }
        }
        Err(error) => mistakes.push(crate::certificates::chain(&error)),
    }
    if mistakes.is_empty() {
        println!("{} is valid", flags.config_path.display());
        return ExitCode::SUCCESS;
    }
    for mistake in mistakes {
        eprintln!("error: {mistake}");
    }
    ExitCode::FAILURE
}
