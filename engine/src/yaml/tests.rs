use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;

fn render(node: &Node, source: &Source, depth: usize, out: &mut String) {
    let (line, column) = source.position(node.span.start);
    let (end_line, end_column) = source.position(node.span.end);
    let indent = "  ".repeat(depth);
    let place = format!("{line}:{column}-{end_line}:{end_column}");
    match &node.value {
        Value::List(items) => {
            writeln!(out, "{indent}list {place}").unwrap();
            for item in items {
                render(item, source, depth + 1, out);
            }
        }
        Value::Map(entries) => {
            writeln!(out, "{indent}map {place}").unwrap();
            for entry in entries {
                let (line, column) = source.position(entry.key_span.start);
                writeln!(out, "{indent}  {:?} {line}:{column}", entry.key).unwrap();
                render(&entry.value, source, depth + 2, out);
            }
        }
        scalar => writeln!(out, "{indent}{scalar:?} {place}").unwrap(),
    }
}

fn check(text: &str, expected: &Expect) {
    let source = Source::new("test.yaml", text);
    let (documents, diagnostics) = parse(&source);
    let mut out = String::new();
    for document in &documents {
        render(document, &source, 0, &mut out);
    }
    for diagnostic in &diagnostics {
        let (line, column) = diagnostic.position();
        writeln!(out, "{line}:{column} {}", diagnostic.message).unwrap();
        for label in diagnostic.labels.iter().skip(1) {
            let (line, column) = source.position(label.span.start);
            writeln!(out, "  {line}:{column} {}", label.text).unwrap();
        }
        if let Some(help) = &diagnostic.help {
            writeln!(out, "  help: {help}").unwrap();
        }
    }
    expected.assert_eq(&out);
}

