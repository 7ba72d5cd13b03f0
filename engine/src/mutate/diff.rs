//! The difference of two objects as a JSON Patch.

use serde_json::Value;

use crate::response::PatchOperation;

/// What has to be done to `old` so that it is `new`.
pub fn diff(old: &Value, new: &Value) -> Vec<PatchOperation> {
    let mut operations = Vec::new();
    compare(old, new, &mut String::new(), &mut operations);
    operations
}

fn compare(old: &Value, new: &Value, path: &mut String, operations: &mut Vec<PatchOperation>) {
    match (old, new) {
        (old, new) if old == new => {}
        (Value::Object(old), Value::Object(new)) => {
            for name in old.keys().filter(|name| !new.contains_key(*name)) {
                let path = below(path, &escaped(name));
                operations.push(PatchOperation::Remove { path });
            }
            for (name, value) in new {
                match old.get(name) {
                    Some(old) => within(path, &escaped(name), |path| {
                        compare(old, value, path, operations);
                    }),
                    None => operations.push(PatchOperation::Add {
                        path: below(path, &escaped(name)),
                        value: value.clone(),
                    }),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => compare_lists(old, new, path, operations),
        (_, new) => operations.push(PatchOperation::Replace {
            path: path.clone(),
            value: new.clone(),
        }),
    }
}

/// Equal elements at both ends stay; those between are compared by index, and what is left over is removed or added.
fn compare_lists(
    old: &[Value],
    new: &[Value],
    path: &mut String,
    operations: &mut Vec<PatchOperation>,
) {
    let same = |pair: &(&Value, &Value)| pair.0 == pair.1;
    let front = old.iter().zip(new).take_while(same).count();
    let (old, new) = (
        old.get(front..).unwrap_or(&[]),
        new.get(front..).unwrap_or(&[]),
    );
    let back = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(same)
        .count();
    let old = old.get(..old.len() - back).unwrap_or(&[]);
    let new = new.get(..new.len() - back).unwrap_or(&[]);
    for (index, (old, new)) in old.iter().zip(new).enumerate() {
        within(path, &(front + index).to_string(), |path| {
            compare(old, new, path, operations);
        });
    }
    let common = old.len().min(new.len());
    // From the back, so that no index moves before its turn.
    for index in (common..old.len()).rev() {
        let path = below(path, &(front + index).to_string());
        operations.push(PatchOperation::Remove { path });
    }
    for (index, value) in new.iter().enumerate().skip(common) {
        operations.push(PatchOperation::Add {
            path: below(path, &(front + index).to_string()),
            value: value.clone(),
        });
    }
}

fn below(path: &str, step: &str) -> String {
    format!("{path}/{step}")
}

fn within(path: &mut String, step: &str, inner: impl FnOnce(&mut String)) {
    let length = path.len();
    path.push('/');
    path.push_str(step);
    inner(path);
    path.truncate(length);
}

/// A name as a step of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
