//! What is known of plugins beside figures: what their own check said, and which new settings are not in force.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// By the names of plugins. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct PluginNews(Arc<Mutex<BTreeMap<String, Entry>>>);

#[derive(Default)]
struct Entry {
    news: News,
    /// How often it was loaded, so that a check of an earlier version tells nothing of the present one.
    loads: u64,
}

/// Of one plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// What the check of the loaded version said: `ok`, or the error.
    pub check: Option<String>,
    /// Why the settings in the config are not those that it runs with.
    pub refused_update: Option<String>,
}

/// A check that is under way.
pub struct Check {
    news: PluginNews,
    plugin: String,
    load: u64,
}

impl PluginNews {
    /// Of one plugin.
    #[must_use]
    pub fn of(&self, plugin: &str) -> News {
        self.lock().get(plugin).map(|entry| entry.news.clone()).unwrap_or_default()
    }

    /// A check of the version that was loaded last begins.
    #[must_use]
    pub fn begin_check(&self, plugin: &str) -> Check {
        let load = self.lock().entry(plugin.to_owned()).or_default().loads;
        Check { news: self.clone(), plugin: plugin.to_owned(), load }
    }

    /// New settings cannot be used and the old ones stay in force, or that is over.
    pub fn refused_update(&self, plugin: &str, reason: Option<String>) {
        self.lock().entry(plugin.to_owned()).or_default().news.refused_update = reason;
    }

    pub(super) fn loaded(&self, plugin: &str) {
        let mut all = self.lock();
        let entry = all.entry(plugin.to_owned()).or_default();
        entry.loads += 1;
        entry.news.check = None;
    }

    /// Its count stays, so that a check that is still under way tells nothing.
    pub(super) fn removed(&self, plugin: &str) {
        if let Some(entry) = self.lock().get_mut(plugin) {
            entry.loads += 1;
            entry.news = News::default();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Check {
    /// It said `ok`, or an error.
    pub fn end(self, said: String) {
        let mut all = self.news.lock();
        let entry = all.get_mut(&self.plugin).filter(|entry| entry.loads == self.load);
        if let Some(entry) = entry {
            entry.news.check = Some(said);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_tells_of_the_version_that_it_asked() {
        let news = PluginNews::default();
        news.loaded("pdns");
        news.begin_check("pdns").end("ok".to_owned());
        assert_eq!(news.of("pdns").check.as_deref(), Some("ok"));
        let slow = news.begin_check("pdns");
        news.loaded("pdns");
        assert_eq!(news.of("pdns").check, None, "nothing is known of the new version");
        slow.end("unauthorized".to_owned());
        assert_eq!(news.of("pdns").check, None, "this was the old one");
        news.refused_update("pdns", Some("broken".to_owned()));
        news.removed("pdns");
        assert_eq!(news.of("pdns"), News::default());
    }
}
