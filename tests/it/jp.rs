//! `regent jp` as a user meets it.

use std::fs;

use regent::exit_status::ExitStatus;

use crate::command::{regent, regent_with};

#[test]
fn expressions_are_evaluated_on_one_input() {
    let ran = regent_with(
        "{a: {b: [1, 2.5, \"<x>\"]}, name: Some-Name}",
        &["jp", "query", "a.b", "to_lower(name)"],
    );
    assert_eq!(ran.status, ExitStatus::Pass);
    assert_eq!(
        ran.stdout,
        "# a.b\n[\n  1,\n  2.5,\n  \"\\u003cx\\u003e\"\n]\n# to_lower(name)\n\"some-name\"\n"
    );
    let ran = regent_with(
        "{a: {b: [1, 2.5, \"<x>\"]}, name: Some-Name}",
        &["jp", "query", "-c", "-u", "a", "name"],
    );
    assert_eq!(
        ran.stdout,
        "# a\n{\"b\":[1,2.5,\"\\u003cx\\u003e\"]}\n# name\nSome-Name\n"
    );
}

#[test]
fn files_hold_expressions_and_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("query"), "a | truncate(@, `2`)").unwrap();
    fs::write(path("input.yaml"), "a: abc\n").unwrap();
    let ran = regent(&[
        "jp",
        "query",
        "-i",
        &path("input.yaml"),
        "-q",
        &path("query"),
    ]);
    assert_eq!(ran.stdout, "# a | truncate(@, `2`)\n\"ab\"\n");
    assert_eq!(ran.stderr, "");
    let ran = regent_with("a", &["jp", "query", "-i", &path("input.yaml")]);
    assert_eq!(ran.stdout, "# a\n\"abc\"\n");
    let ran = regent(&["jp", "query", "-i", &path("none.yaml"), "a"]);
    assert_eq!(ran.status, ExitStatus::Failed);
    assert!(ran.stderr.contains("none.yaml"), "{}", ran.stderr);
}

#[test]
fn what_is_wrong_is_pointed_at() {
    let ran = regent_with("{}", &["jp", "query", "a.b"]);
    assert_eq!(ran.status, ExitStatus::Failed);
    assert!(
        ran.stderr.contains("Unknown key \"a\" in path"),
        "{}",
        ran.stderr
    );
    let ran = regent(&["jp", "parse", "a..b"]);
    assert_eq!(ran.status, ExitStatus::Failed);
    assert!(ran.stderr.ends_with("\na..b\n  ^\n"), "{}", ran.stderr);
    assert_eq!(regent(&["jp", "query"]).status, ExitStatus::Failed);
}

#[test]
fn a_tree_is_printed_a_node_a_line() {
    let ran = regent(&["jp", "parse", "a[?b == `1`].c | length(@)"]);
    assert_eq!(
        ran.stdout,
        "# a[?b == `1`].c | length(@)
ASTPipe {
  children: {
    ASTFilterProjection {
      children: {
        ASTField {
          value: \"a\"
        }
        ASTField {
          value: \"c\"
        }
        ASTComparator {
          value: tEQ
          children: {
            ASTField {
              value: \"b\"
            }
            ASTLiteral {
              value: 1
            }
          }
        }
      }
    }
    ASTFunctionExpression {
      value: \"length\"
      children: {
        ASTCurrentNode {
        }
      }
    }
  }
}

"
    );
}

#[test]
fn functions_are_listed_with_signatures() {
    let ran = regent(&["jp", "function", "truncate", "to_upper"]);
    assert_eq!(
        ran.stdout,
        "Name: to_upper
  Signature: to_upper(string) string
  Note:      a text in upper case

Name: truncate
  Signature: truncate(string, number) string
  Note:      the first so many bytes of a text

"
    );
    let ran = regent(&["jp", "function", "to_upper", "lenght"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (ExitStatus::Failed, ""));
    let said = "there is no function `lenght`; did you mean `length`?";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    assert!(regent(&["jp", "function"]).stdout.matches("Name: ").count() > 70);
}
