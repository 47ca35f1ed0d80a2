//! The Rust side of the two contracts in `wit/`, as generated. Nothing outside this crate sees these types: a change of the
//! generator must not be a change of our API.

wasmtime::component::bindgen!({
    path: ["../../wit", "../../wit/issuance-hook"],
    // The WASI interfaces of the worlds come ready-made from `wasmtime-wasi`; generating them again would only cost
    // compile time, so the world here names our own interfaces alone.
    inline: "
        package acme-manager:plugin-runtime;
        world seam {
            import acme-manager:dns/host@1.2.0;
            import acme-manager:dns/exchange@1.2.0;
            import acme-manager:dns/turn@1.2.0;
            export acme-manager:dns/provider@1.2.0;
            export acme-manager:issuance/hook@1.0.0;
        }
    ",
    imports: { "acme-manager:dns/exchange.exchange": async, "acme-manager:dns/turn.take": async },
    exports: { default: async },
});

pub(crate) use acme_manager::dns::{exchange, host, turn, types};
pub(crate) use acme_manager::issuance::types as issuance;
