//! The extensions of certificates and of requests.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value, json};

use super::names::{attribute_of, push};
use super::reader::{Element, Reader, tag};
use super::{bytes, object_identifier};

/// An extension as it is written.
#[derive(Debug, Clone)]
pub(super) struct Extension<'d> {
    identifier: Vec<u64>,
    critical: bool,
    value: &'d [u8],
}

impl<'d> Extension<'d> {
    /// The extensions of a sequence of them.
    pub(super) fn list(element: &Element<'d>) -> Option<Vec<Self>> {
        element
            .inner(tag::SEQUENCE)?
            .map(|extension| Self::read(&extension))
            .collect()
    }

    fn read(element: &Element<'d>) -> Option<Self> {
        let mut fields = element.inner(tag::SEQUENCE)?;
        let identifier = fields.next()?.object_identifier()?;
        let critical = fields
            .next_if(tag::BOOLEAN)
            .is_some_and(|flag| flag.content != [0]);
        let value = fields.next()?.content_of(tag::OCTET_STRING)?;
        Some(Self {
            identifier,
            critical,
            value,
        })
    }

    /// All of them, undecoded.
    pub(super) fn raw_list(extensions: &[Self]) -> Value {
        let mut list = Value::Null;
        for Self {
            identifier,
            critical,
            value,
        } in extensions
        {
            push(
                &mut list,
                json!({"Id": object_identifier(identifier), "Critical": critical, "Value": bytes(value)}),
            );
        }
        list
    }
}

/// Key usages that Go numbers, in the order of their numbers.
const KEY_USAGES: [&[u64]; 14] = [
    &[2, 5, 29, 37, 0],
    &[1, 3, 6, 1, 5, 5, 7, 3, 1],
    &[1, 3, 6, 1, 5, 5, 7, 3, 2],
    &[1, 3, 6, 1, 5, 5, 7, 3, 3],
    &[1, 3, 6, 1, 5, 5, 7, 3, 4],
    &[1, 3, 6, 1, 5, 5, 7, 3, 5],
    &[1, 3, 6, 1, 5, 5, 7, 3, 6],
    &[1, 3, 6, 1, 5, 5, 7, 3, 7],
    &[1, 3, 6, 1, 5, 5, 7, 3, 8],
    &[1, 3, 6, 1, 5, 5, 7, 3, 9],
    &[1, 3, 6, 1, 4, 1, 311, 10, 3, 3],
    &[2, 16, 840, 1, 113_730, 4, 1],
    &[1, 3, 6, 1, 4, 1, 311, 2, 1, 22],
    &[1, 3, 6, 1, 4, 1, 311, 61, 1, 1],
];

/// What Go's certificate says of its extensions.
pub(super) fn of_certificate(extensions: &[Extension<'_>]) -> Option<Map<String, Value>> {
    let mut fields = alternative_names(extensions)?;
    for name in [
        "UnhandledCriticalExtensions",
        "ExtKeyUsage",
        "UnknownExtKeyUsage",
        "SubjectKeyId",
        "AuthorityKeyId",
        "OCSPServer",
        "IssuingCertificateURL",
        "PermittedDNSDomains",
        "ExcludedDNSDomains",
        "PermittedIPRanges",
        "ExcludedIPRanges",
        "PermittedEmailAddresses",
        "ExcludedEmailAddresses",
        "PermittedURIDomains",
        "ExcludedURIDomains",
        "CRLDistributionPoints",
        "PolicyIdentifiers",
        "Policies",
        "PolicyMappings",
    ] {
        fields.insert(name.to_owned(), Value::Null);
    }
    for name in [
        "BasicConstraintsValid",
        "IsCA",
        "MaxPathLenZero",
        "PermittedDNSDomainsCritical",
        "InhibitAnyPolicyZero",
        "InhibitPolicyMappingZero",
        "RequireExplicitPolicyZero",
    ] {
        fields.insert(name.to_owned(), Value::Bool(false));
    }
    for name in [
        "KeyUsage",
        "MaxPathLen",
        "InhibitAnyPolicy",
        "InhibitPolicyMapping",
        "RequireExplicitPolicy",
    ] {
        fields.insert(name.to_owned(), Value::from(0));
    }
    for extension in extensions {
        one(extension, &mut fields)?;
    }
    Some(fields)
}

fn one(extension: &Extension<'_>, fields: &mut Map<String, Value>) -> Option<()> {
    let content = Reader::only(extension.value);
    match extension.identifier.as_slice() {
        [2, 5, 29, 14] => set(
            fields,
            "SubjectKeyId",
            bytes(content?.content_of(tag::OCTET_STRING)?),
        ),
        [2, 5, 29, 15] => set(
            fields,
            "KeyUsage",
            Value::from(key_usage(content?.bit_string()?)),
        ),
        // Alternative names are read for requests, too.
        [2, 5, 29, 17] => {}
        [2, 5, 29, 19] => basic_constraints(&content?, fields)?,
        [2, 5, 29, 30] => name_constraints(&content?, extension.critical, fields)?,
        [2, 5, 29, 31] => distribution_points(&content?, fields)?,
        [2, 5, 29, 32] => {
            for policy in content?.inner(tag::SEQUENCE)? {
                let identifier = policy.inner(tag::SEQUENCE)?.next()?.object_identifier()?;
                append(fields, "PolicyIdentifiers", object_identifier(&identifier));
                let dotted: Vec<String> = identifier.iter().map(u64::to_string).collect();
                append(fields, "Policies", Value::String(dotted.join(".")));
            }
        }
        [2, 5, 29, 35] => {
            if let Some(key) = content?
                .inner(tag::SEQUENCE)?
                .next_if(tag::context_primitive(0))
            {
                set(fields, "AuthorityKeyId", bytes(key.content));
            }
        }
        [2, 5, 29, 36] => policy_constraints(&content?, fields)?,
        [2, 5, 29, 37] => extended_key_usage(&content?, fields)?,
        [2, 5, 29, 54] => skip_count(fields, "InhibitAnyPolicy", content?.content)?,
        [1, 3, 6, 1, 5, 5, 7, 1, 1] => authority_access(&content?, fields)?,
        other if extension.critical => append(
            fields,
            "UnhandledCriticalExtensions",
            object_identifier(other),
        ),
        _ => {}
    }
    Some(())
}

fn set(fields: &mut Map<String, Value>, name: &str, value: Value) {
    fields.insert(name.to_owned(), value);
}

fn append(fields: &mut Map<String, Value>, name: &str, item: Value) {
    push(fields.entry(name).or_insert(Value::Null), item);
}

/// Bits from the left, as Go numbers them from the right.
fn key_usage(bits: &[u8]) -> u32 {
    (0..9_u32)
        .filter(|bit| {
            let byte = usize::try_from(bit / 8)
                .ok()
                .and_then(|byte| bits.get(byte));
            byte.is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0)
        })
        .map(|bit| 1 << bit)
        .sum()
}

