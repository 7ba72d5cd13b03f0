//! DER, element by element: definite lengths, single-byte tags, nothing copied.

/// The tags that certificates are made of.
pub(super) mod tag {
    pub(in super::super) const BOOLEAN: u8 = 0x01;
    pub(in super::super) const INTEGER: u8 = 0x02;
    pub(in super::super) const BIT_STRING: u8 = 0x03;
    pub(in super::super) const OCTET_STRING: u8 = 0x04;
    pub(in super::super) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(in super::super) const UTC_TIME: u8 = 0x17;
    pub(in super::super) const GENERALIZED_TIME: u8 = 0x18;
    pub(in super::super) const SEQUENCE: u8 = 0x30;
    pub(in super::super) const SET: u8 = 0x31;

    /// `[n]`, constructed.
    pub(in super::super) const fn context(number: u8) -> u8 {
        0xa0 | number
    }

    /// `[n]`, primitive.
    pub(in super::super) const fn context_primitive(number: u8) -> u8 {
        0x80 | number
    }
}

/// What is left to be read.
#[derive(Debug, Clone)]
pub(super) struct Reader<'d> {
    rest: &'d [u8],
}

/// One element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'d> {
    pub(super) tag: u8,
    pub(super) content: &'d [u8],
    /// Tag and length included.
    pub(super) whole: &'d [u8],
}

impl<'d> Reader<'d> {
    /// The one element that the bytes are.
    pub(super) fn only(bytes: &'d [u8]) -> Option<Element<'d>> {
        let mut reader = Self { rest: bytes };
        let element = reader.next()?;
        reader.rest.is_empty().then_some(element)
    }

    /// The next element, if it has that tag.
    pub(super) fn next_if(&mut self, tag: u8) -> Option<Element<'d>> {
        if self.rest.first() == Some(&tag) {
            self.next()
        } else {
            None
        }
    }
}

impl<'d> Iterator for Reader<'d> {
    type Item = Element<'d>;

    /// The next element; none at the end, and where the bytes are no DER.
    fn next(&mut self) -> Option<Element<'d>> {
        let (&tag, &first) = (self.rest.first()?, self.rest.get(1)?);
        // A tag of several bytes has no place in a certificate.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let length_bytes = if first < 0x80 {
            0
        } else {
            usize::from(first & 0x7f)
        };
        let mut length = usize::from(first);
        if first >= 0x80 {
            if !(1..=4).contains(&length_bytes) {
                return None;
            }
            let bytes = self.rest.get(2..2 + length_bytes)?;
            length = bytes
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte));
        }
        let start = 2 + length_bytes;
        let end = start.checked_add(length)?;
        let element = Element {
            tag,
            content: self.rest.get(start..end)?,
            whole: self.rest.get(..end)?,
        };
        self.rest = self.rest.get(end..)?;
        Some(element)
    }
}

impl<'d> Element<'d> {
    /// The content, if it has that tag.
    pub(super) fn content_of(&self, tag: u8) -> Option<&'d [u8]> {
        (self.tag == tag).then_some(self.content)
    }

    /// What it consists of.
    pub(super) const fn reader(&self) -> Reader<'d> {
        Reader { rest: self.content }
    }

    /// What it consists of, if it has that tag.
    pub(super) fn inner(&self, tag: u8) -> Option<Reader<'d>> {
        self.content_of(tag).map(|rest| Reader { rest })
    }

    /// The bytes of a bit string that ends with a whole byte, or the bits with what pads them.
    pub(super) fn bit_string(&self) -> Option<&'d [u8]> {
        self.content_of(tag::BIT_STRING)?.get(1..)
    }

    pub(super) fn small_integer(&self) -> Option<i64> {
        let content = self.content_of(tag::INTEGER)?;
        let first = *content.first()?;
        if content.len() > 8 {
            return None;
        }
        let start = if first & 0x80 == 0 { 0 } else { -1 };
        Some(
            content
                .iter()
                .fold(start, |number, byte| number << 8 | i64::from(*byte)),
        )
    }

    /// The numbers of an object identifier.
    pub(super) fn object_identifier(&self) -> Option<Vec<u64>> {
        let mut numbers = Vec::new();
        let mut number: u64 = 0;
        for byte in self.content_of(tag::OBJECT_IDENTIFIER)? {
            number = number.checked_mul(128)? | u64::from(byte & 0x7f);
            if byte & 0x80 != 0 {
                continue;
            }
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.push(first);
                number -= first * 40;
            }
            numbers.push(number);
            number = 0;
        }
        (!numbers.is_empty()).then_some(numbers)
    }
}
