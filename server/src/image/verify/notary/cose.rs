//! The COSE envelope: a tagged `COSE_Sign1`, of which only what has one reading is taken.

use minicbor::data::{Tag, Type};
use minicbor::decode::Error;
use minicbor::{Decoder, Encoder};

use super::super::refusal::Refusal;
use super::{
    AUTHENTIC_TIME, Algorithm, EXPIRY, Envelope, Headers, MAX_CHAIN, SCHEME, SIGNING_TIME,
    TIMESTAMP,
};

/// How it is stored.
pub(super) const MEDIA_TYPE: &str = "application/cose";

/// The tag of `COSE_Sign1`, and that of a time in seconds since 1970.
const SIGN1: u64 = 18;
const EPOCH: u64 = 1;
/// Labels of the headers that COSE itself has.
const ALGORITHM: i64 = 1;
const CRITICAL: i64 = 2;
const CONTENT_TYPE: i64 = 3;
const CHAIN: i64 = 33;
/// Headers of one map; signers write eight.
const MAX_HEADERS: u64 = 64;

/// Reads an envelope.
pub(super) fn read(bytes: &[u8]) -> Result<Envelope, Refusal> {
    decode(bytes).map_err(|error| Refusal::malformed("signature envelope", &error))
}

fn decode(bytes: &[u8]) -> Result<Envelope, Error> {
    let mut decoder = Decoder::new(bytes);
    if decoder.tag()? != Tag::new(SIGN1) || decoder.array()? != Some(4) {
        return Err(Error::message("it is no tagged COSE_Sign1"));
    }
    let protected = decoder.bytes()?;
    let Unprotected { chain, token } = unprotected(&mut decoder)?;
    let payload = decoder.bytes()?;
    let signature = decoder.bytes()?.to_vec();
    at_end(&decoder, bytes)?;
    let (headers, algorithm) = read_protected(protected)?;
    Ok(Envelope {
        signed: signed(protected, payload)?,
        signature,
        algorithm: algorithm
            .ok_or_else(|| Error::message("it has no algorithm that is allowed"))?,
        chain,
        payload: payload.to_vec(),
        headers,
        token,
    })
}

/// What is signed: the context, the protected headers as they were written, nothing, and the payload.
fn signed(protected: &[u8], payload: &[u8]) -> Result<Vec<u8>, Error> {
    let mut encoder = Encoder::new(Vec::with_capacity(protected.len() + payload.len() + 32));
    let written = encoder
        .array(4)
        .and_then(|encoder| encoder.str("Signature1"))
        .and_then(|encoder| encoder.bytes(protected))
        .and_then(|encoder| encoder.bytes(&[]))
        .and_then(|encoder| encoder.bytes(payload).map(|_| ()));
    written.map_err(|_never| Error::message("it cannot be written again"))?;
    Ok(encoder.into_writer())
}

/// A label: a number or a text.
#[derive(Debug, PartialEq, Eq)]
enum Label<'b> {
    Number(i64),
    Text(&'b str),
}

fn label<'b>(decoder: &mut Decoder<'b>) -> Result<Label<'b>, Error> {
    match decoder.datatype()? {
        Type::String => decoder.str().map(Label::Text),
        _ => decoder.i64().map(Label::Number),
    }
}

/// Goes over the headers of a map, none of which may be there twice.
fn each_header<'b>(
    decoder: &mut Decoder<'b>,
    mut take: impl FnMut(&Label<'b>, &mut Decoder<'b>) -> Result<(), Error>,
) -> Result<Vec<Label<'b>>, Error> {
    let count = decoder.map()?.filter(|count| *count <= MAX_HEADERS);
    let count = count.ok_or_else(|| Error::message("a map of headers without end, or too many"))?;
    let mut seen = Vec::new();
    for _ in 0..count {
        let label = label(decoder)?;
        if seen.contains(&label) {
            return Err(Error::message("a header is there twice"));
        }
        take(&label, decoder)?;
        seen.push(label);
    }
    Ok(seen)
}

