//! Standard base64 as Go decodes it: line breaks are passed over, and so are bits behind the last byte; padding is not.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// What a text stands for; else where Go says that it went wrong.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, usize> {
    let digits: String = text.chars().filter(|one| !is_break(*one)).collect();
    BASE64.decode(digits).map_err(|_error| wrong_byte(text))
}

/// Bytes as base64.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64.encode(bytes)
}

fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n')
}

fn wrong_byte(text: &str) -> usize {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let bytes = text.bytes().enumerate();
    let mut bytes = bytes.filter(|(_, byte)| !is_break(char::from(*byte)));
    // How many digits of a group of four have been read.
    let mut read = 0;
    while let Some((at, byte)) = bytes.next() {
        match (byte, read) {
            (byte, _) if is_digit(byte) => read = (read + 1) % 4,
            (b'=', 2) => match bytes.next() {
                None => return text.len(),
                Some((_, b'=')) => return bytes.next().map_or(text.len(), |(at, _)| at),
                // The place before it, line breaks included.
                Some((after, _)) => return after - 1,
            },
            (b'=', 3) => return bytes.next().map_or(text.len(), |(at, _)| at),
            _ => return at,
        }
    }
    text.len() - read
}

#[cfg(test)]
mod tests {
    use super::decode;

    /// What Go 1.26 says.
    #[test]
    fn mistakes_are_where_go_sees_them() {
        for (text, at) in [
            ("###", 0),
            ("aGVsbG8", 4),
            ("aGVsbG8==", 8),
            ("ab==cd", 4),
            ("ab=", 3),
            ("ab=c", 2),
            ("YQ=\nx", 3),
            ("YQ\n=", 4),
            ("a\nb", 1),
            ("abcdeéfg", 5),
            ("a=bc", 1),
        ] {
            assert_eq!(decode(text), Err(at), "{text}");
        }
        assert_eq!(decode("Y\nR=\n=\n"), Ok(b"a".to_vec()));
    }
}
