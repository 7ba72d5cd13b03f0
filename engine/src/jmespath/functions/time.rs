//! Functions on points in time, which are texts in RFC 3339.

use serde_json::Value;

use super::{Arguments, failed};
use crate::duration::Duration;
use crate::go_format::{parse_int, quoted};
use crate::go_time::{RFC3339, Time};
use crate::jmespath::ExpressionError;

type Outcome = Result<Value, ExpressionError>;

fn time(arguments: &Arguments<'_>, index: usize) -> Result<Time, ExpressionError> {
    parse_with(RFC3339, arguments.text(index))
}

fn parse_with(layout: &str, text: &str) -> Result<Time, ExpressionError> {
    Time::parse(layout, text).map_err(|error| failed(error.to_string()))
}

fn duration(arguments: &Arguments<'_>, index: usize) -> Result<Duration, ExpressionError> {
    Duration::parse(arguments.text(index)).map_err(|error| failed(error.to_string()))
}

fn shown(time: &Time) -> Outcome {
    Ok(Value::String(time.to_string()))
}

/// The time of the evaluation; Kyverno's `time_now` has the zone of its process, ours is UTC.
pub(super) fn now(arguments: &Arguments<'_>) -> Outcome {
    let environment = arguments.evaluator.environment;
    shown(&Time::from_unix(
        environment.seconds,
        environment.nanoseconds,
    ))
}

pub(super) fn since(arguments: &Arguments<'_>) -> Outcome {
    let layout = match arguments.text(0) {
        "" => RFC3339,
        layout => layout,
    };
    let start = parse_with(layout, arguments.text(1))?;
    let end = match arguments.text(2) {
        "" => Time::from_unix(
            arguments.evaluator.environment.seconds,
            arguments.evaluator.environment.nanoseconds,
        ),
        end => parse_with(layout, end)?,
    };
    Ok(Value::String(end.since(&start).to_string()))
}

pub(super) fn add(arguments: &Arguments<'_>) -> Outcome {
    shown(&time(arguments, 0)?.plus(duration(arguments, 1)?))
}

pub(super) fn parse(arguments: &Arguments<'_>) -> Outcome {
    let (layout, text) = (arguments.text(0), arguments.text(1));
    if parse_int(layout).is_none() {
        return shown(&parse_with(layout, text)?);
    }
    match parse_int(text) {
        Some(seconds) => shown(&Time::from_unix(seconds, 0)),
        None => Err(failed(format!(
            "strconv.ParseInt: parsing {}: invalid syntax",
            quoted(text)
        ))),
    }
}

pub(super) fn utc(arguments: &Arguments<'_>) -> Outcome {
    shown(&time(arguments, 0)?.to_utc())
}

pub(super) fn diff(arguments: &Arguments<'_>) -> Outcome {
    let (start, end) = (time(arguments, 0)?, time(arguments, 1)?);
    Ok(Value::String(end.since(&start).to_string()))
}

pub(super) fn before(arguments: &Arguments<'_>) -> Outcome {
    Ok(Value::Bool(
        time(arguments, 0)?.instant() < time(arguments, 1)?.instant(),
    ))
}

pub(super) fn after(arguments: &Arguments<'_>) -> Outcome {
    Ok(Value::Bool(
        time(arguments, 0)?.instant() > time(arguments, 1)?.instant(),
    ))
}

pub(super) fn between(arguments: &Arguments<'_>) -> Outcome {
    let (at, start, end) = (
        time(arguments, 0)?,
        time(arguments, 1)?,
        time(arguments, 2)?,
    );
    Ok(Value::Bool(
        start.instant() < at.instant() && at.instant() < end.instant(),
    ))
}

pub(super) fn truncate(arguments: &Arguments<'_>) -> Outcome {
    shown(&time(arguments, 0)?.truncated(duration(arguments, 1)?))
}

pub(super) fn to_cron(arguments: &Arguments<'_>) -> Outcome {
    let time = time(arguments, 0)?;
    let civil = time.civil();
    let cron = format!(
        "{} {} {} {} {}",
        civil.minute,
        civil.hour,
        civil.day,
        civil.month,
        time.weekday()
    );
    Ok(Value::String(cron))
}
