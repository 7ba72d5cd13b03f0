//! `regent break-glass`: what break-glass let in, by the journal of `regent serve`.

use anyhow::{Context as _, Result, bail};
use regent_server::break_glass::history::{History, Past, State};
use regent_server::break_glass::journal::Journal;
use regent_server::break_glass::record::{self, Closed, Record};
use regent_server::clock;
use serde_json::{Value, json};

use crate::args::break_glass::{
    BreakGlassArgs, BreakGlassCommand, CloseArgs, ListArgs, ListFormat,
};
use crate::exit_status::ExitStatus;
use crate::io::Io;
use crate::render::human::printable_line;

/// Runs `regent break-glass`.
pub fn run(args: &BreakGlassArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    match &args.command {
        BreakGlassCommand::List(args) => list(args, io),
        BreakGlassCommand::Close(args) => close(args, io),
    }
}

fn list(args: &ListArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    let history = History::of(&Journal::new(&args.journal))?;
    let settled = history.uses.iter().all(|past| past.state.is_settled());
    let shown = history.uses.iter();
    let shown: Vec<&Past> = shown
        .filter(|past| !(args.open && past.state.is_settled()))
        .collect();
    match args.output {
        ListFormat::Json => {
            let uses: Vec<Value> = shown.iter().map(|past| in_json(past)).collect();
            let document = json!({"uses": uses, "problems": history.problems});
            let text = serde_json::to_string_pretty(&document)?;
            writeln!(io.stdout, "{text}")?;
        }
        ListFormat::Text => {
            for past in shown {
                show(past, io)?;
            }
            summarise(&history, io)?;
        }
    }
    Ok(if settled && history.problems.is_empty() {
        ExitStatus::Pass
    } else {
        ExitStatus::Failed
    })
}

fn show(past: &Past, io: &mut Io<'_>) -> Result<()> {
    let used = &past.used;
    let state = past.state.name();
    let line = format!(
        "{}  {}  {state:<8}  {} by {}",
        used.id, used.time, used.object, used.user
    );
    writeln!(io.stdout, "{}", printable_line(&line))?;
    for rule in &used.rules {
        let one = &rule.break_glass;
        let ticket = one.ticket.as_ref();
        let ticket = ticket.map_or_else(String::new, |ticket| format!(" [{ticket}]"));
        let line = format!(
            "{} until {}: {}{ticket}",
            one.name, one.expires_at, one.reason
        );
        writeln!(io.stdout, "    {}", printable_line(&line))?;
        let line = format!(
            "{}/{} {}: {}",
            rule.policy, rule.rule, rule.status, rule.message
        );
        writeln!(io.stdout, "    {}", printable_line(&line))?;
    }
    for image in &used.images {
        let digest = image.digest.as_deref().unwrap_or("digest not known");
        let line = format!("image {}, {digest}", image.reference);
        writeln!(io.stdout, "    {}", printable_line(&line))?;
    }
    let said = match &past.state {
        State::Open => return Ok(()),
        State::Unverified { message, time, .. } => format!("{state} {time}: {message}"),
        State::Verified { time } => format!("verified {time}"),
        State::Closed { reason, time } => format!("closed {time}: {reason}"),
    };
    writeln!(io.stdout, "    {}", printable_line(&said))?;
    Ok(())
}

fn summarise(history: &History, io: &mut Io<'_>) -> Result<()> {
    for problem in &history.problems {
        writeln!(io.stderr, "{}", printable_line(problem))?;
    }
    let count = |name: &str| {
        let uses = history.uses.iter();
        uses.filter(|past| past.state.name() == name).count()
    };
    writeln!(
        io.stdout,
        "{} let in: {} verified, {} closed, {} refused, {} not to be found out, {} not looked at yet",
        history.uses.len(),
        count("verified"),
        count("closed"),
        count("refused"),
        count("unknown"),
        count("open"),
    )?;
    Ok(())
}

fn in_json(past: &Past) -> Value {
    let used = &past.used;
    let mut shown = json!({
        "id": used.id,
        "time": used.time,
        "object": used.object,
        "user": used.user,
        "rules": used.rules,
        "images": used.images,
        "state": past.state.name(),
    });
    let (message, since) = match &past.state {
        State::Open => (None, None),
        State::Unverified { message, time, .. } => (Some(message), Some(time)),
        State::Verified { time } => (None, Some(time)),
        State::Closed { reason, time } => (Some(reason), Some(time)),
    };
    if let Some(fields) = shown.as_object_mut() {
        for (name, value) in [("message", message), ("since", since)] {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value.as_str().into());
            }
        }
    }
    shown
}

fn close(args: &CloseArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    if args.reason.trim().is_empty() {
        bail!("--reason: say why there is nothing to verify any more");
    }
    let journal = Journal::new(&args.journal);
    let history = History::of(&journal)?;
    for id in &args.ids {
        let mut uses = history.uses.iter();
        let past = uses.find(|past| past.used.id == *id);
        let past = past.with_context(|| format!("the journal has no `{id}`"))?;
        if past.state.is_settled() {
            bail!("`{id}` is {} already", past.state.name());
        }
    }
    let time = record::time(&clock::environment());
    let close = |id: &String| {
        Record::Closed(Closed {
            id: id.clone(),
            time: time.clone(),
            reason: args.reason.clone(),
        })
    };
    let lines: Vec<Record> = args.ids.iter().map(close).collect();
    journal.append(&lines)?;
    writeln!(io.stdout, "{} closed", lines.len())?;
    Ok(ExitStatus::Pass)
}
