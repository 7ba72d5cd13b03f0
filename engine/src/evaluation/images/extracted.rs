//! Images in resources whose kinds only a policy knows, by its `imageExtractors`.

use serde_json::{Map, Value, json};

use super::Found;
use crate::evaluation::request_names::image_value;
use crate::jmespath::Environment;
use crate::limits;
use crate::program::extractor::ImageExtractor;

/// The images that extractors for a kind find in an object, beside those in `known` places.
///
/// What cannot be read is an error: an image that is not seen is not verified.
pub(super) fn find(
    extractors: &[ImageExtractor],
    (kind, object): (&str, &Value),
    environment: &Environment,
    mut known: Vec<Found>,
) -> Result<Vec<Found>, String> {
    for extractor in extractors.iter().filter(|one| one.kind == kind) {
        let mut search = Search {
            extractor,
            environment,
            found: &mut known,
        };
        search.descend(object, &extractor.path, "")?;
    }
    if known.len() > limits::IMAGES {
        return Err(format!(
            "the object has more than {} images",
            limits::IMAGES
        ));
    }
    Ok(known)
}

/// `images` as conditions of attestations see it where extractors are about a kind: what they find, by their lists. None
/// where they find nothing, and it is what it is elsewhere.
pub(super) fn named(
    extractors: &[ImageExtractor],
    about: (&str, &Value),
    environment: &Environment,
) -> Result<Option<Value>, String> {
    let mut lists = Map::new();
    for found in find(extractors, about, environment, Vec::new())? {
        // One that is no image is an error of the rule, whatever its conditions say.
        let Some(image) = image_value(&found) else {
            continue;
        };
        let list = lists
            .entry(found.list.into_owned())
            .or_insert_with(|| json!({}));
        if let Value::Object(list) = list {
            list.insert(found.name, image);
        }
    }
    Ok((!lists.is_empty()).then_some(Value::Object(lists)))
}

struct Search<'a> {
    extractor: &'a ImageExtractor,
    environment: &'a Environment,
    found: &'a mut Vec<Found>,
}

impl Search<'_> {
    /// Follows the rest of the path from a value at a place.
    fn descend(&mut self, value: &Value, path: &[String], at: &str) -> Result<(), String> {
        let Some((step, rest)) = path.split_first() else {
            return self.take(value, at);
        };
        match (step.as_str(), value) {
            (_, Value::Null) => Ok(()),
            ("*", Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.descend(item, rest, &format!("{at}/{index}"))?;
                }
                Ok(())
            }
            ("*", Value::Object(fields)) => {
                for (name, field) in fields {
                    self.descend(field, rest, &format!("{at}/{}", escaped(name)))?;
                }
                Ok(())
            }
            (name, Value::Object(fields)) => match fields.get(name) {
                Some(field) => self.descend(field, rest, &format!("{at}/{}", escaped(name))),
                None => Ok(()),
            },
            (name, Value::Array(items)) => {
                let item = name.parse().ok().and_then(|index: usize| items.get(index));
                match item {
                    Some(item) => self.descend(item, rest, &format!("{at}/{name}")),
                    None => Err(format!("`{at}` is a list, and has no `{name}`")),
                }
            }
            _ => Err(format!("`{at}` is neither a map nor a list")),
        }
    }

    fn take(&mut self, holder: &Value, at: &str) -> Result<(), String> {
        let extractor = self.extractor;
        let text = match holder {
            Value::Null => return Ok(()),
            Value::Object(fields) => match fields.get(&extractor.value) {
                None | Some(Value::Null) => return Ok(()),
                Some(Value::String(text)) if text.is_empty() => return Ok(()),
                Some(Value::String(text)) => text,
                Some(_) => return Err(format!("`{at}/{}` is not a text", extractor.value)),
            },
            _ => return Err(format!("what `{at}` holds is not a map")),
        };
        let pointer = format!("{at}/{}", escaped(&extractor.value));
        let image = self.image(text)?;
        // One text may name several images, each found by an extractor of its own.
        let is_known = |known: &Found| known.pointer == pointer && known.text == image;
        if self.found.iter().any(is_known) {
            return Ok(());
        }
        let name = extractor.key.as_ref().and_then(|key| holder.get(key));
        let name = name.and_then(Value::as_str);
        let name = name.map_or_else(|| pointer.clone(), str::to_owned);
        self.found.push(Found {
            text: image,
            written: text.clone(),
            pointer,
            list: extractor.name.clone().into(),
            name,
        });
        Ok(())
    }

    /// The image that a text stands for.
    fn image(&self, text: &str) -> Result<String, String> {
        let Some(expression) = &self.extractor.expression else {
            return Ok(text.to_owned());
        };
        let value = Value::String(text.to_owned());
        match expression.evaluate(&value, self.environment) {
            Ok(image) => match image.as_str() {
                Some(image) if !image.is_empty() => Ok(image.to_owned()),
                _ => Err("`jmesPath` of an extractor gives no text".to_owned()),
            },
            Err(error) => Err(format!("`jmesPath` of an extractor: {error}")),
        }
    }
}

/// A name as a step of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
