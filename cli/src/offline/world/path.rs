//! Paths of an API server, as policies write them in `urlPath`.

/// What a path asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ApiPath {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) namespace: Option<String>,
    /// Plural and in lower case.
    pub(super) resource: String,
    pub(super) name: Option<String>,
    pub(super) label_selector: String,
    pub(super) field_selector: String,
}

impl ApiPath {
    /// Reads `/api/v1/namespaces/NAMESPACE/pods/NAME?labelSelector=app=web`; none for what is no path of resources.
    pub(super) fn parse(target: &str) -> Option<Self> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        let group = match segments.next()? {
            "api" => String::new(),
            "apis" => segments.next()?.to_owned(),
            _ => return None,
        };
        let mut parsed = Self {
            group,
            version: segments.next()?.to_owned(),
            ..Self::default()
        };
        let rest: Vec<&str> = segments.collect();
        match rest.as_slice() {
            ["namespaces", namespace, resource, rest @ ..] if rest.len() < 2 => {
                parsed.namespace = Some((*namespace).to_owned());
                parsed.resource = resource.to_lowercase();
                parsed.name = rest.first().map(|name| (*name).to_owned());
            }
            [resource, rest @ ..] if rest.len() < 2 => {
                parsed.resource = resource.to_lowercase();
                parsed.name = rest.first().map(|name| (*name).to_owned());
            }
            _ => return None,
        }
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("labelSelector", value)) => parsed.label_selector = decoded(value),
                Some(("fieldSelector", value)) => parsed.field_selector = decoded(value),
                _ => {}
            }
        }
        Some(parsed)
    }
}

/// Without percent signs and pluses.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let escaped = || {
            let (high, low) = (rest.clone().next()?, rest.clone().nth(1)?);
            let digit = |byte: u8| char::from(byte).to_digit(16);
            u8::try_from(digit(high)? * 16 + digit(low)?).ok()
        };
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => match escaped() {
                Some(escaped) => {
                    bytes.push(escaped);
                    rest.nth(1);
                }
                None => bytes.push(byte),
            },
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
