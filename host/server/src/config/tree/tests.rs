use super::*;

fn show(node: &Node) -> String {
    let line = node.line;
    match &node.value {
        Value::Null => format!("null@{line}"),
        Value::Bool { text, value } => format!("bool {text} {value}@{line}"),
        Value::Integer { text, value } => format!("int {text} {value}@{line}"),
        Value::Float { text } => format!("float {text}@{line}"),
        Value::Text(text) => format!("text {text}@{line}"),
        Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        Value::Map(pairs) => {
            let pair = |(key, value): &(Key, Node)| format!("{}@{}: {}", key.name, key.line, show(value));
            format!("{{{}}}", pairs.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

fn tree(text: &str) -> String {
    match Node::parse(text) {
        Ok(node) => show(&node),
        Err(error) => format!("error {error}"),
    }
}

#[test]
fn every_node_knows_its_line_and_scalars_their_spelling() {
    let cases = [
        ("a: 1\nb:\n  c: 0x1F\n", "{a@1: int 1 1@1, b@2: {c@3: int 0x1F 31@3}}"),
        ("ü: é\nb: 1e5 # x\n", "{ü@1: text é@1, b@2: float 1e5@2}"),
        ("a: 0755\nb: 1_000\n", "{a@1: text 0755@1, b@2: text 1_000@2}"),
        ("a: yes\nb: True\n", "{a@1: text yes@1, b@2: bool True true@2}"),
        ("a: \"1\"\nb: ~\nc:\n", "{a@1: text 1@1, b@2: null@2, c@3: null@3}"),
        ("a: 1\na: 2\n", "{a@1: int 1 1@1, a@2: int 2 2@2}"),
        ("- 1\n- [x, 2]\n", "[int 1 1@1, [text x@2, int 2 2@2]]"),
        ("a: &x {k: 1}\nb: *x\n", "{a@1: {k@1: int 1 1@1}, b@2: {k@2: int 1 1@2}}"),
        ("", "null@1"),
        ("# only a comment\n---\n", "null@1"),
        ("\u{feff}a: -5\n", "{a@1: int -5 -5@1}"),
    ];
    for (text, expected) in cases {
        assert_eq!(tree(text), expected, "{text:?}");
    }
}

#[test]
fn broken_yaml_says_where_without_showing_the_text() {
    for text in ["a: [1, 2\nb: 3\n", "secret_id: \"hunter2\n", "a: 1\n b: hunter2\n", "a:\n\tb: hunter2\n"] {
        let message = tree(text);
        assert!(message.starts_with("error line "), "{text:?}: {message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn a_key_without_a_name_is_told() {
    for text in ["a: 1\n~: x\n", "a: 1\n: x\n", "a: 1\nnull: x\n"] {
        let error = Node::parse(text).map(|node| show(&node)).expect_err(text);
        assert!(error.line == 2 && error.message.contains("a key has no name"), "{text:?}: {}", error.message);
    }
}

#[test]
fn bombs_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let row = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{row}]\n"));
    }
    assert!(tree(&text).starts_with("error"), "alias bomb");
    assert!(tree(&"[".repeat(100_000)).starts_with("error"), "deep nesting");
}
