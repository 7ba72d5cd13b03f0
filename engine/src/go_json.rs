//! What Go says of a text that is no JSON: where a reader that goes byte by byte first finds what cannot be there.
//!
//! Knows the grammar only: what a text means is read elsewhere.

/// Why a text is no JSON, in Go's words; none where its form is that of JSON.
pub(crate) fn complaint(text: &str) -> Option<String> {
    let mut reader = Reader {
        rest: text.as_bytes(),
    };
    let outcome = reader.document();
    outcome.err().map(|complaint| match complaint {
        Complaint::End => "unexpected end of JSON input".to_owned(),
        Complaint::Byte(byte, place) => format!("invalid character {} {place}", quoted(byte)),
    })
}

/// JSON with halves of surrogate pairs as Go reads it: each stands for the replacement character.
pub(crate) fn with_whole_characters(json: &str) -> String {
    let mut whole = String::with_capacity(json.len());
    let mut rest = json;
    let half = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        let code = u32::from_str_radix(digits, 16).ok()?;
        (0xD800..0xE000).contains(&code).then_some(code)
    };
    while let Some((before, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        whole.push_str(before);
        let second = escape.get(6..).and_then(half);
        let length = match half(escape) {
            None => 2,
            Some(0xD800..0xDC00) if second.is_some_and(|code| code >= 0xDC00) => 12,
            Some(_) => {
                whole.push('\u{fffd}');
                rest = escape.get(6..).unwrap_or("");
                continue;
            }
        };
        let (written, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
        whole.push_str(written);
        rest = after;
    }
    whole.push_str(rest);
    whole
}

enum Complaint {
    /// The text ends too early.
    End,
    /// A byte, and what was read when it came.
    Byte(u8, String),
}

struct Reader<'t> {
    rest: &'t [u8],
}

/// What is open around a value.
#[derive(Clone, Copy)]
enum Open {
    List,
    Map,
}

type Outcome = Result<(), Complaint>;

