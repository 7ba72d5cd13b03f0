use std::time::Duration;

use serde_json::json;

use super::*;

const BUDGET: Budget = Budget {
    instructions: 1_000_000,
    time: Duration::from_millis(500),
};

fn read(text: &str, dialect: Dialect) -> Result<Foreign, Vec<ForeignError>> {
    let name = "policy.rego";
    let modules = [Text { name, text }];
    Foreign::read(&modules, (dialect, Strictness::Lenient), None)
}

fn answer(text: &str, input: &serde_json::Value) -> Result<Option<serde_json::Value>, RegoError> {
    let foreign = read(text, Dialect::V1).unwrap();
    let input = Document::from_json(input);
    let answer = foreign.answer(&input, (1_700_000_000_000_000_000, BUDGET))?;
    Ok(answer.and_then(|answer| answer.to_json()))
}

fn refusal(text: &str) -> String {
    let errors = read(text, Dialect::V1).unwrap_err();
    let error = errors.first().unwrap();
    format!("{:?} {}", error.place, error.message)
}

#[test]
fn a_module_of_either_dialect_answers() {
    let old =
        "package policy\nviolation[{\"msg\": msg}] { not input.label; msg := \"no label\" }\n";
    let foreign = read(old, Dialect::V0).unwrap();
    let input = Document::from_json(&json!({}));
    let answer = foreign.answer(&input, (0, BUDGET)).unwrap().unwrap();
    assert_eq!(answer.to_json(), Some(json!([{"msg": "no label"}])));
    let new = "package policy\nviolation contains {\"msg\": \"no label\"} if not input.label\n";
    assert_eq!(
        self::answer(new, &json!({})),
        Ok(Some(json!([{"msg": "no label"}])))
    );
    assert_eq!(
        self::answer(new, &json!({"label": "x"})),
        Ok(Some(json!([])))
    );
}

#[test]
fn a_module_that_cannot_be_read_says_where() {
    let refusal = refusal("package policy\nviolation contains x if {\n  x := [1\n}\n");
    assert!(refusal.starts_with("Some((3, 5)) expecting"), "{refusal}");
    let refusal = self::refusal("package policy\nother := 1\n");
    assert_eq!(refusal, "None there is no rule `policy.violation`");
}

#[test]
fn a_function_that_nobody_has_is_refused_when_the_module_is_loaded() {
    let unknown = "package policy\nviolation contains x if x := crypto.x509(\"a\")\n";
    assert_eq!(
        refusal(unknown),
        "Some((2, 30)) there is no function `crypto.x509`"
    );
    for impure in [
        "http.send({})",
        "opa.runtime()",
        "rand.intn(\"a\", 2)",
        "uuid.rfc4122(\"a\")",
    ] {
        let text = format!("package policy\nviolation contains x if x := {impure}\n");
        assert!(
            refusal(&text).ends_with("cannot be called"),
            "{impure}: {}",
            refusal(&text)
        );
    }
}

#[test]
fn what_would_overflow_a_stack_is_refused() {
    let itself = "package policy\nf(x) := f(x)\nviolation contains 1 if f(1)\n";
    assert_eq!(
        refusal(itself),
        "Some((2, 1)) the function `policy.f` calls itself"
    );
    let each_other = "package policy\nf(x) := g(x)\ng(x) := f(x)\nviolation contains 1 if f(1)\n";
    assert!(refusal(each_other).contains("calls itself"));
    let chain = |length: usize| {
        let next = |number: usize| format!("r{number} := r{} + 1\n", number - 1);
        let rules: String = (1..length).map(next).collect();
        let last = length - 1;
        format!("package policy\nr0 := 1\n{rules}violation contains r{last}\n")
    };
    assert!(refusal(&chain(200)).contains("in a chain of more than 64"));
    assert_eq!(answer(&chain(60), &json!({})), Ok(Some(json!([60]))));
}

#[test]
fn a_rule_that_needs_itself_has_no_answer() {
    let text = "package policy\na := b\nb := a\nviolation contains a\n";
    assert!(matches!(
        answer(text, &json!({})),
        Err(RegoError::Failed(_))
    ));
}

