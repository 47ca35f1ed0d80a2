//! Looks into a component without trusting it with anything.

mod producers;

use std::sync::Arc;

use wasmtime::component::types::ComponentItem;

use self::producers::Producer;
use crate::{
    description::Description,
    digest::PluginDigest,
    engine::Engine,
    error::CallError,
    hook::HookDescription,
    load::{Compiled, LoadError, Origin, PluginSettings, Source, blocking},
    plugin::{Introduction, Sandbox},
    world::{self, World},
};

/// What a component is.
#[derive(Debug)]
pub struct Inspection {
    /// The digest: the value of `checksum` in the configuration.
    pub digest: PluginDigest,
    /// The size in bytes.
    pub size: u64,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// The world that it is made for, or that comes nearest.
    pub world: World,
    /// What keeps it from being of that world; `None` when it fits.
    pub difference: Option<String>,
    /// What it says of itself, with an empty environment and no grants; `None` when it is no DNS provider.
    pub description: Option<Result<Description, CallError>>,
    /// The same for an issuance hook; `None` when it is none.
    pub hook: Option<Result<HookDescription, CallError>>,
    /// What it was written in and made with, as far as its tools left that in it: a claim like all of it.
    pub producers: Vec<Producer>,
    /// What its imports get, and which key of the configuration decides on it.
    pub notes: Vec<String>,
}

impl Engine {
    /// Inspects a component. An error means that it is no component at all; one for another world is a finding.
    pub async fn inspect(&self, bytes: Vec<u8>) -> Result<Inspection, LoadError> {
        let engine = self.clone();
        let (mut inspection, compiled) = blocking(move || engine.look_into(bytes)).await?;
        if let Some(compiled) = compiled {
            let origin = Origin::Bundled { packed: &[], digest: inspection.digest };
            let sandbox = Sandbox::new(self, compiled, PluginSettings::new("under inspection", origin));
            match inspection.world {
                World::DnsProvider => inspection.description = Some(Description::ask(&sandbox).await),
                World::IssuanceHook => inspection.hook = Some(HookDescription::ask(&sandbox).await),
            }
        }
        Ok(inspection)
    }

    fn look_into(&self, bytes: Vec<u8>) -> Result<(Inspection, Option<Compiled>), LoadError> {
        let source = Source::unchecked("the input".into(), bytes.into())?;
        let component = self.component(&source)?;
        let ty = component.component_type();
        let imports: Vec<String> = ty.imports(&self.0.wasm).map(|(name, _)| name.to_owned()).collect();
        let exports = ty.exports(&self.0.wasm).flat_map(|(name, item)| match item.ty {
            ComponentItem::ComponentInstance(instance) => {
                let functions = instance.exports(&self.0.wasm);
                functions
                    .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)))
                    .map(|(function, _)| format!("{name}#{function}"))
                    .collect::<Vec<_>>()
            }
            _ => vec![name.to_owned()],
        });
        let exports = exports.collect();
        let (digest, size) = (source.digest, source.bytes.len() as u64);
        let (world, fit) = world::compare(&self.0.wasm, &component);
        let fit = fit.and_then(|()| world::link(&self.0.linker, &component, world));
        let (difference, compiled) = match fit {
            Ok(linked) => (None, Some(Compiled { linked: Arc::new(linked), digest, size })),
            Err(difference) => (Some(difference), None),
        };
        let (notes, producers) = (notes(&imports), producers::read(&source.bytes));
        let (description, hook) = (None, None);
        let inspection =
            Inspection { digest, size, imports, exports, world, difference, description, hook, producers, notes };
        Ok((inspection, compiled))
    }
}

fn notes(imports: &[String]) -> Vec<String> {
    let uses = |prefix: &str| imports.iter().any(|name| name.starts_with(prefix));
    let table = [
        (
            "wasi:http/outgoing-handler",
            "it imports wasi:http/outgoing-handler: it sends HTTP requests to the hosts in `allowed_hosts` and to no others",
        ),
        (
            "acme-manager:dns/exchange",
            "it imports acme-manager:dns/exchange: it sends DNS messages to the servers in `allowed_dns_servers` and to no \
             others",
        ),
        ("wasi:filesystem/", "it imports wasi:filesystem, which is never granted: it gets an empty file system"),
        (
            "wasi:sockets/",
            "it imports wasi:sockets, which is never granted: it gets functions that refuse, whatever the configuration says",
        ),
    ];
    let mut notes: Vec<String> =
        table.iter().filter(|(prefix, _)| uses(prefix)).map(|(_, note)| (*note).to_owned()).collect();
    if !table[..2].iter().any(|(prefix, _)| uses(prefix)) {
        notes.push("it imports nothing that reaches outside".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests;
