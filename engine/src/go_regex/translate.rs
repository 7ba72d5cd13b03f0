//! An expression from its beginning to its end: what may be repeated, groups and their flags, escapes.
//!
//! Knows nothing of what stands between brackets.

use super::RegexError;
use super::class::{NOTHING, escape_of, perl_class, unicode_class};

/// Most repetitions that Go allows in braces, those of groups in groups multiplied.
const MAX_REPEAT: u32 = 1_000;
/// The flags that Go has; `x`, `u` and `R` are the crate's alone.
const FLAGS: [char; 4] = ['i', 'm', 's', 'U'];

/// See [`super::translate`].
pub(super) fn translate(pattern: &str) -> Result<String, RegexError> {
    let mut translator = Translator {
        pattern,
        rest: pattern,
        output: String::with_capacity(pattern.len()),
        groups: Vec::new(),
        group: Group::default(),
        flags_between: false,
    };
    translator.run()?;
    Ok(translator.output)
}

pub(super) struct Translator<'p> {
    pub(super) pattern: &'p str,
    pub(super) rest: &'p str,
    pub(super) output: String,
    /// The groups that are open, but for the innermost.
    groups: Vec<Group>,
    group: Group,
    /// Flags were set behind what would be repeated, which the crate does not repeat then.
    flags_between: bool,
}

/// What is known of a group so far.
#[derive(Default)]
struct Group {
    /// How often its last piece is repeated at most, as braces in it say; none where there is nothing to repeat.
    last: Option<u32>,
    /// The same of the pieces before.
    before: u32,
}

impl Group {
    fn push(&mut self, repeated: u32) {
        self.before = self.most();
        self.last = Some(repeated);
    }

    fn most(&self) -> u32 {
        self.before.max(self.last.unwrap_or(1))
    }
}

impl<'p> Translator<'p> {
    fn run(&mut self) -> Result<(), RegexError> {
        // Where the repetition begins that was read last, which Go does not allow to be repeated.
        let mut repeated = None;
        loop {
            let before = self.rest;
            let Some(character) = self.next() else {
                break;
            };
            let mut repeats = false;
            match character {
                '\\' => self.escape()?,
                '[' => {
                    self.class(before)?;
                    self.piece();
                }
                '*' | '+' | '?' => {
                    self.repeat(before, repeated, None)?;
                    repeats = true;
                }
                '{' => match self.braces() {
                    Some(count) => {
                        self.repeat(before, repeated, Some(count))?;
                        repeats = true;
                    }
                    None => self.literal('{'),
                },
                '(' if self.rest.starts_with('?') => self.flags(before)?,
                '(' => self.open("("),
                ')' => self.close()?,
                '|' => {
                    self.group.before = self.group.most();
                    self.group.last = None;
                    self.output.push('|');
                }
                '^' | '$' | '.' => {
                    self.output.push(character);
                    self.piece();
                }
                other => self.literal(other),
            }
            repeated = repeats.then_some(before);
        }
        if self.groups.is_empty() {
            return Ok(());
        }
        Err(RegexError::new("missing closing )", self.pattern))
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let character = characters.next()?;
        self.rest = characters.as_str();
        Some(character)
    }