#[test]
fn brackets_that_take_a_parser_for_ever_are_refused() {
    let deep = format!(
        "package policy\nviolation contains {}1{}\n",
        "[".repeat(40),
        "]".repeat(40)
    );
    assert!(refusal(&deep).contains("nested deeper than 10"));
    let quoted =
        "package policy\n# [[[[[[[[[[[[\nviolation contains \"[[[[[[[[[[[[\\\"[\" if true\n";
    assert!(read(quoted, Dialect::V1).is_ok());
}

#[test]
fn an_endless_evaluation_ends_with_its_time() {
    let text = "package policy\nns := numbers.range(1, 3000)\nviolation contains 1 if {\n  some a in ns\n  some b in ns\n  some c in ns\n  a * b * c == -1\n}\n";
    let foreign = read(text, Dialect::V1).unwrap();
    let budget = Budget {
        instructions: 1,
        time: Duration::from_millis(30),
    };
    let answer = foreign.answer(&Document::null(), (0, budget));
    assert_eq!(answer, Err(RegoError::Timeout));
}

#[test]
fn lists_that_take_all_memory_are_not_made() {
    let text = "package policy\nviolation contains count(numbers.range(1, 100000000000))\n";
    let modules = [Text { name: "p", text }];
    let of = |strictness| {
        let foreign = Foreign::read(
            &modules,
            (Dialect::V1, strictness),
            Some("policy/violation"),
        )
        .unwrap();
        foreign.answer(&Document::null(), (0, BUDGET))
    };
    // A host's function that fails is an error in either case.
    assert!(of(Strictness::Strict).is_err());
    assert!(of(Strictness::Lenient).is_err());
}

#[test]
fn a_failing_builtin_is_undefined_or_an_error() {
    let text = "package policy\nviolation contains to_number(\"x\")\n";
    let modules = [Text { name: "p", text }];
    let of = |strictness| {
        let foreign = Foreign::read(
            &modules,
            (Dialect::V1, strictness),
            Some("data.policy.violation"),
        )
        .unwrap();
        let answer = foreign.answer(&Document::null(), (0, BUDGET));
        answer.map(|answer| answer.and_then(|answer| answer.to_json()))
    };
    assert_eq!(of(Strictness::Lenient), Ok(Some(json!([]))));
    assert!(matches!(of(Strictness::Strict), Err(RegoError::Failed(_))));
}

#[test]
fn time_stands_still() {
    let text = "package policy\nviolation contains time.now_ns()\n";
    assert_eq!(
        answer(text, &json!({})),
        Ok(Some(json!([1_700_000_000_000_000_000_i64])))
    );
}

#[test]
fn libraries_are_called_by_their_imports() {
    let modules = [
        Text {
            name: "policy.rego",
            text: "package policy\nimport data.lib.words\nviolation contains words.shout(\"a\")\n",
        },
        Text {
            name: "words.rego",
            text: "package lib.words\nshout(x) := upper(x)\n",
        },
    ];
    let foreign = Foreign::read(
        &modules,
        (Dialect::V1, Strictness::Strict),
        Some("policy/violation"),
    )
    .unwrap();
    let answer = foreign
        .answer(&Document::null(), (0, BUDGET))
        .unwrap()
        .unwrap();
    assert_eq!(answer.to_json(), Some(json!(["A"])));
    assert!(!foreign.reads_inventory());
}

#[test]
fn who_reads_the_inventory_is_known() {
    let text = "package policy\nviolation contains x if some x in data.inventory.cluster.v1\n";
    let foreign = read(text, Dialect::V1).unwrap();
    assert!(foreign.reads_inventory());
    let inventory = Document::from_json(&json!({"cluster": {"v1": {"a": 1}}}));
    let foreign = foreign.with_inventory(inventory).unwrap();
    let answer = foreign.answer(&Document::null(), (0, BUDGET));
    assert_eq!(answer.unwrap().unwrap().to_json(), Some(json!([1])));
}

