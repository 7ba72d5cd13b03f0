//! `regent jp`: expressions as policies have them, evaluated, taken apart and explained.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use regent_engine::go_format;
use regent_engine::jmespath::Expression;
use regent_engine::jmespath::functions::signatures;
use regent_engine::source::Source;
use regent_engine::yaml;
use serde_json::Value;

use crate::args::jp::{FunctionArgs, JpArgs, JpCommand, ParseArgs, QueryArgs};
use crate::exit_status::ExitStatus;
use crate::io::Io;
use crate::jp::{described, signature};
use crate::offline::decode::closest;
use crate::render::human;
use crate::sources::MAX_FILE_BYTES;
use regent_server::clock;

/// Runs `regent jp`; as Kyverno's, it ends with 1 whatever goes wrong.
pub fn run(args: &JpArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    let ran = match &args.command {
        JpCommand::Query(args) => query(args, io),
        JpCommand::Parse(args) => parse(args, io),
        JpCommand::Function(args) => functions(args, io),
    };
    match ran {
        Ok(()) => Ok(ExitStatus::Pass),
        Err(error) if is_closed_pipe(&error) => Err(error),
        Err(error) => {
            writeln!(
                io.stderr,
                "Error: {}",
                human::printable(&format!("{error:#}"))
            )?;
            Ok(ExitStatus::Failed)
        }
    }
}

/// Whoever read the output has seen enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Each expression on the same input, its value below it.
fn query(args: &QueryArgs, io: &mut Io<'_>) -> Result<()> {
    let mut expressions = args.expressions.clone();
    for path in &args.query {
        expressions.push(read_file(path)?);
    }
    if expressions.is_empty() && args.input.is_none() {
        bail!("name an expression or a file with the input; the other is read from stdin");
    }
    if expressions.is_empty() {
        expressions.push(read_stdin("an expression", io)?);
    }
    let input = match &args.input {
        Some(path) => input(&path.display().to_string(), read_file(path)?)?,
        None => input("<stdin>", read_stdin("the input", io)?)?,
    };
    let environment = clock::environment();
    for text in &expressions {
        let expression = parsed(text)?;
        let value = expression
            .evaluate(&input, &environment)
            .map_err(|error| anyhow!("evaluating `{text}`: {error}"))?;
        writeln!(io.stdout, "# {text}")?;
        match &*value {
            Value::String(text) if args.unquoted => writeln!(io.stdout, "{text}")?,
            value if args.compact => writeln!(io.stdout, "{}", go_format::json_escaped(value))?,
            value => writeln!(io.stdout, "{}", escaped(&format!("{value:#}")))?,
        }
    }
    Ok(())
}

fn parse(args: &ParseArgs, io: &mut Io<'_>) -> Result<()> {
    let mut expressions = args.expressions.clone();
    for path in &args.file {
        expressions.push(read_file(path)?);
    }
    if expressions.is_empty() {
        expressions.push(read_stdin("an expression", io)?);
    }
    for text in &expressions {
        let expression = parsed(text)?;
        writeln!(io.stdout, "# {text}\n{}", expression.tree())?;
    }
    Ok(())
}

fn functions(args: &FunctionArgs, io: &mut Io<'_>) -> Result<()> {
    let known: Vec<&str> = signatures().map(|function| function.name).collect();
    for name in &args.names {
        if !known.contains(&name.as_str()) {
            let meant = closest(name, &known).map(|meant| format!("; did you mean `{meant}`?"));
            bail!("there is no function `{name}`{}", meant.unwrap_or_default());
        }
    }
    for function in signatures() {
        let name = function.name;
        if !args.names.is_empty() && !args.names.iter().any(|wanted| wanted == name) {
            continue;
        }
        writeln!(
            io.stdout,
            "Name: {name}\n  Signature: {}",
            signature(&function)
        )?;
        if let Some((_, does)) = described(name) {
            writeln!(io.stdout, "  Note:      {does}")?;
        }
        writeln!(io.stdout)?;
    }
    Ok(())
}

/// The expression, or what is wrong with it, with the place below the text.
fn parsed(text: &str) -> Result<Expression> {
    Expression::parse(text).map_err(|error| {
        let before = text.get(..error.offset).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        let indent = " ".repeat(line.chars().count());
        anyhow!("{}\n{text}\n{indent}^", error.message)
    })
}

fn input(name: &str, text: String) -> Result<Value> {
    let source = Source::new(name, text);
    let (documents, diagnostics) = yaml::parse(&source);
    if let Some(diagnostic) = diagnostics.iter().find(|diagnostic| diagnostic.is_error()) {
        bail!("{}", human::line(diagnostic));
    }
    Ok(documents.first().map_or(Value::Null, yaml::Node::to_json))
}

fn read_file(path: &Path) -> Result<String> {
    let named = || format!("`{}`", path.display());
    let size = fs::metadata(path).with_context(named)?.len();
    if size > MAX_FILE_BYTES {
        bail!("{} is larger than {} MiB", named(), MAX_FILE_BYTES >> 20);
    }
    fs::read_to_string(path).with_context(named)
}

fn read_stdin(what: &str, io: &mut Io<'_>) -> Result<String> {
    writeln!(io.stderr, "Reading {what} from stdin; end it with Ctrl+D.")?;
    let mut text = String::new();
    (&mut io.stdin)
        .take(MAX_FILE_BYTES)
        .read_to_string(&mut text)
        .context("stdin")?;
    Ok(text)
}

/// JSON as Go writes it: safe inside of HTML.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                go_format::write_escape(&mut text, character);
            }
            other => text.push(other),
        }
    }
    text
}
