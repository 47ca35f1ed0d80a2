//! A component of whichever world, as the commands of this crate handle it.

use acme_manager_plugin_runtime::{
    About, CallError, Engine, ErrorKind, Hook, LoadError, Plugin, PluginDigest, PluginSettings, World,
};

/// A loaded component.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// A DNS provider.
    Provider(Plugin),
    /// An issuance hook.
    Hook(Hook),
}

/// Evaluates an expression with the component, of whichever type it is.
macro_rules! either {
    ($subject:expr, $it:ident => $value:expr) => {
        match $subject {
            Self::Provider($it) => $value,
            Self::Hook($it) => $value,
        }
    };
}

impl Subject {
    /// Loads a component for the world that it was made for.
    pub(crate) async fn load(engine: &Engine, component: &[u8], settings: PluginSettings) -> Result<Self, LoadError> {
        match World::exported_by(component) {
            Ok(Some(World::IssuanceHook)) => engine.load_hook(settings).await.map(Self::Hook),
            // What is no plugin at all is told by loading it.
            _ => engine.load(settings).await.map(Self::Provider),
        }
    }

    /// The same component with other settings.
    pub(crate) async fn equip(&self, settings: PluginSettings) -> Result<Self, LoadError> {
        Ok(match self {
            Self::Provider(plugin) => Self::Provider(plugin.equip(settings).await?),
            Self::Hook(hook) => Self::Hook(hook.equip(settings).await?),
        })
    }

    /// Asks again what it is.
    pub(crate) async fn describe(&self) -> Result<(), CallError> {
        either!(self, it => it.describe().await.map(drop))
    }

    /// The name of its settings.
    pub(crate) fn name(&self) -> &str {
        either!(self, it => it.name())
    }

    pub(crate) fn digest(&self) -> PluginDigest {
        either!(self, it => it.digest())
    }

    pub(crate) fn exchanges_dns(&self) -> bool {
        either!(self, it => it.exchanges_dns())
    }

    pub(crate) fn about(&self) -> About<'_> {
        either!(self, it => it.description().about())
    }

    /// What it is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Provider(_) => "a DNS provider",
            Self::Hook(_) => "an issuance hook",
        }
    }

    /// A kind of error in the words of its contract.
    pub(crate) fn word(&self, kind: ErrorKind) -> &'static str {
        match (self, kind) {
            (Self::Provider(_), kind) => kind.as_str(),
            (Self::Hook(_), ErrorKind::Rejected) => "refused",
            (Self::Hook(_), _) => "failed",
        }
    }
}