fn read_protected(bytes: &[u8]) -> Result<(Headers, Option<Algorithm>), Error> {
    let mut headers = Headers::default();
    let mut algorithm = None;
    let mut decoder = Decoder::new(bytes);
    let seen = each_header(&mut decoder, |label, decoder| {
        match label {
            Label::Number(ALGORITHM) => algorithm = of_number(decoder.i64()?),
            Label::Number(CRITICAL) => headers.critical = critical(decoder)?,
            Label::Number(CONTENT_TYPE) => decoder.str()?.clone_into(&mut headers.content_type),
            Label::Text(SCHEME) => decoder.str()?.clone_into(&mut headers.scheme),
            Label::Text(EXPIRY) => headers.expiry = Some(time(decoder)?),
            Label::Text(SIGNING_TIME) => headers.signing_time = Some(time(decoder)?),
            Label::Text(AUTHENTIC_TIME) => headers.authentic_time = Some(time(decoder)?),
            Label::Number(_) | Label::Text(_) => decoder.skip()?,
        }
        Ok(())
    })?;
    at_end(&decoder, bytes)?;
    let is_there = |name: &String| seen.contains(&Label::Text(name));
    if !headers.critical.iter().all(is_there) {
        return Err(Error::message("a critical header is not there"));
    }
    Ok((headers, algorithm))
}

/// The names of critical headers; a number is none of those that may be named here.
fn critical(decoder: &mut Decoder<'_>) -> Result<Vec<String>, Error> {
    let count = decoder.array()?.filter(|count| *count <= MAX_HEADERS);
    let count =
        count.ok_or_else(|| Error::message("a list of headers without end, or too many"))?;
    (0..count)
        .map(|_| decoder.str().map(str::to_owned))
        .collect()
}

/// What no signature covers.
#[derive(Debug, Default)]
struct Unprotected {
    chain: Vec<Vec<u8>>,
    token: Option<Vec<u8>>,
}

fn unprotected(decoder: &mut Decoder<'_>) -> Result<Unprotected, Error> {
    let mut read = Unprotected::default();
    each_header(decoder, |label, decoder| {
        match label {
            Label::Number(CHAIN) => read.chain = certificates(decoder)?,
            Label::Text(TIMESTAMP) => read.token = Some(decoder.bytes()?.to_vec()),
            Label::Number(_) | Label::Text(_) => decoder.skip()?,
        }
        Ok(())
    })?;
    Ok(read)
}

/// One certificate alone, or several in a list.
fn certificates(decoder: &mut Decoder<'_>) -> Result<Vec<Vec<u8>>, Error> {
    if decoder.datatype()? == Type::Bytes {
        return Ok(vec![decoder.bytes()?.to_vec()]);
    }
    let count = decoder.array()?.filter(|count| *count <= MAX_CHAIN as u64);
    let count =
        count.ok_or_else(|| Error::message("a chain without end, or of too many certificates"))?;
    (0..count)
        .map(|_| decoder.bytes().map(<[u8]>::to_vec))
        .collect()
}

fn time(decoder: &mut Decoder<'_>) -> Result<u64, Error> {
    if decoder.tag()? != Tag::new(EPOCH) {
        return Err(Error::message("a time is not in seconds since 1970"));
    }
    decoder.u64()
}

fn of_number(number: i64) -> Option<Algorithm> {
    Some(match number {
        -7 => Algorithm::Es256,
        -35 => Algorithm::Es384,
        -36 => Algorithm::Es512,
        -37 => Algorithm::Ps256,
        -38 => Algorithm::Ps384,
        -39 => Algorithm::Ps512,
        _ => return None,
    })
}

fn at_end(decoder: &Decoder<'_>, bytes: &[u8]) -> Result<(), Error> {
    if decoder.position() == bytes.len() {
        Ok(())
    } else {
        Err(Error::message("there is something behind its end"))
    }
}
