//! What the demonstration shows.

use std::time::Duration;

use super::review::{Answer, image_of};
use super::scene::{Kind, Scene};
use crate::io::Io;
use crate::render::human::printable;
use crate::render::table::{Cell, Tint, table};

/// What came of one scene.
#[derive(Debug)]
pub struct Shot {
    /// What was asked.
    pub scene: Scene,
    /// With which image, its digest filled in.
    pub image: String,
    /// What was answered.
    pub answer: Answer,
    /// How long the first answer took, and the second.
    pub took: [Duration; 2],
    /// Where the answer is not the expected one.
    pub wrong: Vec<String>,
}

/// The table of all scenes.
pub fn shots(shots: &[Shot], io: &Io<'_>) -> String {
    let asked_width = 38;
    // What the other columns and the lines between them take.
    let taken = asked_width + 10 + 2 * 9 + 3 * 5 + 1;
    let why_width = io.width.saturating_sub(taken).max(36);
    let mut rows = Vec::new();
    for (index, shot) in shots.iter().enumerate() {
        if index > 0 {
            rows.push(vec![Cell::plain(""); 5]);
        }
        rows.push(row(shot, asked_width, why_width));
    }
    table(
        &["ASKED", "DECIDED", "WHY", "COLD", "CACHED"],
        &rows,
        io.colours,
    )
}

fn row(shot: &Shot, asked_width: usize, why_width: usize) -> Vec<Cell> {
    let scene = shot.scene;
    let kind = match scene.kind {
        Kind::Pod => "Pod",
        Kind::Deployment => "Deployment",
    };
    let asked = format!(
        "{}\n{kind} in {}\n{}",
        scene.title,
        scene.namespace,
        short(&shot.image)
    );
    let (decided, why) = match &shot.answer {
        Answer::Admitted { object } => ("admitted", why_admitted(&shot.image, image_of(object))),
        Answer::Refused { message } => ("refused", reason(message)),
    };
    let (decided, tint) = if shot.wrong.is_empty() {
        (decided.to_owned(), Tint::Good)
    } else {
        (format!("{decided}\nWRONG"), Tint::Bad)
    };
    let mut why = wrap(&printable(&why), why_width);
    for wrong in &shot.wrong {
        why.push('\n');
        why.push_str(&wrap(&format!("WRONG: {wrong}"), why_width));
    }
    let [cold, cached] = shot.took;
    vec![
        Cell::plain(wrap(&asked, asked_width)),
        Cell::tinted(decided, tint),
        Cell::plain(why),
        Cell::plain(milliseconds(cold)),
        Cell::plain(milliseconds(cached)),
    ]
}

fn why_admitted(asked: &str, stored: Option<&str>) -> String {
    match stored {
        Some(stored) if stored != asked => {
            format!("verified; the image is stored as {}", short(stored))
        }
        Some(stored) if stored.contains("@sha256:") => "verified by its digest".to_owned(),
        _ => "no rule is about it; the image is stored as it was asked for".to_owned(),
    }
}

/// The reason alone, out of the frame that the API server's user sees around it.
fn reason(message: &str) -> String {
    let mut lines = message
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let framed = message.contains("blocked due to the following policies");
    if !framed {
        return lines.collect::<Vec<_>>().join(" ");
    }
    // Two lines name the resource and the policy.
    let rest: Vec<_> = lines.by_ref().skip(2).collect();
    let text = rest.join(" ");
    let text = text
        .split_once(": ")
        .map_or(text.as_str(), |(_, reason)| reason);
    text.trim_start_matches(['|', '>', '-', ' ', '\'', '"'])
        .trim_end_matches(['\'', '"'])
        .replace("''", "'")
}

/// A digest as people tell them apart: by its first digits.
fn short(image: &str) -> String {
    match image.split_once("@sha256:") {
        Some((name, digest)) => format!("{name}@sha256:{}…", digest.get(..8).unwrap_or(digest)),
        None => image.to_owned(),
    }
}

/// Lines of at most `width` characters, broken at spaces, and within words that are longer.
fn wrap(text: &str, width: usize) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut current = String::new();
        for word in line.split(' ') {
            let mut word: Vec<char> = word.chars().collect();
            if !current.is_empty() && current.chars().count() + 1 + word.len() > width {
                lines.push(std::mem::take(&mut current));
            }
            while word.len() > width {
                let rest = word.split_off(width);
                lines.push(word.iter().collect());
                word = rest;
            }
            if !current.is_empty() {
                current.push(' ');
            }
            current.extend(word);
        }
        lines.push(current);
    }
    lines.join("\n")
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}
