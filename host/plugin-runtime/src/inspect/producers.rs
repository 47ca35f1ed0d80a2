//! The custom section `producers`, in which tools leave their names.

use wasmparser::{KnownCustom, Parser, Payload, ProducersSectionReader};

/// Bounds of what is kept; far above what any chain of tools leaves.
const MAX_PRODUCERS: usize = 64;
const MAX_TEXT_BYTES: usize = 256;

/// A tool or a language that had a part in a component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Producer {
    /// Its part: `language`, `processed-by` or `sdk`.
    pub role: String,
    /// What it is called.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
}

/// What the component and the modules in it name, each once. What cannot be read is left out.
pub(super) fn read(component: &[u8]) -> Vec<Producer> {
    let mut found = Vec::new();
    // Payloads are heads of sections: nothing here follows types into each other.
    for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
        let Payload::CustomSection(section) = payload else { continue };
        if let KnownCustom::Producers(section) = section.as_known() {
            add(section, &mut found);
        }
        if found.len() >= MAX_PRODUCERS {
            break;
        }
    }
    found.sort();
    found
}

fn add(section: ProducersSectionReader<'_>, found: &mut Vec<Producer>) {
    for field in section.into_iter().map_while(Result::ok) {
        for value in field.values.into_iter().map_while(Result::ok) {
            let producer =
                Producer { role: field.name.to_owned(), name: kept(value.name), version: kept(value.version) };
            if found.len() < MAX_PRODUCERS && !found.contains(&producer) {
                found.push(producer);
            }
        }
    }
}

fn kept(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_TEXT_BYTES)].to_owned()
}
