//! Flags with a truth value behind them, as Go's command lines take them: `--table=true`, `--registry=false`.
//!
//! Knows which flags there are from clap; what they mean is the commands' business.

use std::ffi::OsString;

use clap::{ArgAction, Command, CommandFactory as _};

use super::Args;

/// The same arguments with `--flag=true` as `--flag`, and without `--flag=false`, for flags that are either there or not.
pub fn without_values(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let all: Vec<OsString> = arguments.into_iter().collect();
    // Building clap's tree twice costs more than a look at the arguments.
    if !all.iter().any(|argument| truth(argument).is_some()) {
        return all;
    }
    let mut command = Args::command();
    command.build();
    let mut command = Some(&command);
    let mut kept = Vec::with_capacity(all.len());
    let mut arguments = all.into_iter();
    kept.extend(arguments.next());
    for argument in arguments.by_ref() {
        if argument == "--" {
            kept.push(argument);
            break;
        }
        if let Some(inner) = argument
            .to_str()
            .and_then(|name| command.and_then(|command| command.find_subcommand(name)))
        {
            command = Some(inner);
        }
        match truth(&argument) {
            Some((flag, truth)) if command.is_some_and(|command| is_flag(command, flag)) => {
                kept.extend(truth.then(|| OsString::from(format!("--{flag}"))));
            }
            _ => kept.push(argument),
        }
    }
    kept.extend(arguments);
    kept
}

/// The flag's name and what it is set to.
fn truth(argument: &OsString) -> Option<(&str, bool)> {
    let (flag, value) = argument.to_str()?.strip_prefix("--")?.split_once('=')?;
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some((flag, true)),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some((flag, false)),
        _ => None,
    }
}

/// Whether a command has a flag of this name that takes no value.
fn is_flag(command: &Command, name: &str) -> bool {
    command.get_arguments().any(|argument| {
        let takes_none = matches!(argument.get_action(), ArgAction::SetTrue);
        let aliases = argument.get_all_aliases().unwrap_or_default();
        takes_none && (argument.get_long() == Some(name) || aliases.contains(&name))
    })
}

#[cfg(test)]
mod tests;