fn basic_constraints(element: &Element<'_>, fields: &mut Map<String, Value>) -> Option<()> {
    let mut constraints = element.inner(tag::SEQUENCE)?;
    let authority = constraints
        .next_if(tag::BOOLEAN)
        .is_some_and(|flag| flag.content != [0]);
    let length = match constraints.next_if(tag::INTEGER) {
        Some(length) => length.small_integer()?,
        None => -1,
    };
    set(fields, "BasicConstraintsValid", Value::Bool(true));
    set(fields, "IsCA", Value::Bool(authority));
    set(fields, "MaxPathLen", Value::from(length));
    set(fields, "MaxPathLenZero", Value::Bool(length == 0));
    Some(())
}

fn extended_key_usage(element: &Element<'_>, fields: &mut Map<String, Value>) -> Option<()> {
    for usage in element.inner(tag::SEQUENCE)? {
        let identifier = usage.object_identifier()?;
        match KEY_USAGES.iter().position(|known| *known == identifier) {
            Some(number) => append(fields, "ExtKeyUsage", Value::from(number)),
            None => append(fields, "UnknownExtKeyUsage", object_identifier(&identifier)),
        }
    }
    Some(())
}

fn authority_access(element: &Element<'_>, fields: &mut Map<String, Value>) -> Option<()> {
    for description in element.inner(tag::SEQUENCE)? {
        let mut parts = description.inner(tag::SEQUENCE)?;
        let method = parts.next()?.object_identifier()?;
        let Some(url) = parts.next_if(tag::context_primitive(6)) else {
            continue;
        };
        match method.as_slice() {
            [1, 3, 6, 1, 5, 5, 7, 48, 1] => append(fields, "OCSPServer", text(&url)),
            [1, 3, 6, 1, 5, 5, 7, 48, 2] => append(fields, "IssuingCertificateURL", text(&url)),
            _ => {}
        }
    }
    Some(())
}

fn distribution_points(element: &Element<'_>, fields: &mut Map<String, Value>) -> Option<()> {
    for point in element.inner(tag::SEQUENCE)? {
        let Some(name) = point.inner(tag::SEQUENCE)?.next_if(tag::context(0)) else {
            continue;
        };
        let Some(full_name) = name.reader().next_if(tag::context(0)) else {
            continue;
        };
        for url in full_name
            .reader()
            .filter(|name| name.tag == tag::context_primitive(6))
        {
            append(fields, "CRLDistributionPoints", text(&url));
        }
    }
    Some(())
}

fn policy_constraints(element: &Element<'_>, fields: &mut Map<String, Value>) -> Option<()> {
    let mut constraints = element.inner(tag::SEQUENCE)?;
    for (number, name) in [(0, "RequireExplicitPolicy"), (1, "InhibitPolicyMapping")] {
        if let Some(count) = constraints.next_if(tag::context_primitive(number)) {
            skip_count(fields, name, count.content)?;
        }
    }
    Some(())
}

/// How many certificates may be skipped, and whether that is none.
fn skip_count(fields: &mut Map<String, Value>, name: &str, content: &[u8]) -> Option<()> {
    let count = content.iter().try_fold(0_i64, |count, byte| {
        count.checked_mul(256).map(|count| count | i64::from(*byte))
    })?;
    set(fields, name, Value::from(count));
    set(fields, &format!("{name}Zero"), Value::Bool(count == 0));
    Some(())
}