#[test]
fn digests_are_those_of_their_names() {
    let text = "package policy\nviolation contains x if some x in [crypto.md5(\"a\"), crypto.sha1(\"a\"), crypto.sha256(\"a\")]\n";
    let answer = answer(text, &json!({})).unwrap().unwrap();
    let wanted = json!([
        "0cc175b9c0f1b6a831c399e269772661",
        "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8",
        "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    ]);
    assert_eq!(answer, wanted);
}

#[test]
fn builtins_that_opa_took_away_are_there_for_old_modules_only() {
    let text = "package policy\nviolation[x] {\n  any([false, input.a == 1])\n  all({true})\n  re_match(`^\\d+$`, \"12\")\n  not re_match(`^\\d+$`, \"x\")\n  x := set_diff({1, 2}, {2})\n}\n";
    let foreign = read(text, Dialect::V0).unwrap();
    let input = Document::from_json(&json!({"a": 1}));
    let answer = foreign.answer(&input, (0, BUDGET)).unwrap().unwrap();
    assert_eq!(answer.to_json(), Some(json!([[1]])));
    let new = "package policy\nviolation contains 1 if any([true])\n";
    assert!(refusal(new).ends_with("there is no function `any`"));
}

#[test]
fn what_is_nowhere_below_data_is_refused_where_it_is_known_what_there_is() {
    let text = "package policy\n\nimport data.lib.quantity\n\nviolation contains \"a\" if {\n\tdata.allowed[input.name]\n\tdata.policy.limit > 1\n\tquantity.large(input.size)\n}\n\nlimit := 2\n";
    let library = "package lib.quantity\n\nlarge(size) if size > 1\n";
    let read = |source: &str| {
        let modules = [
            Text {
                name: "source",
                text: source,
            },
            Text {
                name: "libs[0]",
                text: library,
            },
        ];
        Foreign::read(&modules, (Dialect::V1, Strictness::Strict), None).unwrap()
    };
    let data = Document::from_json(&json!({"allowed": {"x": true}}));
    let foreign = read(text).with_data(Some(&data)).unwrap();
    let input = Document::from_json(&json!({"name": "x", "size": 2}));
    for _ in 0..2 {
        let answer = foreign.answer(&input, (0, BUDGET)).unwrap().unwrap();
        assert_eq!(answer.to_json(), Some(json!(["a"])));
    }
    let wrong = |source: &str, data: Option<&Document>| {
        let errors = read(source).with_data(data).unwrap_err();
        let said = errors.iter().map(|error| {
            let help = error.help.as_deref().unwrap_or("");
            format!("{:?} {}; {help}", error.place.unwrap(), error.message)
        });
        said.collect::<Vec<_>>()
    };
    assert_eq!(
        wrong(text, None),
        [
            "(6, 5) nothing is at `data.allowed`; what stands below `data` is in the modules, or in the rule's `data`"
        ]
    );
    assert_eq!(
        wrong(&text.replace("policy.limit", "policy.limits"), Some(&data)),
        ["(7, 5) nothing is at `data.policy.limits`; did you mean `data.policy.limit`?"]
    );
    // Without that knowledge it is undefined, as in OPA.
    let answer = read(text).answer(&input, (0, BUDGET)).unwrap().unwrap();
    assert_eq!(answer.to_json(), Some(json!([])));
}

/// What is said of a module with data beside it, or its answer.
fn with_data(
    text: &str,
    data: &serde_json::Value,
) -> Result<Option<serde_json::Value>, Vec<String>> {
    let data = Document::from_json(data);
    let foreign = read(text, Dialect::V1).unwrap().with_data(Some(&data));
    let foreign = foreign.map_err(|errors| {
        let errors = errors.into_iter();
        errors.map(|error| error.message).collect::<Vec<_>>()
    })?;
    let answer = foreign.answer(&Document::null(), (0, BUDGET));
    Ok(answer.unwrap().and_then(|answer| answer.to_json()))
}

#[test]
fn a_path_below_data_is_looked_up_to_its_end() {
    let data = json!({"lists": {"a.b": {"c": 1}, "names": ["x"]}, "policy": {"more": 2}});
    let of = |path: &str| {
        with_data(
            &format!("package policy\nviolation contains {path}\n"),
            &data,
        )
    };
    for there in [
        "data.lists[\"a.b\"].c",
        "data.lists.names[0]",
        "data.lists",
        "data.policy.more",
    ] {
        assert!(of(there).is_ok(), "{there}: {:?}", of(there));
    }
    for (absent, said) in [
        ("data.lists.nmes[0]", "lists.nmes"),
        ("data.lists.a.b.c", "lists.a.b.c"),
        ("data.lists.names.x", "lists.names.x"),
        ("data.lists[\"a.b\"].d.e", "lists.a.b.d.e"),
        ("data.policy.less", "policy.less"),
    ] {
        assert_eq!(
            of(absent),
            Err(vec![format!("nothing is at `data.{said}`")])
        );
    }
    let replaced = "package policy\n\nviolation contains x if x := limit with data.mock.limit as 3\n\nlimit := data.mock.limit\n";
    assert_eq!(with_data(replaced, &data), Ok(Some(json!([3]))));
}

#[test]
fn a_variable_is_no_import_of_its_name() {
    let of = |rules: &str| {
        let text = format!("package policy\n\nimport data.lists.x\n\n{rules}\n");
        with_data(&text, &json!({"lists": {"x": {"there": 1}}}))
    };
    for own in [
        "violation contains 1 if { every x in [{\"n\": 1}] { x.n == 1 } }",
        "violation contains x.n if x := {\"n\": 1}",
        "violation contains v if { some x; x = {\"n\": 1}; v := x.n }",
        "violation contains v if { {\"k\": [x, _]} := {\"k\": [{\"n\": 1}, 2]}; v := x.n }",
        "violation contains v if { v := [x.n | x := {\"n\": 1}][0] }",
        "violation contains f({\"n\": 1})\nf(x) := x.n",
        "violation contains v if { x := {\"n\": 1}; v := {y | y := x.n}[_] }",
    ] {
        assert_eq!(of(own), Ok(Some(json!([1]))), "{own}");
    }
    for imported in [
        "violation contains x.n",
        "violation contains x.n if { every x in [{\"n\": 1}] { x.n == 1 } }",
        "violation contains v if { y := [x | x := 1]; v := x.n }",
        "violation contains f(x.n)\nf(x) := x",
        "violation contains 1 if { x := 1 }\nother := x.n",
    ] {
        let said = of(imported).unwrap_err();
        assert_eq!(said, ["nothing is at `data.lists.x.n`"], "{imported}");
    }
}

#[test]
fn networks_are_expanded_as_far_as_there_is_room() {
    let module = |network: &str| {
        format!("package policy\nviolation contains net.cidr_expand(\"{network}\")\n")
    };
    for (network, addresses) in [
        (
            "10.0.0.5/30",
            json!(["10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7"]),
        ),
        ("10.0.0.1/32", json!(["10.0.0.1"])),
        ("fd00::5/127", json!(["fd00::4", "fd00::5"])),
    ] {
        let answer = answer(&module(network), &json!({}));
        assert_eq!(answer, Ok(Some(json!([addresses]))), "{network}");
    }
    for network in ["0.0.0.0/0", "::/0", "10.0.0.0/15", "fd00::/64"] {
        let refused = answer(&module(network), &json!({})).expect_err(network);
        let reason = "these are more than 65536 addresses";
        assert!(refused.to_string().contains(reason), "{refused}");
    }
    for wrong in ["10.0.0.0", "10.0.0.0/33", "a/1", "10.0.0.0/-1"] {
        // Undefined to Gatekeeper's, an error to who is asked strictly.
        assert_eq!(
            answer(&module(wrong), &json!({})),
            Ok(Some(json!([]))),
            "{wrong}"
        );
        let text = module(wrong);
        let modules = [Text {
            name: "p",
            text: &text,
        }];
        let strict = (Dialect::V1, Strictness::Strict);
        let foreign = Foreign::read(&modules, strict, Some("policy/violation")).unwrap();
        assert!(
            foreign.answer(&Document::null(), (0, BUDGET)).is_err(),
            "{wrong}"
        );
    }
}
