//! Variables: the process environment over the `.env` file, without ever changing the former.
//!
//! A variable that the process already has wins over the file, as it did for the Go server, so that a container's
//! settings override a file in the image. `NAME_FILE` stands in for a missing `NAME` with the content of that file; it
//! is read when `NAME` is first asked for, because most variables that end so are ordinary paths. `Debug` and all
//! messages show names only.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use acme_manager_workbench::dotenv::{self, Assigned, Malformed};
use secrecy::{ExposeSecret, SecretString};

use super::plugin::{fault_of_file, read_secret_file};
use super::text_file;

/// What the operator set, by name.
#[derive(Default)]
pub struct Environment {
    values: BTreeMap<String, SecretString>,
    files: BTreeMap<String, ReferencedFile>,
    warnings: Vec<EnvironmentProblem>,
}

struct ReferencedFile {
    path: PathBuf,
    content: OnceLock<Result<SecretString, String>>,
}

/// Something about one variable or one line. Never holds a value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentProblem {
    /// The line of the file, counted from 1, or 0.
    pub line: usize,
    /// The variable, or nothing when the line has none.
    pub name: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for EnvironmentProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if !self.name.is_empty() {
            write!(f, "{}: ", self.name)?;
        }
        f.write_str(&self.message)
    }
}

/// Why the variables cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// The file is there but cannot be read.
    #[error("cannot read the environment file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// A line of the file is malformed.
    #[error("the environment file {} is malformed: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line.
        problem: Malformed,
    },
    /// Variables of the server itself have wrong values.
    #[error("the environment has {} mistake{}:{}", .0.len(), if .0.len() == 1 { "" } else { "s" }, listed(.0))]
    Invalid(Vec<EnvironmentProblem>),
}

/// Far above any real file.
const LONGEST_FILE: u64 = 1024 * 1024;

impl Environment {
    /// The process environment over the file at `path`; a missing file is an empty one.
    ///
    /// # Errors
    /// When the file cannot be read, is larger than 1 MiB or has a malformed line.
    pub fn load(path: &Path) -> Result<Self, EnvironmentError> {
        let failed = |source| EnvironmentError::Read { path: path.to_owned(), source };
        let text = match text_file::read(path, LONGEST_FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => zeroize::Zeroizing::default(),
            text => text.map_err(failed)?,
        };
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::parse(&text, std::env::vars_os().filter_map(utf8))
            .map_err(|problem| EnvironmentError::Malformed { path: path.to_owned(), problem })
    }

    /// `process` over the text of a `.env` file.
    ///
    /// # Errors
    /// When a line is malformed.
    pub fn parse(text: &str, process: impl IntoIterator<Item = (String, String)>) -> Result<Self, Malformed> {
        let mut environment = Self::default();
        let mut lines: BTreeMap<String, usize> = BTreeMap::new();
        for Assigned { line, name, value, has_gap } in dotenv::read(text)? {
            if has_gap {
                let message = dotenv::GAP.to_owned();
                environment.warnings.push(EnvironmentProblem { line, name: name.clone(), message });
            }
            if let Some(first) = lines.insert(name.clone(), line) {
                let message = format!("given twice, first on line {first}: the last one counts");
                environment.warnings.push(EnvironmentProblem { line, name: name.clone(), message });
            }
            environment.values.insert(name, SecretString::from(value));
        }
        environment.values.extend(process.into_iter().map(|(name, value)| (name, SecretString::from(value))));
        environment.files = environment.values.iter().filter_map(referenced_file).collect();
        for (name, line) in lines {
            environment.warn_of_missing_file(&name, line);
        }
        Ok(environment)
    }

    /// The value of a variable, or the content of the file that `NAME_FILE` names. An empty value and a file that
    /// cannot be read count as absent; [`Self::resolve`] tells the latter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&SecretString> {
        self.resolve(name).unwrap_or_default()
    }

    /// As [`Self::get`].
    ///
    /// # Errors
    /// When `NAME_FILE` names a file that cannot be read.
    pub fn resolve(&self, name: &str) -> Result<Option<&SecretString>, EnvironmentProblem> {
        if let Some(value) = self.values.get(name).filter(|value| !value.expose_secret().is_empty()) {
            return Ok(Some(value));
        }
        let Some(file) = self.files.get(name) else { return Ok(None) };
        match file.content.get_or_init(|| read_secret_file(&file.path)) {
            Ok(content) => Ok(Some(content)),
            Err(message) => Err(EnvironmentProblem { line: 0, name: format!("{name}_FILE"), message: message.clone() }),
        }
    }

    /// The names of all variables, sorted; those that exist only as `NAME_FILE` appear under that name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// What the operator should know; none of it keeps the server from starting.
    #[must_use]
    pub fn warnings(&self) -> &[EnvironmentProblem] {
        &self.warnings
    }

    fn warn_of_missing_file(&mut self, name: &str, line: usize) {
        let Some(base) = name.strip_suffix("_FILE") else { return };
        let Some(file) = self.files.get(base) else { return };
        if let Some((_, message)) = fault_of_file(&file.path) {
            self.warnings.push(EnvironmentProblem { line, name: name.to_owned(), message });
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Environment").field(&self.values.keys().collect::<Vec<_>>()).finish()
    }
}

fn referenced_file((name, value): (&String, &SecretString)) -> Option<(String, ReferencedFile)> {
    let base = name.strip_suffix("_FILE").filter(|base| !base.is_empty())?;
    let path = PathBuf::from(value.expose_secret());
    (!path.as_os_str().is_empty()).then(|| (base.to_owned(), ReferencedFile { path, content: OnceLock::new() }))
}

fn listed(problems: &[EnvironmentProblem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}

#[cfg(test)]
mod tests;