fn name_constraints(
    element: &Element<'_>,
    critical: bool,
    fields: &mut Map<String, Value>,
) -> Option<()> {
    if critical {
        set(fields, "PermittedDNSDomainsCritical", Value::Bool(true));
    }
    for list in element.inner(tag::SEQUENCE)? {
        let side = if list.tag == tag::context(0) {
            "Permitted"
        } else {
            "Excluded"
        };
        for subtree in list.reader() {
            let base = subtree.inner(tag::SEQUENCE)?.next()?;
            let (name, value) = match base.tag & 0x1f {
                1 => ("EmailAddresses", text(&base)),
                2 => ("DNSDomains", text(&base)),
                6 => ("URIDomains", text(&base)),
                7 => ("IPRanges", address_range(base.content)?),
                _ => continue,
            };
            append(fields, &format!("{side}{name}"), value);
        }
    }
    Some(())
}

fn address_range(content: &[u8]) -> Option<Value> {
    let (network, mask) = content.split_at_checked(content.len() / 2)?;
    Some(json!({"IP": address(network)?, "Mask": bytes(mask)}))
}

fn address(content: &[u8]) -> Option<Value> {
    let shown = match content.len() {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(content).ok()?).to_string(),
        16 => Ipv6Addr::from(<[u8; 16]>::try_from(content).ok()?).to_string(),
        _ => return None,
    };
    Some(Value::String(shown))
}

fn text(element: &Element<'_>) -> Value {
    Value::String(String::from_utf8_lossy(element.content).into_owned())
}

/// The alternative names of the subject, each list null where there is none.
pub(super) fn alternative_names(extensions: &[Extension<'_>]) -> Option<Map<String, Value>> {
    let mut fields = Map::new();
    for name in ["DNSNames", "EmailAddresses", "IPAddresses", "URIs"] {
        fields.insert(name.to_owned(), Value::Null);
    }
    for extension in extensions
        .iter()
        .filter(|extension| extension.identifier == [2, 5, 29, 17])
    {
        for name in Reader::only(extension.value)?.inner(tag::SEQUENCE)? {
            match name.tag & 0x1f {
                1 => append(&mut fields, "EmailAddresses", text(&name)),
                2 => append(&mut fields, "DNSNames", text(&name)),
                6 => append(
                    &mut fields,
                    "URIs",
                    url(std::str::from_utf8(name.content).ok()?),
                ),
                7 => append(&mut fields, "IPAddresses", address(name.content)?),
                _ => {}
            }
        }
    }
    Some(fields)
}

/// A URL taken apart as Go's `url.URL`.
fn url(text: &str) -> Value {
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = rest.split_once(':').unwrap_or(("", rest));
    let (authority, opaque, path) = match rest.strip_prefix("//") {
        Some(rest) => {
            let at = rest.find('/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at_checked(at).unwrap_or((rest, ""));
            (authority, "", path)
        }
        None if rest.starts_with('/') => ("", "", rest),
        None => ("", rest, ""),
    };
    let (user, host) = match authority.rsplit_once('@') {
        Some((_, host)) => (json!({}), host),
        None => (Value::Null, authority),
    };
    json!({
        "Scheme": scheme.to_ascii_lowercase(), "Opaque": opaque, "User": user, "Host": host, "Path": path,
        "Fragment": fragment, "RawQuery": query, "RawPath": "", "RawFragment": "", "ForceQuery": false, "OmitHost": false,
    })
}

/// The attributes of a request, and the extensions that it asks for.
pub(super) fn of_request<'d>(attributes: &Element<'d>) -> Option<(Value, Vec<Extension<'d>>)> {
    const EXTENSION_REQUEST: &[u64] = &[1, 2, 840, 113_549, 1, 9, 14];
    let mut shown = Value::Null;
    let mut extensions = Vec::new();
    for attribute in attributes.reader() {
        let mut parts = attribute.inner(tag::SEQUENCE)?;
        let identifier = parts.next()?.object_identifier()?;
        let values = parts.next()?.inner(tag::SET)?;
        if let Some(sets) = attribute_sets(values.clone()) {
            push(
                &mut shown,
                json!({"Type": object_identifier(&identifier), "Value": sets}),
            );
        }
        if identifier == EXTENSION_REQUEST {
            for list in values {
                extensions.extend(Extension::list(&list)?);
            }
        }
    }
    Some((shown, extensions))
}

/// Values that are sequences of attributes, as those of an extension request are; others Go leaves out.
fn attribute_sets(values: Reader<'_>) -> Option<Value> {
    let set = |element: Element<'_>| -> Option<Value> {
        element
            .inner(tag::SEQUENCE)?
            .map(|attribute| {
                let (identifier, value) = attribute_of(&attribute)?;
                Some(json!({"Type": object_identifier(&identifier), "Value": value}))
            })
            .collect()
    };
    values.map(set).collect()
}
