//! Tables in the terminal.
//!
//! Knows nothing of what is in them.

use crate::io::Colours;

/// How a cell is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tint {
    /// Not at all.
    Plain,
    /// Green.
    Good,
    /// Red.
    Bad,
    /// Dim.
    Aside,
}

/// One cell; its text may have several lines.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    tint: Tint,
}

impl Cell {
    /// A cell without colour.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::tinted(text, Tint::Plain)
    }

    /// A cell with colour.
    pub fn tinted(text: impl Into<String>, tint: Tint) -> Self {
        Self {
            text: text.into(),
            tint,
        }
    }
}

/// A table with lines around its columns, in the shape of Kyverno's runner.
pub fn table(header: &[&str], rows: &[Vec<Cell>], colours: Colours) -> String {
    let widths: Vec<usize> = (0..header.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let lines = cells.flat_map(|cell| cell.text.lines()).map(width);
            let title = header.get(column).map_or(0, |title| width(title));
            lines.max().unwrap_or(0).max(title)
        })
        .collect();
    let lines: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
    let rule = format!("│{}", lines.join("│"));
    let mut text = format!("{rule}│\n");
    let titles: Vec<Cell> = header.iter().map(|title| Cell::plain(*title)).collect();
    push_row(&mut text, &titles, &widths, colours);
    text.push_str(&rule);
    text.push_str("│\n");
    for row in rows {
        push_row(&mut text, row, &widths, colours);
    }
    text.push_str(&rule);
    text.push_str("│\n");
    text
}

fn push_row(text: &mut String, row: &[Cell], widths: &[usize], colours: Colours) {
    let height = row
        .iter()
        .map(|cell| cell.text.lines().count())
        .max()
        .unwrap_or(0)
        .max(1);
    for index in 0..height {
        for (cell, width) in row.iter().zip(widths) {
            let line = cell.text.lines().nth(index).unwrap_or("");
            let padding = " ".repeat(width.saturating_sub(self::width(line)));
            text.push_str("│ ");
            text.push_str(&tinted(line, cell.tint, colours));
            text.push_str(&padding);
            text.push(' ');
        }
        text.push_str("│\n");
    }
}

/// A text in the colour of a tint, where there are colours.
pub fn tinted(text: &str, tint: Tint, colours: Colours) -> String {
    let code = match tint {
        Tint::Plain => return text.to_owned(),
        Tint::Good => 32,
        Tint::Bad => 31,
        Tint::Aside => 2,
    };
    if colours.are_on() && !text.is_empty() {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}
