//! What is wrong with a command line, in sentences that go on from the program's name.

use acme_manager_workbench::UsageError;

/// What the parser of the authors' commands ends with: it does not say whose help it means.
const VAGUE_HINT: &str = "For more information, try '--help'.";
/// Nobody needs more of a word to find it again. A secret key that was given as one shows nothing secret in so many
/// characters: 72 of them say how it is protected.
const SHOWN_CHARACTERS: usize = 60;

/// Why a command line cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// There is no such flag.
    #[error("unknown flag -{flag}{}", hint(nearest.as_deref().map(|near| format!("-{near}"))))]
    Unknown {
        /// As given, without dashes.
        flag: String,
        /// The most similar flag.
        nearest: Option<String>,
    },
    /// The flag needs a value and is the last word.
    #[error("flag -{flag} needs a value")]
    MissingValue {
        /// Its name.
        flag: String,
    },
    /// The value is of the wrong kind.
    #[error("flag -{flag}: {reason}")]
    Invalid {
        /// Its name.
        flag: String,
        /// What was expected and found.
        reason: String,
    },
    /// Flags do not fit together.
    #[error("{0}")]
    Conflict(&'static str),
    /// A command cannot do without it.
    #[error("{name} is missing: {what}")]
    Missing {
        /// A flag, or an argument in capitals.
        name: &'static str,
        /// What it is.
        what: &'static str,
    },
    /// A word that is neither a flag nor a command.
    #[error("unexpected argument {:?}{}", shown(word), hint(nearest.as_ref().map(|near| format!("`{near}`"))))]
    Unexpected {
        /// As given.
        word: String,
        /// The command that was meant, perhaps.
        nearest: Option<String>,
    },
    /// An argument of a command is not what it takes.
    #[error("expected {expected}, got {:?}", shown(word))]
    Unfit {
        /// In words, with an example.
        expected: &'static str,
        /// As given.
        word: String,
    },
    /// `plugin` without a command, or with one that does not exist.
    #[error("{}", no_command(word.as_deref(), nearest.as_deref()))]
    NoCommand {
        /// The word after `plugin`.
        word: Option<String>,
        /// The most similar command.
        nearest: Option<String>,
    },
    /// A command about plugins is used wrongly.
    #[error("plugin {command}: {}", with_help(mistake, command))]
    Plugin {
        /// The word after `plugin`.
        command: String,
        /// What is wrong.
        mistake: String,
    },
    /// A command of plugin authors is used wrongly.
    #[error(
        "plugin {command}: {}\n\nFor more information, see `acme-manager-server plugin {command} -help`.",
        told(error)
    )]
    Author {
        /// The word after `plugin`.
        command: String,
        /// What is wrong.
        error: UsageError,
    },
}

impl FlagError {
    /// The same as a mistake of `plugin command`, if there is one.
    pub(super) fn of(self, command: Option<&str>) -> Self {
        let Some(command) = command else { return self };
        let mistake = match self {
            Self::Author { .. } | Self::NoCommand { .. } | Self::Plugin { .. } => return self,
            Self::Unknown { flag, nearest: None } => format!("unknown flag -{flag}"),
            Self::Unexpected { word, .. } => format!("unexpected argument {:?}", shown(&word)),
            mistake => mistake.to_string(),
        };
        Self::Plugin { command: command.to_owned(), mistake }
    }

    /// A word too many.
    pub(super) fn surplus(word: &str) -> Self {
        Self::Unexpected { word: word.to_owned(), nearest: None }
    }
}

fn hint(nearest: Option<String>) -> String {
    nearest.map_or_else(|| "; see -help".to_owned(), |near| format!("; did you mean {near}?"))
}

fn no_command(word: Option<&str>, nearest: Option<&str>) -> String {
    let wrong = match word {
        Some(word) => format!("there is no command `plugin {}`", shown(word)),
        None => "`plugin` needs a command".to_owned(),
    };
    match nearest {
        Some(near) => format!("{wrong}; did you mean `plugin {near}`? See `acme-manager-server plugin -help`"),
        None => format!("{wrong}; see `acme-manager-server plugin -help`"),
    }
}

fn with_help(mistake: &str, command: &str) -> String {
    let see = if mistake.ends_with('?') { " See" } else { "; see" };
    format!("{mistake}{see} `acme-manager-server plugin {command} -help`")
}

fn told(error: &UsageError) -> String {
    let text = error.to_string();
    text.trim_end().trim_end_matches(VAGUE_HINT).trim_end().to_owned()
}

fn shown(word: &str) -> String {
    match word.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &word[..end]),
        None => word.to_owned(),
    }
}
