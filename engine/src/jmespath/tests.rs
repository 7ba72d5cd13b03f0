use serde_json::{Value, json};

use super::{Environment, Expression, ExpressionError};

const ENVIRONMENT: Environment = Environment {
    seconds: 1_700_000_000,
    nanoseconds: 5,
    seed: 7,
};

fn data() -> Value {
    json!({
        "a": "abc", "n": 5, "none": null, "list": [3, 1, 2], "texts": ["b", "a"],
        "map": {"x": {"v": 1}, "y": {"v": 2}},
        "people": [{"name": "ann", "age": 30, "tags": ["p"]}, {"name": "bob", "age": 20, "tags": []}, {"age": 1}],
    })
}

fn evaluate(text: &str) -> Result<Value, String> {
    let expression = Expression::parse(text).map_err(|error| error.to_string())?;
    let data = data();
    expression
        .evaluate(&data, &ENVIRONMENT)
        .map(std::borrow::Cow::into_owned)
        .map_err(|error| error.to_string())
}

fn check(cases: &[(&str, Value)]) {
    for (text, expected) in cases {
        assert_eq!(evaluate(text).as_ref(), Ok(expected), "{text}");
    }
}

fn check_errors(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(evaluate(text), Err((*expected).to_owned()), "{text}");
    }
}

