//! The three streams of a command, and whether they may be coloured.
//!
//! Commands write nowhere else, so a test can hand in buffers and read what a user would see.

use std::io::{IsTerminal as _, Read, Stderr, Stdin, Stdout, Write};

use clap::ValueEnum;

use crate::render::human::Style;

/// What the user wants with colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColourChoice {
    /// On terminals, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Whether output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// With ANSI escapes.
    On,
    /// Plain.
    Off,
}

impl Colours {
    /// Whether escapes may be written.
    pub const fn are_on(self) -> bool {
        matches!(self, Self::On)
    }
}

/// The streams of one command.
#[expect(
    missing_debug_implementations,
    reason = "borrowed streams have nothing to show"
)]
pub struct Io<'a> {
    /// Where `-` is read from.
    pub stdin: &'a mut dyn Read,
    /// Data, and nothing else.
    pub stdout: &'a mut dyn Write,
    /// Everything else.
    pub stderr: &'a mut dyn Write,
    /// Whether output is coloured.
    pub colours: Colours,
    /// Columns of the terminal; a default where there is none.
    pub width: usize,
}

/// Columns where nobody said how many there are.
const DEFAULT_WIDTH: usize = 100;

impl<'a> Io<'a> {
    /// The process' own streams.
    pub fn process_streams() -> (Stdin, Stdout, Stderr) {
        (std::io::stdin(), std::io::stdout(), std::io::stderr())
    }

    /// The process' own streams; coloured where stdout and stderr both are terminals.
    pub fn of_process(
        stdin: &'a mut Stdin,
        stdout: &'a mut Stdout,
        stderr: &'a mut Stderr,
    ) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let terminal = stdout.is_terminal() && stderr.is_terminal();
        let colours = if wanted && terminal {
            Colours::On
        } else {
            Colours::Off
        };
        let width = std::env::var("COLUMNS")
            .ok()
            .and_then(|columns| columns.parse().ok())
            .unwrap_or(DEFAULT_WIDTH);
        Self {
            stdin,
            stdout,
            stderr,
            colours,
            width,
        }
    }

    /// Streams that somebody else holds, as a test does; plain.
    pub fn of_buffers(
        stdin: &'a mut dyn Read,
        stdout: &'a mut dyn Write,
        stderr: &'a mut dyn Write,
    ) -> Self {
        Self {
            stdin,
            stdout,
            stderr,
            colours: Colours::Off,
            width: DEFAULT_WIDTH,
        }
    }

    /// How text is laid out on these streams.
    pub fn style(&self) -> Style {
        Style {
            colours: self.colours,
            width: self.width,
        }
    }

    /// Overrides what was detected.
    pub fn choose_colours(&mut self, choice: ColourChoice) {
        match choice {
            ColourChoice::Auto => {}
            ColourChoice::Always => self.colours = Colours::On,
            ColourChoice::Never => self.colours = Colours::Off,
        }
    }
}
