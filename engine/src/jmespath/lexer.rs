//! Text → tokens.

use super::SyntaxError;

/// A token and the byte where it starts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) offset: usize,
}

/// What a token is, with what it says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Star,
    Dot,
    Filter,
    Flatten,
    LeftParenthesis,
    RightParenthesis,
    LeftBracket,
    RightBracket,
    LeftBrace,
    RightBrace,
    Or,
    Pipe,
    Number(String),
    Unquoted(String),
    Quoted(String),
    Comma,
    Colon,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    Json(serde_json::Value),
    Raw(String),
    Current,
    Reference,
    And,
    Not,
    Unknown,
    End,
}

impl Kind {
    /// The name that Kyverno's messages use.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Star => "tStar",
            Self::Dot => "tDot",
            Self::Filter => "tFilter",
            Self::Flatten => "tFlatten",
            Self::LeftParenthesis => "tLparen",
            Self::RightParenthesis => "tRparen",
            Self::LeftBracket => "tLbracket",
            Self::RightBracket => "tRbracket",
            Self::LeftBrace => "tLbrace",
            Self::RightBrace => "tRbrace",
            Self::Or => "tOr",
            Self::Pipe => "tPipe",
            Self::Number(_) => "tNumber",
            Self::Unquoted(_) => "tUnquotedIdentifier",
            Self::Quoted(_) => "tQuotedIdentifier",
            Self::Comma => "tComma",
            Self::Colon => "tColon",
            Self::Less => "tLT",
            Self::LessOrEqual => "tLTE",
            Self::Greater => "tGT",
            Self::GreaterOrEqual => "tGTE",
            Self::Equal => "tEQ",
            Self::NotEqual => "tNE",
            Self::Json(_) => "tJSONLiteral",
            Self::Raw(_) => "tStringLiteral",
            Self::Current => "tCurrent",
            Self::Reference => "tExpref",
            Self::And => "tAnd",
            Self::Not => "tNot",
            Self::Unknown => "tUnknown",
            Self::End => "tEOF",
        }
    }

    /// How tightly it binds what stands before it; zero ends an expression.
    pub(super) const fn binding_power(&self) -> u8 {
        match self {
            Self::Pipe => 1,
            Self::Or => 2,
            Self::And => 3,
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::LessOrEqual
            | Self::Greater
            | Self::GreaterOrEqual => 5,
            Self::Flatten => 9,
            Self::Star => 20,
            Self::Filter => 21,
            Self::Dot => 40,
            Self::Not => 45,
            Self::LeftBrace => 50,
            Self::LeftBracket => 55,
            Self::LeftParenthesis => 60,
            _ => 0,
        }
    }
}

/// Splits an expression into tokens, the last of which is [`Kind::End`].
pub(super) fn tokenize(text: &str) -> Result<Vec<Token>, SyntaxError> {
    let mut lexer = Lexer { text, offset: 0 };
    let mut tokens = Vec::new();
    while let Some(character) = lexer.next() {
        let offset = lexer.offset - character.len_utf8();
        if matches!(character, ' ' | '\t' | '\n' | '\r') {
            continue;
        }
        let kind = lexer.token(character, offset)?;
        tokens.push(Token { kind, offset });
    }
    tokens.push(Token {
        kind: Kind::End,
        offset: text.len(),
    });
    Ok(tokens)
}