    /// What has been read since there was as much left as `before`.
    pub(super) fn read_since(&self, before: &'p str) -> &'p str {
        before
            .get(..before.len() - self.rest.len())
            .unwrap_or(before)
    }

    /// Something that can be repeated has been written.
    fn piece(&mut self) {
        self.group.push(1);
        self.flags_between = false;
    }

    fn literal(&mut self, character: char) {
        push_literal(&mut self.output, character);
        self.piece();
    }

    fn open(&mut self, written: &str) {
        self.output.push_str(written);
        self.groups.push(std::mem::take(&mut self.group));
        self.flags_between = false;
    }

    fn close(&mut self) -> Result<(), RegexError> {
        let Some(around) = self.groups.pop() else {
            return Err(RegexError::new("unexpected )", self.pattern));
        };
        let inside = std::mem::replace(&mut self.group, around).most();
        self.output.push(')');
        self.group.push(inside);
        self.flags_between = false;
        Ok(())
    }

    /// A repetition that has been read but for the question mark that makes it take little.
    fn repeat(
        &mut self,
        before: &'p str,
        repeated: Option<&'p str>,
        count: Option<Count>,
    ) -> Result<(), RegexError> {
        if count.is_some_and(|count| !count.is_valid()) {
            let braces = self.read_since(before);
            return Err(RegexError::new("invalid repeat count", braces));
        }
        if self.rest.starts_with('?') {
            self.next();
        }
        let written = self.read_since(before);
        if let Some(first) = repeated {
            let both = self.read_since(first);
            return Err(RegexError::new("invalid nested repetition operator", both));
        }
        let Some(last) = self.group.last else {
            let reason = "missing argument to repetition operator";
            return Err(RegexError::new(reason, written));
        };
        if self.flags_between {
            let reason = "flags between an expression and its repetition are not supported";
            return Err(RegexError::new(reason, written));
        }
        let most = count.map_or(last, |count| count.times(last));
        if count.is_some_and(Count::is_several) && most > MAX_REPEAT {
            return Err(RegexError::new("invalid repeat count", written));
        }
        self.group.last = Some(most);
        self.output.push_str(written);
        Ok(())
    }

    /// Takes `{n}`, `{n,}` or `{n,m}` whose brace has been read; none where it is something else, which stands for itself.
    fn braces(&mut self) -> Option<Count> {
        let (inner, rest) = self.rest.split_once('}')?;
        let count = match inner.split_once(',') {
            None => {
                let times = number(inner)?;
                Count {
                    low: times,
                    high: Some(times),
                }
            }
            Some((low, "")) => Count {
                low: number(low)?,
                high: None,
            },
            Some((low, high)) => Count {
                low: number(low)?,
                high: Some(number(high)?),
            },
        };
        self.rest = rest;
        Some(count)
    }

    /// A group that begins with `(?`, whose parenthesis has been read.
    fn flags(&mut self, before: &'p str) -> Result<(), RegexError> {
        let name = self.rest.strip_prefix("?P<");
        let name = name.or_else(|| self.rest.strip_prefix("?<"));
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            let Some((name, rest)) = name.split_once('>') else {
                return Err(RegexError::new("invalid named capture", before));
            };
            self.rest = rest;
            let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty() || !name.bytes().all(valid) {
                let written = self.read_since(before);
                return Err(RegexError::new("invalid named capture", written));
            }
            self.open(&format!("(?P<{name}>"));
            return Ok(());
        }
        self.next();
        let mut set = [None; FLAGS.len()];
        let (mut value, mut some) = (true, false);
        while let Some(character) = self.next() {
            let flag = FLAGS.iter().zip(&mut set);
            let flag = flag.into_iter().find(|(flag, _)| **flag == character);
            match (character, flag) {
                (_, Some((_, flag))) => (*flag, some) = (Some(value), true),
                ('-', None) if value => (value, some) = (false, false),
                (':', None) if value || some => {
                    self.open(&format!("(?{}:", flags_of(&set)));
                    return Ok(());
                }
                (')', None) if value || some => {
                    self.set_flags(&flags_of(&set));
                    return Ok(());
                }
                (_, None) => break,
            }
        }
        let reason = "invalid or unsupported Perl syntax";
        Err(RegexError::new(reason, self.read_since(before)))
    }

    fn set_flags(&mut self, flags: &str) {
        if !flags.is_empty() {
            let written = format!("(?{flags})");
            self.output.push_str(&written);
            self.flags_between = true;
        }
    }

    /// What follows a backslash outside of a class.
    fn escape(&mut self) -> Result<(), RegexError> {
        let written = match self.rest.chars().next() {
            Some('A') => r"\A",
            Some('z') => r"\z",
            // Words are of ASCII in Go.
            Some('b') => r"(?-u:\b)",
            Some('B') => r"(?-u:\B)",
            Some('Q') => {
                self.quoted();
                return Ok(());
            }
            Some('p' | 'P') => {
                let class = unicode_class(self)?;
                self.output.push_str(&class);
                self.piece();
                return Ok(());
            }
            following => {
                let Some(class) = following.and_then(perl_class) else {
                    match escape_of(self)? {
                        Some(character) => push_literal(&mut self.output, character),
                        // A surrogate, which no text holds.
                        None => self.output.push_str(NOTHING),
                    }
                    self.piece();
                    return Ok(());
                };
                class
            }
        };
        self.next();
        self.output.push_str(written);
        self.piece();
        Ok(())
    }

    /// `\Q...\E`, whose backslash has been read.
    fn quoted(&mut self) {
        let text = self.rest.get(1..).unwrap_or("");
        let (quoted, rest) = text.split_once(r"\E").unwrap_or((text, ""));
        self.rest = rest;
        for character in quoted.chars() {
            self.literal(character);
        }
    }
}

/// How often something is repeated.
#[derive(Clone, Copy)]
struct Count {
    low: u32,
    high: Option<u32>,
}

impl Count {
    fn is_valid(self) -> bool {
        let high = self.high.unwrap_or(self.low);
        self.low <= high && high <= MAX_REPEAT
    }

    fn is_several(self) -> bool {
        self.low >= 2 || self.high.is_some_and(|high| high >= 2)
    }

    fn times(self, inner: u32) -> u32 {
        match self.high {
            // What is never there is repeated by nobody.
            Some(0) => 1,
            high => inner.saturating_mul(high.unwrap_or(self.low).max(1)),
        }
    }
}

/// A number without leading zeros; one that is too large for any bound is the largest.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().unwrap_or(u32::MAX))
}

/// Flags as the crate reads them: each once, and without a hyphen that nothing follows.
fn flags_of(set: &[Option<bool>]) -> String {
    let with = |wanted: bool| {
        let flags = FLAGS.iter().zip(set);
        flags
            .filter(|(_, value)| **value == Some(wanted))
            .map(|(flag, _)| *flag)
            .collect::<String>()
    };
    let (on, off) = (with(true), with(false));
    if off.is_empty() {
        on
    } else {
        format!("{on}-{off}")
    }
}

/// Writes a character that stands for itself.
pub(super) fn push_literal(output: &mut String, character: char) {
    output.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
}
