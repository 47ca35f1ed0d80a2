//! What `wit-bindgen` makes of the contract; the rest of the crate wraps it.

#![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, reason = "generated from wit/")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "acme-manager:dns/dns-provider",
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "acme_manager_plugin::bindings",
});
