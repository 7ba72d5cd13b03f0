//! The tree of an expression as text, with the names of nodes that go-jmespath gives them.
//!
//! For people who ask how an expression is read; nothing else may depend on it.

use super::parser::{Call, Comparison, Node, Slice};

/// The tree, a node a line.
pub(super) fn print(node: &Node) -> String {
    let mut printer = Printer::default();
    printer.node(node, "ASTCurrentNode");
    printer.text
}

#[derive(Default)]
struct Printer {
    text: String,
    depth: usize,
}

impl Printer {
    /// `current` is what `@` is called there: the right side of a projection is written only where it does something.
    fn node(&mut self, node: &Node, current: &str) {
        match node {
            Node::Current => self.leaf(current, None),
            Node::Field(name) => self.leaf("ASTField", Some(&format!("{name:?}"))),
            Node::Index(index) => self.leaf("ASTIndex", Some(&index.to_string())),
            Node::Slice(slice) => self.leaf("ASTSlice", Some(&bounds(*slice))),
            Node::Literal(value) if value.is_null() => self.leaf("ASTLiteral", None),
            Node::Literal(value) => self.leaf("ASTLiteral", Some(&value.to_string())),
            Node::Then(sides) => self.parent(then(sides), None, sides.as_slice()),
            Node::Pipe(sides) => self.parent("ASTPipe", None, sides.as_slice()),
            Node::Comparison(comparison, sides) => {
                self.parent("ASTComparator", Some(sign(*comparison)), sides.as_slice());
            }
            Node::Or(sides) => self.parent("ASTOrExpression", None, sides.as_slice()),
            Node::And(sides) => self.parent("ASTAndExpression", None, sides.as_slice()),
            Node::Not(inner) => self.parent("ASTNotExpression", None, [&**inner]),
            Node::Projection(sides) => self.projection("ASTProjection", sides.as_slice()),
            Node::ValueProjection(sides) => {
                self.projection("ASTValueProjection", sides.as_slice());
            }
            Node::FilterProjection(parts) => {
                let [left, condition, right] = &**parts;
                self.projection("ASTFilterProjection", [left, right, condition]);
            }
            Node::Flatten(inner) => self.projection("ASTFlatten", [&**inner]),
            Node::List(items) => self.parent("ASTMultiSelectList", None, items),
            Node::Map(entries) => self.map(entries),
            Node::Call(call) => self.call(call),
            Node::Reference(inner) => self.parent("ASTExpRef", None, [&**inner]),
        }
    }

    fn map(&mut self, entries: &[(String, Node)]) {
        self.open("ASTMultiSelectHash", None);
        self.open_children();
        for (key, value) in entries {
            self.parent("ASTKeyValPair", Some(&format!("{key:?}")), [value]);
        }
        self.close();
        self.close();
    }

    fn call(&mut self, call: &Call) {
        let name = format!("{:?}", call.name);
        self.parent("ASTFunctionExpression", Some(&name), &call.arguments);
    }

    fn leaf(&mut self, name: &str, value: Option<&str>) {
        self.open(name, value);
        self.close();
    }

    fn parent<'n>(
        &mut self,
        name: &str,
        value: Option<&str>,
        children: impl IntoIterator<Item = &'n Node>,
    ) {
        self.with_children(name, value, children, "ASTCurrentNode");
    }

    fn projection<'n>(&mut self, name: &str, children: impl IntoIterator<Item = &'n Node>) {
        self.with_children(name, None, children, "ASTIdentity");
    }

    fn with_children<'n>(
        &mut self,
        name: &str,
        value: Option<&str>,
        children: impl IntoIterator<Item = &'n Node>,
        current: &str,
    ) {
        self.open(name, value);
        let mut children = children.into_iter().peekable();
        if children.peek().is_some() {
            self.open_children();
            for child in children {
                self.node(child, current);
            }
            self.close();
        }
        self.close();
    }

    fn open(&mut self, name: &str, value: Option<&str>) {
        self.line(&format!("{name} {{"));
        self.depth += 1;
        if let Some(value) = value {
            self.line(&format!("value: {value}"));
        }
    }

    fn open_children(&mut self) {
        self.line("children: {");
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.line("}");
    }

    fn line(&mut self, text: &str) {
        self.text.extend(std::iter::repeat_n("  ", self.depth));
        self.text.push_str(text);
        self.text.push('\n');
    }
}

/// What `a.b` and `a[0]` are called.
fn then([_, right]: &[Node; 2]) -> &'static str {
    match right {
        Node::Index(_) | Node::Slice(_) => "ASTIndexExpression",
        _ => "ASTSubexpression",
    }
}

fn bounds(slice: Slice) -> String {
    let bound = |bound: Option<i64>| bound.map_or_else(String::new, |bound| bound.to_string());
    format!(
        "[{}:{}:{}]",
        bound(slice.start),
        bound(slice.stop),
        bound(slice.step)
    )
}

const fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "tEQ",
        Comparison::NotEqual => "tNE",
        Comparison::Less => "tLT",
        Comparison::LessOrEqual => "tLTE",
        Comparison::Greater => "tGT",
        Comparison::GreaterOrEqual => "tGTE",
    }
}
