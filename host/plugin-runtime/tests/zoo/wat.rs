//! Components that no compiler would make: a provider written in the text format, of which a row replaces one part.

/// What a row changes in the sound provider.
#[derive(Default)]
pub(crate) struct Parts<'a> {
    /// The body of `present`: a pointer to its result; the result at 2048 says yes with the handle at 2080.
    pub(crate) present: &'a str,
    /// The body of `realloc`, instead of a pointer that only goes up.
    pub(crate) realloc: &'a str,
    /// More fields of the core module.
    pub(crate) fields: &'a str,
    /// More core modules and instances before it, and what it imports of them.
    pub(crate) before: &'a str,
    pub(crate) imports: &'a str,
    pub(crate) arguments: &'a str,
    /// What follows the lifting of `present`: `(post-return …)`.
    pub(crate) options: &'a str,
}

/// The component as bytes.
pub(crate) fn component(parts: &Parts<'_>) -> Vec<u8> {
    let Parts { present, realloc, fields, before, imports, arguments, options } = parts;
    let present = if present.is_empty() { "i32.const 2048" } else { present };
    let realloc = if realloc.is_empty() { BUMP } else { realloc };
    let text = format!(
        "(component {TYPES} {before}
           (core module $provider
             {imports}
             (memory (export \"memory\") 2)
             (global $next (mut i32) (i32.const 4096))
             {fields}
             (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) {realloc})
             (func (export \"describe\") (result i32) i32.const 1024)
             (func (export \"check\") (result i32) i32.const 2112)
             (func (export \"present\") (param i32 i32 i32 i32 i32 i32 i32) (result i32) {present})
             (func (export \"after\") (param i32) unreachable)
             (func (export \"handled\") (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) i32.const 2112)
             (data (i32.const 16) \"zoo1.0.0\")
             ;; name, version, homepage; no environment, no hosts
             (data (i32.const 1024) \"\\10\\00\\00\\00\\03\\00\\00\\00\\13\\00\\00\\00\\05\\00\\00\\00\")
             ;; yes, with the handle at 2080, one byte long
             (data (i32.const 2048) \"\\00\\00\\00\\00\\20\\08\\00\\00\\01\\00\\00\\00\")
             (data (i32.const 2080) \"h\"))
           (core instance $i (instantiate $provider {arguments}))
           (alias core export $i \"memory\" (core memory $memory))
           (alias core export $i \"realloc\" (core func $realloc))
           {}
           (export \"acme-manager:dns/provider@1.0.0\" (instance $exports)))",
        functions(options)
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// Reserves what is asked for, growing the memory; what is there is not moved.
const BUMP: &str = "(local $at i32)
    global.get $next i32.const 7 i32.add i32.const -8 i32.and local.tee $at
    local.get 3 i32.add global.set $next
    (block $done (loop $grow
      global.get $next memory.size i32.const 16 i32.shl i32.le_u br_if $done
      i32.const 1 memory.grow i32.const -1 i32.eq if unreachable end
      br $grow))
    local.get $at";

/// The types of the contract, as every component imports them.
const TYPES: &str = r#"
    (import "acme-manager:dns/types@1.0.0" (instance $types
      (type $k (enum "config" "unauthorized" "zone-not-found" "rate-limited" "conflict" "unavailable" "rejected" "other"))
      (export "error-kind" (type $kind (eq $k)))
      (type $e (record (field "kind" $kind) (field "message" string) (field "retry-after" (option u32))))
      (export "error" (type (eq $e)))
      (type $v (record (field "name" string) (field "aliases" (list string)) (field "required" bool)
        (field "secret" bool) (field "endpoint" bool) (field "default" (option string)) (field "help" string)))
      (export "environment-key" (type $key (eq $v)))
      (type $d (record (field "name" string) (field "version" string) (field "homepage" string)
        (field "environment" (list $key)) (field "hosts" (list string)) (field "default-ttl" u32)
        (field "propagation-timeout" u32) (field "propagation-interval" u32) (field "multiple-values" bool)
        (field "reports-ready" bool)))
      (export "description" (type (eq $d)))
      (type $r (record (field "zone" string) (field "name" string) (field "value" string) (field "ttl" u32)))
      (export "txt-record" (type (eq $r)))))
    (alias export $types "error" (type $error))
    (alias export $types "description" (type $description))
    (alias export $types "txt-record" (type $record))"#;

fn functions(options: &str) -> String {
    let lift = |name: &str, core: &str, signature: &str, options: &str| {
        format!(
            "(func ${name} {signature} (canon lift (core func $i \"{core}\") (memory $memory) (realloc $realloc) {options}))"
        )
    };
    let handled = "(param \"txt-record\" $record) (param \"handle\" string)";
    [
        lift("describe", "describe", "(result $description)", ""),
        lift("check", "check", "(result (result (error $error)))", ""),
        lift("present", "present", "(param \"txt-record\" $record) (result (result string (error $error)))", options),
        lift("cleanup", "handled", &format!("{handled} (result (result (error $error)))"), ""),
        lift("ready", "handled", &format!("{handled} (result (result bool (error $error)))"), ""),
        "(instance $exports
           (export \"describe\" (func $describe)) (export \"check\" (func $check))
           (export \"present\" (func $present)) (export \"cleanup\" (func $cleanup))
           (export \"ready\" (func $ready)))"
            .to_owned(),
    ]
    .join("\n")
}