struct Lexer<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or("")
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest().chars().next()?;
        self.offset += character.len_utf8();
        Some(character)
    }

    fn next_if(&mut self, expected: char) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.offset += expected.len_utf8();
        }
        found
    }

    fn take_while(&mut self, start: usize, belongs: impl Fn(char) -> bool) -> String {
        let rest = self.rest();
        let length = rest
            .find(|character| !belongs(character))
            .unwrap_or(rest.len());
        self.offset += length;
        self.text.get(start..self.offset).unwrap_or("").to_owned()
    }

    fn token(&mut self, first: char, offset: usize) -> Result<Kind, SyntaxError> {
        Ok(match first {
            '.' => Kind::Dot,
            '*' => Kind::Star,
            ',' => Kind::Comma,
            ':' => Kind::Colon,
            '{' => Kind::LeftBrace,
            '}' => Kind::RightBrace,
            ']' => Kind::RightBracket,
            '(' => Kind::LeftParenthesis,
            ')' => Kind::RightParenthesis,
            '@' => Kind::Current,
            '[' if self.next_if('?') => Kind::Filter,
            '[' if self.next_if(']') => Kind::Flatten,
            '[' => Kind::LeftBracket,
            '|' if self.next_if('|') => Kind::Or,
            '|' => Kind::Pipe,
            '<' if self.next_if('=') => Kind::LessOrEqual,
            '<' => Kind::Less,
            '>' if self.next_if('=') => Kind::GreaterOrEqual,
            '>' => Kind::Greater,
            '!' if self.next_if('=') => Kind::NotEqual,
            '!' => Kind::Not,
            '=' if self.next_if('=') => Kind::Equal,
            '=' => Kind::Unknown,
            '&' if self.next_if('&') => Kind::And,
            '&' => Kind::Reference,
            '"' => self.quoted(offset)?,
            '\'' => self.raw()?,
            '`' => self.json(offset)?,
            '-' | '0'..='9' => Kind::Number(self.take_while(offset, |next| next.is_ascii_digit())),
            'a'..='z' | 'A'..='Z' | '_' => Kind::Unquoted(
                self.take_while(offset, |next| next.is_ascii_alphanumeric() || next == '_'),
            ),
            _ => {
                return Err(SyntaxError {
                    message: format!("SyntaxError: Unknown char: {}", quote(first)),
                    offset,
                });
            }
        })
    }

    /// Up to an end that is not escaped, without it; escapes are left as they are.
    fn until(&mut self, end: char) -> Result<&'a str, SyntaxError> {
        let start = self.offset;
        while let Some(character) = self.next() {
            if character == end {
                return Ok(self
                    .text
                    .get(start..self.offset - end.len_utf8())
                    .unwrap_or(""));
            }
            if character == '\\' {
                self.next();
            }
        }
        Err(SyntaxError {
            message: format!("SyntaxError: Unclosed delimiter: {end}"),
            offset: self.text.len(),
        })
    }

    fn quoted(&mut self, offset: usize) -> Result<Kind, SyntaxError> {
        let written = self.until('"')?;
        match serde_json::from_str(&format!("\"{written}\"")) {
            Ok(name) => Ok(Kind::Quoted(name)),
            Err(error) => Err(SyntaxError {
                message: format!("invalid quoted identifier: {error}"),
                offset,
            }),
        }
    }

    fn json(&mut self, offset: usize) -> Result<Kind, SyntaxError> {
        let written = self.until('`')?.replace("\\`", "`");
        match serde_json::from_str(&written) {
            Ok(value) => Ok(Kind::Json(value)),
            Err(error) => Err(SyntaxError {
                message: format!("invalid JSON literal: {error}"),
                offset,
            }),
        }
    }

    fn raw(&mut self) -> Result<Kind, SyntaxError> {
        let mut value = String::new();
        while let Some(character) = self.next() {
            match character {
                '\'' => return Ok(Kind::Raw(value)),
                '\\' if self.next_if('\'') => value.push('\''),
                other => value.push(other),
            }
        }
        Err(SyntaxError {
            message: "SyntaxError: Unclosed delimiter: '".to_owned(),
            offset: self.text.len(),
        })
    }
}

/// A character as Go's `QuoteRuneToASCII` writes it.
fn quote(character: char) -> String {
    match character {
        '\'' => "'\\''".to_owned(),
        '\\' => "'\\\\'".to_owned(),
        ' '..='~' => format!("'{character}'"),
        other if u32::from(other) < 0x80 => format!("'\\x{:02x}'", u32::from(other)),
        other if u32::from(other) < 0x1_0000 => format!("'\\u{:04x}'", u32::from(other)),
        other => format!("'\\U{:08x}'", u32::from(other)),
    }
}
