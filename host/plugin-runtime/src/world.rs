//! Which of the two worlds a component is made for, whether it fits, and in words what differs when it does not.

use std::fmt;

use wasmparser::{BinaryReaderError, Parser, Payload};
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, InstancePre, Lift, Linker, Lower,
    types::{ComponentInstance, ComponentItem},
};

use crate::{
    bindings::{issuance, types},
    report::Function,
    state::State,
};

/// What a component is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum World {
    /// A DNS-01 provider: `acme-manager:dns/dns-provider`.
    DnsProvider,
    /// A policy that is asked before orders: `acme-manager:issuance/issuance-hook`.
    IssuanceHook,
}

impl World {
    /// The world, as an author writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DnsProvider => "acme-manager:dns/dns-provider@1.2.0",
            Self::IssuanceHook => "acme-manager:issuance/issuance-hook@1.0.0",
        }
    }

    /// The interface that a component of this world exports.
    const fn interface(self) -> &'static str {
        match self {
            Self::DnsProvider => "acme-manager:dns/provider@1.2.0",
            Self::IssuanceHook => "acme-manager:issuance/hook@1.0.0",
        }
    }

    /// The functions of that interface.
    pub(crate) const fn functions(self) -> &'static [Function] {
        match self {
            Self::DnsProvider => {
                &[Function::Describe, Function::Check, Function::Present, Function::Cleanup, Function::Ready]
            }
            Self::IssuanceHook => &[Function::Describe, Function::Review],
        }
    }

    /// The world that the exports of a component speak of, without compiling it; a hook if they speak of both, nothing if
    /// of neither.
    ///
    /// # Errors
    /// In words, when the bytes are no component, are cut off or damaged.
    pub fn exported_by(component: &[u8]) -> Result<Option<Self>, String> {
        if !Parser::is_component(component) {
            return Err("it is no WebAssembly component".into());
        }
        let broken = |error: BinaryReaderError| format!("it ends too early or is damaged: {}", error.message());
        let (mut depth, mut found) = (0_usize, None);
        // Payloads are heads of sections: nothing here follows types into each other.
        for payload in Parser::new(0).parse_all(component) {
            match payload.map_err(broken)? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentExportSection(exports) if depth == 0 => {
                    for export in exports {
                        let (name, _) = split_version(export.map_err(broken)?.name.name);
                        let speaks_of = |world: &Self| split_version(world.interface()).0 == name;
                        found = [Self::IssuanceHook, Self::DnsProvider].into_iter().find(speaks_of).or(found);
                        if found == Some(Self::IssuanceHook) {
                            return Ok(found);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// The world that the exports speak of; a provider if they speak of none.
    fn of<'a>(mut exports: impl Iterator<Item = &'a str>) -> Self {
        let (hook, _) = split_version(Self::IssuanceHook.interface());
        if exports.any(|name| split_version(name).0 == hook) { Self::IssuanceHook } else { Self::DnsProvider }
    }
}

/// The word for `kind` in the configuration.
impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DnsProvider => "dns-provider",
            Self::IssuanceHook => "issuance-hook",
        })
    }
}

/// DNS messages: what a component may do that others may not even ask for.
const EXCHANGE: &str = "acme-manager:dns/exchange@1.2.0";

/// Every interface that a component may import: the world's own, and those that the standard libraries of several
/// languages import whether they use them or not.
const OFFERED: &[&str] = &[
    EXCHANGE,
    "acme-manager:dns/host@1.2.0",
    "acme-manager:dns/turn@1.2.0",
    "acme-manager:dns/types@1.2.0",
    "acme-manager:issuance/types@1.0.0",
    "wasi:cli/environment@0.2.12",
    "wasi:cli/exit@0.2.12",
    "wasi:cli/stderr@0.2.12",
    "wasi:cli/stdin@0.2.12",
    "wasi:cli/stdout@0.2.12",
    "wasi:cli/terminal-input@0.2.12",
    "wasi:cli/terminal-output@0.2.12",
    "wasi:cli/terminal-stderr@0.2.12",
    "wasi:cli/terminal-stdin@0.2.12",
    "wasi:cli/terminal-stdout@0.2.12",
    "wasi:clocks/monotonic-clock@0.2.12",
    "wasi:clocks/wall-clock@0.2.12",
    "wasi:filesystem/preopens@0.2.12",
    "wasi:filesystem/types@0.2.12",
    "wasi:http/outgoing-handler@0.2.12",
    "wasi:http/types@0.2.12",
    "wasi:io/error@0.2.12",
    "wasi:io/poll@0.2.12",
    "wasi:io/streams@0.2.12",
    "wasi:random/insecure-seed@0.2.12",
    "wasi:random/insecure@0.2.12",
    "wasi:random/random@0.2.12",
    "wasi:sockets/instance-network@0.2.12",
    "wasi:sockets/ip-name-lookup@0.2.12",
    "wasi:sockets/network@0.2.12",
    "wasi:sockets/tcp-create-socket@0.2.12",
    "wasi:sockets/tcp@0.2.12",
    "wasi:sockets/udp-create-socket@0.2.12",
    "wasi:sockets/udp@0.2.12",
];