impl Reader<'_> {
    /// Goes on without recursion: texts may be nested as deeply as they are long.
    fn document(&mut self) -> Outcome {
        let mut open: Vec<Open> = Vec::new();
        loop {
            if self.opened(&mut open)? {
                continue;
            }
            if !self.ended(&mut open)? {
                return Ok(());
            }
        }
    }

    /// The end of a value, and of what ends with it; whether another value is to come.
    fn ended(&mut self, open: &mut Vec<Open>) -> Result<bool, Complaint> {
        loop {
            self.space();
            let (end, place) = match open.last() {
                None => {
                    let behind = self.rest.first();
                    return behind
                        .map_or(Ok(false), |byte| Err(at(*byte, "after top-level value")));
                }
                Some(Open::List) => (b']', "after array element"),
                Some(Open::Map) => (b'}', "after object key:value pair"),
            };
            match self.next()? {
                b',' if end == b'}' => return self.key().map(|()| true),
                b',' => return Ok(true),
                byte if byte == end => drop(open.pop()),
                byte => return Err(at(byte, place)),
            }
        }
    }

    /// The start of a value; whether one is to be read inside of it before it ends.
    fn opened(&mut self, open: &mut Vec<Open>) -> Result<bool, Complaint> {
        self.space();
        match self.next()? {
            b'{' => {
                self.space();
                if self.rest.first() == Some(&b'}') {
                    self.next()?;
                    return Ok(false);
                }
                self.key()?;
                open.push(Open::Map);
                return Ok(true);
            }
            b'[' => {
                self.space();
                if self.rest.first() == Some(&b']') {
                    self.next()?;
                    return Ok(false);
                }
                open.push(Open::List);
                return Ok(true);
            }
            b'"' => self.string()?,
            b'-' => {
                let byte = self.next_or_blank();
                if !byte.is_ascii_digit() {
                    return Err(at(byte, "in numeric literal"));
                }
                self.number(byte)?;
            }
            byte if byte.is_ascii_digit() => self.number(byte)?,
            b't' => self.word("true")?,
            b'f' => self.word("false")?,
            b'n' => self.word("null")?,
            byte => return Err(at(byte, "looking for beginning of value")),
        }
        Ok(false)
    }

    /// A key and the colon behind it.
    fn key(&mut self) -> Outcome {
        self.space();
        match self.next()? {
            b'"' => self.string()?,
            byte => return Err(at(byte, "looking for beginning of object key string")),
        }
        self.space();
        match self.next()? {
            b':' => Ok(()),
            byte => Err(at(byte, "after object key")),
        }
    }

    /// A text, its first quote being read.
    fn string(&mut self) -> Outcome {
        loop {
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => self.escape()?,
                byte if byte < b' ' => return Err(at(byte, "in string literal")),
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Outcome {
        match self.next_or_blank() {
            b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => Ok(()),
            b'u' => (0..4).try_for_each(|_| match self.next_or_blank() {
                byte if byte.is_ascii_hexdigit() => Ok(()),
                byte => Err(at(byte, "in \\u hexadecimal character escape")),
            }),
            byte => Err(at(byte, "in string escape code")),
        }
    }

    /// A number, its first digit being read.
    fn number(&mut self, first: u8) -> Outcome {
        if first != b'0' {
            self.digits();
        }
        if self.rest.first() == Some(&b'.') {
            self.next()?;
            let byte = self.next_or_blank();
            if !byte.is_ascii_digit() {
                return Err(at(byte, "after decimal point in numeric literal"));
            }
            self.digits();
        }
        if matches!(self.rest.first(), Some(b'e' | b'E')) {
            self.next()?;
            let mut byte = self.next_or_blank();
            if matches!(byte, b'+' | b'-') {
                byte = self.next_or_blank();
            }
            if !byte.is_ascii_digit() {
                return Err(at(byte, "in exponent of numeric literal"));
            }
            self.digits();
        }
        Ok(())
    }

    fn digits(&mut self) {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit());
        let count = digits.count();
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// One of the three words, its first letter being read.
    fn word(&mut self, word: &str) -> Outcome {
        for expected in word.bytes().skip(1) {
            let byte = self.next_or_blank();
            if byte != expected {
                let expected = char::from(expected);
                let place = format!("in literal {word} (expecting '{expected}')");
                return Err(Complaint::Byte(byte, place));
            }
        }
        Ok(())
    }

    fn space(&mut self) {
        let space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let count = self.rest.iter().take_while(space).count();
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    fn next(&mut self) -> Result<u8, Complaint> {
        let (first, rest) = self.rest.split_first().ok_or(Complaint::End)?;
        self.rest = rest;
        Ok(*first)
    }

    /// The same within a word, a number or an escape, where Go's reader is given a blank at the end of the text and stumbles
    /// over that.
    fn next_or_blank(&mut self) -> u8 {
        self.next().unwrap_or(b' ')
    }
}

fn at(byte: u8, place: &str) -> Complaint {
    Complaint::Byte(byte, place.to_owned())
}

/// A byte as Go quotes it: each stands for the character of its number.
fn quoted(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'\\' => r"'\\'".to_owned(),
        0x07 => r"'\a'".to_owned(),
        0x08 => r"'\b'".to_owned(),
        0x0c => r"'\f'".to_owned(),
        b'\n' => r"'\n'".to_owned(),
        b'\r' => r"'\r'".to_owned(),
        b'\t' => r"'\t'".to_owned(),
        0x0b => r"'\v'".to_owned(),
        0x00..=0x1f | 0x7f => format!(r"'\x{byte:02x}'"),
        0x80..=0xa0 | 0xad => format!(r"'\u{byte:04x}'"),
        _ => format!("'{}'", char::from(byte)),
    }
}

#[cfg(test)]
mod tests;
