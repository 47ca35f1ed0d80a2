//! DNS messages: whatever a guest sends and a server answers, only a reply that fits the request is handed over.
#![no_main]

use acme_manager_plugin_runtime::fuzzing;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Case<'a> {
    server: &'a str,
    request: &'a [u8],
    arrival: &'a [u8],
    /// The arrival repeats the request's id, so that the fuzzer gets beyond it.
    is_close: bool,
}

fuzz_target!(|case: Case<'_>| {
    if let Some(text) = fuzzing::name_server(case.server) {
        assert_eq!(fuzzing::name_server(&text).as_deref(), Some(text.as_str()), "out of {:?}", case.server);
        assert!(!text.contains(['/', '@', '*', ' ']), "{text:?}");
    }
    let mut arrival = case.arrival.to_vec();
    if case.is_close && arrival.len() >= 2 && case.request.len() >= 2 {
        arrival[..2].copy_from_slice(&case.request[..2]);
    }
    let Some(is_reply) = fuzzing::is_reply(case.request, &arrival) else { return };
    assert!(case.request.len() >= 12, "a message has a header");
    if is_reply {
        assert_eq!(arrival[..2], case.request[..2], "another id");
        assert!(arrival[2] & 0x80 != 0, "no response");
        assert_eq!(arrival[2] & 0x78, case.request[2] & 0x78, "another opcode");
    }
    // A request is no reply to itself.
    assert_eq!(fuzzing::is_reply(case.request, case.request), Some(false));
});