/// A component with its imports satisfied and its exports found.
pub(crate) struct Linked {
    pub(crate) world: World,
    /// Whether it imports `exchange`.
    pub(crate) exchanges_dns: bool,
    pub(crate) instance: InstancePre<State>,
    exports: [Option<ComponentExportIndex>; Function::ALL.len()],
}

impl Linked {
    /// One of the functions of the component's world.
    pub(crate) fn export(&self, function: Function) -> &ComponentExportIndex {
        self.exports[function as usize].as_ref().expect("only functions of its world are called")
    }
}

/// Says what differs between the component and the world; everything at once, so that nobody has to build five times.
pub(crate) fn compare(engine: &wasmtime::Engine, component: &Component) -> (World, Result<(), String>) {
    let ty = component.component_type();
    let world = World::of(ty.exports(engine).map(|(name, _)| name));
    let mut differences: Vec<String> = ty
        .imports(engine)
        .filter_map(|(name, item)| match item.ty {
            ComponentItem::ComponentInstance(_) => unknown_import(name),
            // Shared-everything components of some tool chains import types at the root; only functions need a host.
            ComponentItem::ComponentFunc(_) => Some(format!("it imports a function `{name}` outside any interface")),
            _ => None,
        })
        .collect();
    let exported = ty.exports(engine).find_map(|(name, item)| match item.ty {
        ComponentItem::ComponentInstance(instance) if compatible(name, world.interface()) => Some(instance),
        _ => None,
    });
    match exported {
        Some(exported) => differences.extend(wrong_functions(engine, component, world, &exported)),
        None => differences.push(missing_export(world, ty.exports(engine).map(|(name, _)| name))),
    }
    (world, if differences.is_empty() { Ok(()) } else { Err(differences.join("; ")) })
}

/// Satisfies the imports.
pub(crate) fn link(linker: &Linker<State>, component: &Component, world: World) -> Result<Linked, String> {
    // What the names alone do not show: a function that a later minor version added, a type that differs.
    let instance = linker.instantiate_pre(component).map_err(|error| format!("{error:#}"))?;
    let interface = world.interface();
    let exported =
        component.get_export_index(None, interface).ok_or_else(|| format!("it does not export `{interface}`"))?;
    let mut exports = [const { None }; Function::ALL.len()];
    for function in world.functions() {
        let index = component.get_export_index(Some(&exported), function.as_str());
        exports[*function as usize] = Some(index.ok_or_else(|| format!("it does not export `{function}`"))?);
    }
    let ty = component.component_type();
    let exchanges_dns = ty.imports(component.engine()).any(|(name, _)| compatible(name, EXCHANGE));
    Ok(Linked { world, exchanges_dns, instance, exports })
}

fn unknown_import(name: &str) -> Option<String> {
    if OFFERED.iter().any(|offered| compatible(name, offered)) {
        return None;
    }
    let (interface, _) = split_version(name);
    if let Some(own) = OFFERED.iter().find(|offered| split_version(offered).0 == interface) {
        return Some(format!("it imports `{name}`, this host offers `{own}`"));
    }
    let near = OFFERED
        .iter()
        .map(|offered| (strsim::jaro_winkler(interface, split_version(offered).0), offered))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(similarity, _)| *similarity > 0.93);
    Some(match near {
        Some((_, near)) => format!("it imports `{name}`, which this host does not know; the nearest is `{near}`"),
        None => format!("it imports `{name}`, which a plugin does not get here"),
    })
}

fn missing_export<'a>(world: World, exports: impl Iterator<Item = &'a str>) -> String {
    let exports: Vec<&str> = exports.collect();
    let (called, (interface, _)) = (world.interface(), split_version(world.interface()));
    if let Some(other) = exports.iter().find(|name| split_version(name).0 == interface) {
        return format!("it exports `{other}`, this host calls `{called}`");
    }
    match exports.as_slice() {
        [] => format!("it exports nothing, but `{called}` is what this host calls"),
        some => format!("it does not export `{called}`, only `{}`", some.join("`, `")),
    }
}

