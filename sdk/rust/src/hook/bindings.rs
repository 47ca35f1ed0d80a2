//! What `wit-bindgen` makes of the hooks' contract. The functions of WASI and of the host are those of
//! [`crate::bindings`].

#![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, reason = "generated from wit/")]

wit_bindgen::generate!({
    path: ["../../wit", "../../wit/issuance-hook"],
    inline: "
        package acme-manager:plugin-sdk;
        world hook {
            export acme-manager:issuance/hook@1.0.0;
        }
    ",
    world: "acme-manager:plugin-sdk/hook",
    with: {
        "acme-manager:dns/types@1.2.0": crate::bindings::acme_manager::dns::types,
        "acme-manager:issuance/types@1.0.0": generate,
    },
    pub_export_macro: true,
    export_macro_name: "export_hook_component",
    default_bindings_module: "acme_manager_plugin::hook::bindings",
});