#[test]
fn paths_and_projections() {
    check(&[
        ("a", json!("abc")),
        ("none.x.y", json!(null)),
        ("a.x", json!(null)),
        ("list[-1]", json!(2)),
        ("list[7]", json!(null)),
        ("list[::-1]", json!([2, 1, 3])),
        ("list[1:]", json!([1, 2])),
        ("people[*].name", json!(["ann", "bob"])),
        ("people[].tags[]", json!(["p"])),
        ("people[?age > `18`].name | [0]", json!("ann")),
        ("people[?missing].name", json!([])),
        ("people[?!missing].age", json!([30, 20, 1])),
        ("map.*.v", json!([1, 2])),
        (
            "map.*.to_string(@)",
            json!(["null", "null", "{\"v\":1}", "{\"v\":2}"]),
        ),
        ("{k: a, l: missing}", json!({"k": "abc", "l": null})),
        ("[a, missing]", json!(["abc", null])),
        ("missing || a", json!("abc")),
        ("a && n", json!(5)),
        ("!missing", json!(true)),
        ("n == `5.0`", json!(true)),
        ("a < `1`", json!(null)),
        ("missing | to_string(@)", json!("null")),
        ("@.a", json!("abc")),
        ("length(@)", json!(7)),
        (r#""a""#, json!("abc")),
        (r"'it\'s'", json!("it's")),
        ("`[1, 2]`[0]", json!(1)),
        ("missing[?x]", json!(null)),
        ("length(`5`)[]", json!(null)),
    ]);
    check_errors(&[
        ("missing", "Unknown key \"missing\" in path"),
        ("map.z", "Unknown key \"z\" in path"),
        ("map.z.q", "Unknown key \"z\" in path"),
        ("a && missing", "Unknown key \"missing\" in path"),
        ("list[::0]", "Invalid slice, step cannot be 0"),
        ("foo(a)", "unknown function: foo"),
        (
            "length(n)",
            "Invalid type for: 5, expected: []jmespath.JpType{\"string\", \"array\", \"object\"}",
        ),
        ("abs()", "incorrect number of args"),
    ]);
}

#[test]
fn syntax() {
    check_errors(&[
        (
            "a.",
            "SyntaxError: Expected identifier, lbracket, or lbrace",
        ),
        ("", "SyntaxError: Incomplete expression"),
        (
            "a b",
            "SyntaxError: Unexpected token at the end of the expression: tUnquotedIdentifier",
        ),
        ("'a", "SyntaxError: Unclosed delimiter: '"),
        ("a[", "SyntaxError: Expected tStar, received: tEOF"),
        ("#", "SyntaxError: Unknown char: '#'"),
        (
            "\"a\"(b)",
            "SyntaxError: Can't have quoted identifier as function Name.",
        ),
    ]);
    let deep = "(".repeat(50_000) + "a" + &")".repeat(50_000);
    assert!(Expression::parse(&deep).is_err());
    assert!(Expression::parse(&("a".to_owned() + &".a".repeat(30_000))).is_err());
    assert!(Expression::parse(&("!".repeat(60_000) + "a")).is_err());
    assert!(Expression::parse(&("[".repeat(60_000))).is_err());
}

#[test]
fn standard_functions() {
    check(&[
        ("sort(list)", json!([1, 2, 3])),
        ("sort_by(people, &age)[*].age", json!([1, 20, 30])),
        ("max_by(people, &age).name", json!("ann")),
        ("min(texts)", json!("a")),
        ("max(`[]`)", json!(null)),
        ("avg(list)", json!(2)),
        ("map(&name, people)", json!(["ann", "bob", null])),
        ("contains(texts, 'a')", json!(true)),
        ("join('-', texts)", json!("b-a")),
        ("keys(map)", json!(["x", "y"])),
        ("merge(map, `{\"x\":1}`).x", json!(1)),
        ("not_null(missing, a)", json!("abc")),
        ("reverse('aé')", json!("éa")),
        ("to_number('1e3')", json!(1000)),
        ("to_number('x')", json!(null)),
        ("to_string(`\"<\"`)", json!("<")),
        (
            "to_string(`[\"<\", 1.50, 1e30]`)",
            json!("[\"\\u003c\",1.5,1e+30]"),
        ),
        ("type(none)", json!("null")),
    ]);
}

#[test]
fn arithmetic() {
    check(&[
        ("add('1Gi','1Mi')", json!("1025Mi")),
        ("add('10s','60s')", json!("1m10s")),
        ("sum(`[1, 2.5]`)", json!(3.5)),
        ("subtract('1','2')", json!("-1")),
        ("multiply('1Gi', `0.5`)", json!("512Mi")),
        ("multiply(`2`, '1h')", json!("2h0m0s")),
        ("divide('1Gi','512Mi')", json!(2)),
        ("divide('10', `3`)", json!("3")),
        ("divide('1h', `7`)", json!("8m34.285714285s")),
        ("modulo('10Gi','3Gi')", json!("1Gi")),
        ("modulo(`-7`,`3`)", json!(-1)),
        ("round(`-2.5`,`0`)", json!(-3)),
        ("round(`2.345`,`2`)", json!(2.35)),
    ]);
}

#[test]
fn texts() {
    check(&[
        ("base64_decode('aGVsbG8=')", json!("hello")),
        ("base64_encode('hi')", json!("aGk=")),
        ("compare('a','b')", json!(-1)),
        ("equal_fold('AÉſ','aés')", json!(true)),
        ("replace('aaa','a','b',`2`)", json!("bba")),
        ("replace_all('aaa','a','b')", json!("bbb")),
        ("split('a,b',',')", json!(["a", "b"])),
        ("split('aé','')", json!(["a", "é"])),
        ("trim('xxaxx','x')", json!("a")),
        ("trim_prefix('docker://x','docker://')", json!("x")),
        ("truncate('héllo',`2`)", json!("hé")),
        ("regex_match('^1', `12`)", json!(true)),
        (
            "regex_replace_all('(\\w)(\\d)', 'a1b2', '${2}$1')",
            json!("1a2b"),
        ),
        ("regex_replace_all_literal('\\d', 'a1', '$1')", json!("a$1")),
        ("pattern_match('1?', `12`)", json!(true)),
        (
            "label_match(`{\"a\":\"b\"}`, `{\"a\":\"b\",\"c\":\"d\"}`)",
            json!(true),
        ),
        ("to_boolean('TRUE')", json!(true)),
    ]);
}

#[test]
fn only_the_first_document_of_yaml_is_read() {
    let value = evaluate("parse_yaml('{a: 1}\n:behind').a");
    assert_eq!(value, Ok(json!(1)));
}

#[test]
fn what_go_cannot_read_is_refused_in_its_words() {
    check(&[
        ("is_external_url('//8.8.8.8:80/x?%zz')", json!(true)),
        ("is_external_url('http://8.8.8.8@127.0.0.1/')", json!(false)),
    ]);
    check_errors(&[
        (
            "is_external_url('http://8.8.8.8:x/')",
            "parse \"http://8.8.8.8:x/\": invalid port \":x\" after host",
        ),
        (
            "is_external_url('http://[::1')",
            "parse \"http://[::1\": missing ']' in host",
        ),
        (
            "is_external_url('http://8.8.8.8\\@10.0.0.1')",
            "parse \"http://8.8.8.8\\\\@10.0.0.1\": net/url: invalid userinfo",
        ),
        (
            "is_external_url('http://8.8.8.8 /')",
            "parse \"http://8.8.8.8 /\": invalid character \" \" in host name",
        ),
        (
            "is_external_url('1http://8.8.8.8')",
            "parse \"1http://8.8.8.8\": first path segment in URL cannot contain colon",
        ),
        (
            "parse_yaml('a: 1')|parse_yaml('a: [1')",
            "error converting YAML to JSON: yaml: line 1: did not find expected ',' or ']'",
        ),
        (
            "parse_yaml('a: *x')",
            "error converting YAML to JSON: yaml: unknown anchor 'x' referenced",
        ),
        (
            "time_parse('Jan','é')",
            r#"parsing time "\xc3\xa9" as "Jan": cannot parse "\xc3\xa9" as "Jan""#,
        ),
    ]);
}

#[test]
fn collections_digests_and_times() {
    check(&[
        ("semver_compare('1.2.3','>1.0.0 <2.0.0')", json!(true)),
        ("path_canonicalize('a/../../b/./c//')", json!("../b/c")),
        ("lookup(list, `9`)", json!(null)),
        ("lookup(map, 'x').v", json!(1)),
        ("items(map,'k','v')[1].k", json!("y")),
        (
            "object_from_lists(['a','b'],['1'])",
            json!({"a": "1", "b": null}),
        ),
        ("parse_json('{\"a\":[1]}').a[0]", json!(1)),
        ("parse_yaml('a: [1, yes]').a", json!([1, true])),
        (
            "sha256('abc')",
            json!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ),
        (
            "sha1('abc')",
            json!("a9993e364706816aba3e25717850c26c9cd0d89d"),
        ),
        ("md5('abc')", json!("900150983cd24fb0d6963f7d28e17f72")),
        ("time_now()", json!("2023-11-14T22:13:20Z")),
        (
            "time_since('', '2023-11-14T22:13:00Z', '')",
            json!("20.000000005s"),
        ),
        ("time_to_cron('2023-02-02T15:04:05Z')", json!("4 15 2 2 4")),
        (
            "time_parse('0','1700000000')",
            json!("2023-11-14T22:13:20Z"),
        ),
        ("image_normalize('nginx')", json!("docker.io/nginx:latest")),
        ("is_external_url('http://10.1.2.3:80/x')", json!(false)),
        ("is_external_url('http://[2001:db8::1]/')", json!(true)),
        ("to_upper('ßa')", json!("ßA")),
    ]);
    check_errors(&[
        ("add('1Gi',`1`)", "JMESPath function 'add': Types mismatch"),
        ("add('x',`1`)", "JMESPath function 'add': invalid operand"),
        (
            "divide(`1`,`0`)",
            "JMESPath function 'divide': Zero divisor passed",
        ),
        (
            "modulo(`1.5`,`1`)",
            "JMESPath function 'modulo': Non-integer argument(s) passed for modulo",
        ),
        (
            "base64_decode('aGVsbG8')",
            "illegal base64 data at input byte 4",
        ),
        (
            "semver_compare('1.2.3','xy')",
            "Could not get version from string: \"xy\"",
        ),
        (
            "is_external_url('http://example.com')",
            "JMESPath function 'is_external_url': `example.com` is a name, and names are not looked up during an evaluation; only addresses can be judged",
        ),
    ]);
}

#[test]
fn random_texts_match_their_expression() {
    let text = evaluate("random('[a-z]{3}-(x|y)\\d+')").unwrap();
    let text = text.as_str().unwrap();
    assert!(
        crate::go_regex::compile("^[a-z]{3}-(x|y)\\d+$")
            .unwrap()
            .is_match(text),
        "{text}"
    );
    assert_eq!(evaluate("random('[a-z]{3}-(x|y)\\d+')").unwrap(), text);
    assert_ne!(
        evaluate("[random('\\w{20}'), random('\\w{20}')] | [0] == [1]"),
        Ok(json!(true))
    );
}

#[test]
fn sources_are_told() {
    let sources = |text: &str| -> Vec<String> {
        let expression = Expression::parse(text).unwrap().naming_current();
        let sources = expression.sources();
        sources.iter().map(|path| path.join(".")).collect()
    };
    assert_eq!(sources("a.b"), ["a.b"]);
    assert_eq!(sources("a.b[0].c || d && e.f"), ["a.b", "e.f"]);
    assert_eq!(sources("a | b.[c, d[0]]"), ["a.b.c", "a.b.d"]);
    assert_eq!(sources("to_upper(a.b[?c == d].e | [0])"), ["a.b"]);
    assert_eq!(sources("[a, {b: c.*}, d[1:2], e[]]"), ["a", "c", "d", "e"]);
    assert_eq!(sources("join(@, map(&a, b))"), ["@", "b"]);
    // Counted, compared, asked for its truth.
    for text in ["length(a)", "a == b", "!a", "a | length(@)", "'a'"] {
        assert_eq!(sources(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn names_are_told() {
    let names = |text: &str| -> Vec<Option<String>> {
        let expression = Expression::parse(text).unwrap();
        expression
            .root_names()
            .into_iter()
            .map(|name| name.map(str::to_owned))
            .collect()
    };
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(
        names("request.object.a || element.b"),
        [some("element"), some("request")]
    );
    assert_eq!(names("x[?y == z].w"), [some("x")]);
    assert_eq!(names("length(@)"), [None]);
    assert_eq!(
        names("f(a, &b, [c], {d: e})"),
        [some("a"), some("c"), some("e")]
    );
    let path = Expression::parse("request.object.\"a.b\".c").unwrap();
    assert_eq!(path.path(), Some(vec!["request", "object", "a.b", "c"]));
}

#[test]
fn work_is_bounded() {
    let numbers: Vec<u32> = (0..2_000).collect();
    let data = json!({"l": numbers, "t": "a".repeat(1_000_000)});
    for text in [
        "l[*].[l][]",
        "map(&map(&to_string(@), $.l), l)",
        "replace_all(t, '', 'xxxxxxxxxxxx')",
        "split(t, '')",
        &format!("random('{}')", "a{1000}".repeat(100)),
    ] {
        let Ok(expression) = Expression::parse(text) else {
            continue;
        };
        let result = expression.evaluate(&data, &ENVIRONMENT);
        assert!(
            matches!(result, Err(ExpressionError::LimitExceeded)) || text.starts_with("l[*]"),
            "{text}"
        );
    }
    let nested = "[@,@,@,@,@,@,@,@] | ".repeat(20) + "@";
    let expression = Expression::parse(&nested).unwrap();
    assert_eq!(
        expression.evaluate(&data, &ENVIRONMENT),
        Err(ExpressionError::LimitExceeded)
    );
}

/// Random expressions from the language's own words: none may panic, whatever it says.
#[test]
fn no_expression_panics() {
    let words: Vec<&str> = "a n none list texts map people name @ * . .. [ ] [] [? [0] [-1] [::-1] [1:2] ( ) { } : , | || && ! & == != < >= \
        `1` `-2.5` `null` `[1,\"x\"]` `{\"a\":1}` 'x' '1Gi' '1h' '[' '' '2021-01-02T03:04:05Z' \"q\" 99999999999999999999 -"
        .split(' ')
        .chain(super::functions::names())
        .collect();
    let data = data();
    let mut state = 88_172_645_463_325_252_u64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let mut parsed = 0;
    for _ in 0..60_000 {
        let mut text = String::new();
        if draw(2) == 0 {
            // A call with well-formed arguments gets further than noise does.
            let name = words[words.len() - 1 - draw(70)];
            let arguments: Vec<&str> = (0..draw(4)).map(|_| words[draw(58)]).collect();
            text = format!("{name}({})", arguments.join(","));
        }
        for _ in 0..draw(7) {
            text.push_str(words[draw(words.len())]);
        }
        if let Ok(expression) = Expression::parse(&text) {
            parsed += 1;
            let _value = expression.evaluate(&data, &ENVIRONMENT);
        }
    }
    assert!(parsed > 5_000, "{parsed}");
}
