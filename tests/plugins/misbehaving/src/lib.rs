//! A DNS-01 provider that does whatever the runtime must survive. The environment key `MISBEHAVE`, or else the TXT
//! value, says what `present` does: a verb, and for some verbs arguments after spaces. Only tests load it.

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, missing_docs, clippy::too_many_lines, reason = "the generated bindings at the component's border")]
mod guest;
