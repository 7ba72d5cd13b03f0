//! Selectors of labels and fields as they are written in a query: `app=web,tier in (a,b),!old`.

use serde_json::Value;

/// What an object must have.
#[derive(Debug)]
pub(super) struct Requirements {
    labels: Vec<Requirement>,
    fields: Vec<Requirement>,
}

#[derive(Debug)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Exists,
    Missing,
    In(Vec<String>),
    /// A key that is not there is well.
    NotIn(Vec<String>),
}

impl Requirements {
    /// Reads both selectors, or says what is wrong with one.
    pub(super) fn parse(labels: &str, fields: &str) -> Result<Self, String> {
        Ok(Self {
            labels: requirements(labels)?,
            fields: requirements(fields)?,
        })
    }

    /// Whether an object has all of it.
    pub(super) fn are_met(&self, object: &Value) -> bool {
        let label = |key: &str| {
            let labels = object.get("metadata")?.get("labels")?;
            labels.get(key)?.as_str().map(str::to_owned)
        };
        let field = |key: &str| {
            let mut value = object;
            for part in key.split('.') {
                value = value.get(part)?;
            }
            Some(
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
            )
        };
        self.labels
            .iter()
            .all(|wanted| wanted.is_met(label(&wanted.key)))
            && self
                .fields
                .iter()
                .all(|wanted| wanted.is_met(field(&wanted.key)))
    }
}

impl Requirement {
    fn is_met(&self, found: Option<String>) -> bool {
        match (&self.test, found) {
            (Test::Exists, found) => found.is_some(),
            (Test::Missing, found) => found.is_none(),
            (Test::In(values), found) => found.is_some_and(|found| values.contains(&found)),
            (Test::NotIn(values), found) => found.is_none_or(|found| !values.contains(&found)),
        }
    }
}

fn requirements(selector: &str) -> Result<Vec<Requirement>, String> {
    parts(selector)
        .into_iter()
        .filter(|part| !part.trim().is_empty())
        .map(|part| requirement(part.trim()))
        .collect()
}

/// At commas that are not in parentheses.
fn parts(selector: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let at_comma = |character: char| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    };
    selector.split(at_comma).collect()
}

fn requirement(part: &str) -> Result<Requirement, String> {
    let (key, test) = if let Some((key, values)) = part.split_once(" notin ") {
        (key, Test::NotIn(list(part, values)?))
    } else if let Some((key, values)) = part.split_once(" in ") {
        (key, Test::In(list(part, values)?))
    } else if let Some((key, value)) = part.split_once("!=") {
        (key, Test::NotIn(vec![value.trim().to_owned()]))
    } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        (key, Test::In(vec![value.trim().to_owned()]))
    } else if let Some(key) = part.strip_prefix('!') {
        (key, Test::Missing)
    } else {
        (part, Test::Exists)
    };
    let key = key.trim();
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Err(format!("`{part}` is no requirement of a selector"));
    }
    Ok(Requirement {
        key: key.to_owned(),
        test,
    })
}

fn list(part: &str, values: &str) -> Result<Vec<String>, String> {
    let inner = values.trim().strip_prefix('(');
    let inner = inner.and_then(|values| values.strip_suffix(')'));
    let inner = inner.ok_or_else(|| format!("`{part}` has no list in parentheses"))?;
    Ok(inner
        .split(',')
        .map(|value| value.trim().to_owned())
        .collect())
}