fn wrong_functions(
    engine: &wasmtime::Engine,
    component: &Component,
    world: World,
    exported: &ComponentInstance,
) -> Vec<String> {
    type Answer<T> = (Result<T, types::Error>,);
    type Verdict = (Result<(), issuance::Objection>,);
    let on = On { engine, component, world, exported };
    let check = |function: &Function| match (world, function) {
        (World::DnsProvider, Function::Describe) => on.signature::<(), (types::Description,)>(*function),
        (World::IssuanceHook, Function::Describe) => on.signature::<(), (issuance::Description,)>(*function),
        (_, Function::Check) => on.signature::<(), Answer<()>>(*function),
        (_, Function::Present) => on.signature::<(types::TxtRecord,), Answer<String>>(*function),
        (_, Function::Cleanup) => on.signature::<(types::TxtRecord, String), Answer<()>>(*function),
        (_, Function::Ready) => on.signature::<(types::TxtRecord, String), Answer<bool>>(*function),
        (_, Function::Review) => on.signature::<(issuance::Order,), Verdict>(*function),
    };
    world.functions().iter().filter_map(check).collect()
}

/// What the types of exported functions are looked up in.
struct On<'a> {
    engine: &'a wasmtime::Engine,
    component: &'a Component,
    world: World,
    exported: &'a ComponentInstance,
}

impl On<'_> {
    fn signature<P, R>(&self, function: Function) -> Option<String>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        match self.exported.get_export(self.engine, function.as_str()).map(|item| item.ty) {
            Some(ComponentItem::ComponentFunc(found)) => {
                let error = found.typecheck::<P, R>(&self.component.component_type().instance_type()).err()?;
                Some(format!("its function `{function}` has another type: {error:#}"))
            }
            _ => Some(format!("it does not export the function `{function}` of `{}`", self.world.interface())),
        }
    }
}

/// Whether something of the one version can stand for the other, by the rule that the linker follows: the same major
/// version, below 1.0 the same minor one, and pre-releases only themselves.
fn compatible(a: &str, b: &str) -> bool {
    let ((name_a, version_a), (name_b, version_b)) = (split_version(a), split_version(b));
    name_a == name_b && (version_a == version_b || track(version_a).is_some_and(|t| Some(t) == track(version_b)))
}

fn track(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.splitn(3, '.');
    let (major, minor, patch) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
    let released = !patch.contains('-');
    match (major, minor) {
        (0, 0) => None,
        (0, minor) => released.then_some((0, minor)),
        (major, _) => released.then_some((major, 0)),
    }
}

fn split_version(name: &str) -> (&str, &str) {
    name.split_once('@').unwrap_or((name, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_match_as_the_linker_matches_them() {
        for (a, b, same) in [
            ("wasi:io/poll@0.2.0", "wasi:io/poll@0.2.12", true),
            ("wasi:io/poll@0.2.99", "wasi:io/poll@0.2.12", true),
            ("wasi:io/poll@0.3.0", "wasi:io/poll@0.2.12", false),
            ("wasi:io/poll@0.2.0-rc-1", "wasi:io/poll@0.2.12", false),
            ("a:b/c@1.0.0", "a:b/c@1.7.3", true),
            ("a:b/c@2.0.0", "a:b/c@1.0.0", false),
            ("a:b/c@0.0.1", "a:b/c@0.0.2", false),
            ("a:b/c", "a:b/c", true),
            ("a:b/c", "a:b/d", false),
        ] {
            assert_eq!(compatible(a, b), same, "{a} {b}");
        }
    }

    #[test]
    fn imports_that_do_not_exist_get_a_hint() {
        assert_eq!(unknown_import("wasi:http/types@0.2.3"), None);
        let text = unknown_import("wasi:http/types@0.3.0").expect("another version");
        assert!(text.contains("offers `wasi:http/types@0.2.12`"), "{text}");
        let text = unknown_import("wasi:http/outgoing-handlers@0.2.0").expect("unknown");
        assert!(text.contains("nearest is `wasi:http/outgoing-handler@0.2.12`"), "{text}");
        let text = unknown_import("wasi:keyvalue/store@0.2.0").expect("unknown");
        assert!(text.contains("does not get here"), "{text}");
    }
}