#[test]
fn everything_has_its_place() {
    check(
        "a:\n  - b: 'x'\n    c: [1, {d: e}]\nf: |\n  g\n  h\ni: \"é{{ j }}\" # comment\n",
        &expect![[r#"
            map 1:1-7:24
              "a" 1:1
                list 2:3-3:19
                  map 2:5-3:19
                    "b" 2:5
                      String("x") 2:8-2:11
                    "c" 3:5
                      list 3:8-3:19
                        Number(Number(1)) 3:9-3:10
                        map 3:12-3:18
                          "d" 3:13
                            String("e") 3:16-3:17
              "f" 4:1
                String("g\nh\n") 5:3-6:4
              "i" 7:1
                String("é{{ j }}") 7:4-7:24
        "#]],
    );
}

#[test]
fn places_after_characters_of_several_bytes() {
    check(
        "# ééé\nä: ö\nb: c\n",
        &expect![[r#"
        map 2:1-3:5
          "ä" 2:1
            String("ö") 2:4-2:5
          "b" 3:1
            String("c") 3:4-3:5
    "#]],
    );
}

#[test]
fn plain_scalars_as_kubernetes_reads_them() {
    check(
        "[yes, N, on, 'yes', 017, 0x1F, 0o17, 0b11, 1_000, 1.0, 1.5, .5, 1e3, 2001-01-01, ~, 1.2.3, 08, +5, 10Mi, !!str 5]",
        &expect![[r#"
            list 1:1-1:114
              Bool(true) 1:2-1:5
              Bool(false) 1:7-1:8
              Bool(true) 1:10-1:12
              String("yes") 1:14-1:19
              Number(Number(15)) 1:21-1:24
              Number(Number(31)) 1:26-1:30
              Number(Number(15)) 1:32-1:36
              Number(Number(3)) 1:38-1:42
              Number(Number(1000)) 1:44-1:49
              Number(Number(1)) 1:51-1:54
              Number(Number(1.5)) 1:56-1:59
              Number(Number(0.5)) 1:61-1:63
              Number(Number(1000)) 1:65-1:68
              String("2001-01-01") 1:70-1:80
              Null 1:82-1:83
              String("1.2.3") 1:85-1:90
              Number(Number(8)) 1:92-1:94
              Number(Number(5)) 1:96-1:98
              String("10Mi") 1:100-1:104
              String("5") 1:106-1:113
        "#]],
    );
}

#[test]
fn what_json_cannot_hold_is_refused() {
    check(
        "a: .inf\n",
        &expect![[r#"
        1:4 `.inf` is not a number that JSON can hold
    "#]],
    );
    check(
        "a: 1e999\n",
        &expect![[r#"
        1:4 `1e999` is not a number that JSON can hold
    "#]],
    );
    check(
        "? [a]\n: b\n",
        &expect![[r#"
        1:3 a key of a map must be a scalar
    "#]],
    );
    check(
        "~: b\n",
        &expect![[r#"
        1:1 a key of a map cannot be null
    "#]],
    );
    check(
        "a: !local b\n",
        &expect![[r#"
        1:4 a tag that the value does not fit
    "#]],
    );
}

#[test]
fn a_key_twice_is_refused() {
    check(
        "a: 1\nb: 2\na: 3\n",
        &expect![[r#"
        3:1 the map has the key `a` twice
          1:1 the first
    "#]],
    );
}

#[test]
fn an_error_does_not_hide_the_other_documents() {
    check(
        "a: 1\n---\nb: [\n--- # third\nc: 3\n---\n",
        &expect![[r#"
        map 1:1-1:5
          "a" 1:1
            Number(Number(1)) 1:4-1:5
        map 5:1-5:5
          "c" 5:1
            Number(Number(3)) 5:4-5:5
        4:1 this is not YAML: while parsing a node, did not find expected node content
    "#]],
    );
    check(
        "%YAML 1.2\n---\na: 1\n",
        &expect![[r#"
        map 3:1-3:5
          "a" 3:1
            Number(Number(1)) 3:4-3:5
    "#]],
    );
}

#[test]
fn tabs_line_ends_and_byte_order_marks() {
    check(
        "a:\n\tb: 1\n",
        &expect![[r#"
        2:2 this is not YAML: tabs disallowed within this context (block indentation)
          help: the line is indented with a tab; YAML wants spaces
    "#]],
    );
    check(
        "\u{feff}a: 1\r\nb:\r\n  - c\r\n",
        &expect![[r#"
        map 1:2-3:6
          "a" 1:2
            Number(Number(1)) 1:5-1:6
          "b" 2:1
            list 3:3-3:6
              String("c") 3:5-3:6
    "#]],
    );
}

#[test]
fn aliases_and_merges() {
    check(
        "a: &x {b: 1, c: 2}\nd: *x\ne:\n  <<: *x\n  c: 3\n",
        &expect![[r#"
            map 1:1-5:7
              "a" 1:1
                map 1:4-1:19
                  "b" 1:8
                    Number(Number(1)) 1:11-1:12
                  "c" 1:14
                    Number(Number(2)) 1:17-1:18
              "d" 2:1
                map 1:4-1:19
                  "b" 1:8
                    Number(Number(1)) 1:11-1:12
                  "c" 1:14
                    Number(Number(2)) 1:17-1:18
              "e" 3:1
                map 4:3-5:7
                  "c" 5:3
                    Number(Number(3)) 5:6-5:7
                  "b" 1:8
                    Number(Number(1)) 1:11-1:12
        "#]],
    );
    check(
        "a: &x 1\n---\nb: *x\n",
        &expect![[r#"
        map 1:1-1:8
          "a" 1:1
            Number(Number(1)) 1:4-1:8
        3:4 this is not YAML: while parsing node, found unknown anchor
    "#]],
    );
    check(
        "a: &x [*x]\n",
        &expect![[r#"
        1:8 an alias of an anchor that is not complete here
    "#]],
    );
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let previous = format!("*a{}", level - 1);
        let list = vec![previous; 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{list}]").unwrap();
    }
    check(
        &text,
        &expect![[r#"
        6:10 the document has more than 200000 values, aliases included
    "#]],
    );
}

#[test]
fn depth_is_bounded() {
    check(
        &"[".repeat(5_000),
        &expect![[r#"
            1:256 lists and maps are nested more than 100 deep
        "#]],
    );
    let mut block = String::new();
    for depth in 0..300 {
        writeln!(block, "{}a:", " ".repeat(depth)).unwrap();
    }
    check(
        &block,
        &expect![[r#"
        101:101 lists and maps are nested more than 100 deep
    "#]],
    );
}

/// No text makes the parser panic or stall: pieces of YAML in arbitrary order.
#[test]
fn arbitrary_texts_do_not_panic() {
    const PIECES: [&str; 30] = [
        "a",
        ": ",
        "\n",
        "  ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "'",
        "\"",
        "|",
        ">",
        "&a",
        "*a",
        "!!str ",
        "!",
        "---\n",
        "...\n",
        "? ",
        "#",
        "%YAML 1.2\n",
        "\t",
        "\r\n",
        "é",
        "\u{0}",
        "<<: ",
        "\\",
        "0x",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..state % 24 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let index = usize::try_from(state >> 33).unwrap() % PIECES.len();
            text.push_str(PIECES[index]);
        }
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let source = Source::new("fuzz", text);
        let (documents, diagnostics) = parse(&source);
        for document in documents {
            assert!(
                source
                    .text
                    .get(document.span.start..document.span.end)
                    .is_some()
            );
        }
        for diagnostic in diagnostics {
            diagnostic.position();
        }
    }
}

#[test]
fn surrogate_pairs_of_json_are_one_character() {
    let text = r#"{"a": "x\ud83d\ude00\\ud83d", "\uD83D\ude00": {"b": [1,}"#;
    let source = Source::new("a.json", text.replace("[1,", "[1]"));
    let source_of = |text: &str| Source::new("a.json", text);
    let whole = text.replace("[1,", "[1]") + "}";
    let (documents, said) = parse(&source_of(&whole));
    assert_eq!(said, []);
    let expected = serde_json::from_str::<serde_json::Value>(&whole).unwrap();
    assert_eq!(documents[0].to_json(), expected);
    // Places are those of what was written.
    let b = documents[0]
        .get("\u{1f600}")
        .and_then(|map| map.get("b"))
        .unwrap();
    assert_eq!(whole.get(b.span.start..b.span.end), Some("[1]"));
    let a = documents[0].get("a").unwrap();
    assert_eq!(
        whole.get(a.span.start..a.span.end),
        Some(r#""x\ud83d\ude00\\ud83d""#)
    );
    // Half a pair is no character, and what is no JSON is not read as such.
    for text in [r#"{"a": "\ud83d"}"#, r#"a: "\ud83d\ude00""#] {
        let (documents, said) = parse(&source_of(text));
        assert!(documents.is_empty());
        assert_eq!(said.len(), 1, "{text}");
    }
    assert_eq!(parse(&source).1.len(), 1);
    let documents = "---\n{\"a\": \"\\ud83d\\ude00\"}\n---\nb: 1\n";
    assert_eq!(parse(&source_of(documents)).0.len(), 2);
}

#[test]
fn a_tab_is_pointed_at_and_depth_is_named() {
    let said = |text: &str| {
        let (_, said) = parse(&Source::new("a.yaml", text));
        let first = said.first().unwrap();
        (first.position(), first.message.clone(), first.help.clone())
    };
    let (place, _, help) = said("a: 1\nb: x\n\tc: 2\n");
    assert_eq!(place, (3, 1));
    assert!(help.unwrap().contains("tab"));
    for depth in [101, 300, 20_000] {
        let (_, message, _) = said(&format!("a: {}", "[".repeat(depth)));
        assert_eq!(message, "lists and maps are nested more than 100 deep");
    }
}

#[test]
fn a_block_of_text_ends_with_a_line_only_where_its_last_one_ends() {
    for (text, expected) in [
        ("a: |\n  x\n  y", "x\ny"),
        ("a: |\n  x\n  y\n", "x\ny\n"),
        ("a: >\n  x\n  y", "x y"),
        ("a: |+\n  x", "x"),
        ("a: |+\n  x\n\n", "x\n\n"),
        ("a: |-\n  x\n", "x"),
        ("a: |\n  é\n  x", "é\nx"),
        ("a: |\n  x\n# y", "x\n"),
        ("a: |\n  x\nb: 1", "x\n"),
        ("a: \"x\\n\"", "x\n"),
    ] {
        let (documents, said) = parse(&Source::new("a.yaml", text));
        assert_eq!(said, [], "{text:?}");
        let found = documents[0].get("a").and_then(Node::as_str);
        assert_eq!(found, Some(expected), "{text:?}");
    }
}

#[test]
fn binary_is_decoded() {
    let (documents, said) = parse(&Source::new("a.yaml", "a: !!binary |\n  aGVs\n  bG8=\n"));
    assert_eq!(said, []);
    assert_eq!(documents[0].get("a").and_then(Node::as_str), Some("hello"));
    let (_, said) = parse(&Source::new("a.yaml", "a: !!binary x\n"));
    assert_eq!(
        said[0].message,
        "!!binary value contains invalid base64 data"
    );
}

#[test]
fn data_is_read_as_go_reads_it() {
    let text = "a: 1\nb: !x 5\nc: !!map [1]\nd: !!set {e, f}\na: 2\n";
    assert_eq!(parse(&Source::new("a.yaml", text)).1.len(), 1);
    let (documents, said) = parse_as_go(&Source::new("a.yaml", text));
    assert_eq!(said, []);
    let expected = serde_json::json!({"a": 2, "b": "5", "c": [1], "d": {"e": null, "f": null}});
    assert_eq!(documents[0].to_json(), expected);
}
