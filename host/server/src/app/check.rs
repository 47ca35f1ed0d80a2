//! `-config-check`: everything that can be said about config and environment without starting anything.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use super::{plugins, print, tell};
use crate::certificates::chain;
use crate::config::{Config, Environment, Flags};

/// Prints what is wrong on standard error and the verdict on standard output. A warning keeps no server from starting, and
/// is a failure only if the flags want it so.
#[must_use]
pub fn run(flags: &Flags) -> ExitCode {
    let (mut mistakes, mut warnings) = (Vec::new(), 0);
    let mut warn = |file: &Path, warning: &dyn Display| {
        tell(&format!("warning: {}: {warning}\n", file.display()));
        warnings += 1;
    };
    match Environment::load(&flags.env_config_path) {
        Ok(environment) => {
            for warning in environment.warnings() {
                warn(&flags.env_config_path, warning);
            }
            mistakes.extend(environment.dns_settings().err().map(|e| e.to_string()));
            mistakes.extend(environment.ca_settings().err().map(|e| e.to_string()));
        }
        Err(error) => mistakes.push(chain(&error)),
    }
    match Config::load(&flags.config_path) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                warn(&flags.config_path, warning);
            }
            for doubt in plugins::doubts(&loaded.config).into_iter().chain(plugins::wrong_files(&loaded.config)) {
                warn(&flags.config_path, &doubt);
            }
        }
        Err(error) => mistakes.push(chain(&error)),
    }
    for mistake in &mistakes {
        tell(&format!("error: {mistake}\n"));
    }
    if !mistakes.is_empty() {
        return ExitCode::FAILURE;
    }
    let noted = match warnings {
        0 => String::new(),
        1 => ", with 1 warning".to_owned(),
        _ => format!(", with {warnings} warnings"),
    };
    if print(&format!("{} is valid{noted}\n", flags.config_path.display())).is_err() {
        return ExitCode::FAILURE;
    }
    if warnings > 0 && flags.config_check_strict { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
