//! The image that `verifyImages` judges, as a name.

use std::cell::OnceCell;

use serde_json::Value;

use crate::evaluation::pod_images::Found;
use crate::evaluation::request_names::image_value;

/// The name.
pub(super) const NAME: &str = "image";

/// What it stands for: made when it is first asked for, as few conditions do.
pub(in crate::evaluation) struct ImageName<'a> {
    found: &'a Found,
    /// None where what was found is no image reference.
    value: OnceCell<Option<Value>>,
}

impl<'a> ImageName<'a> {
    /// Of an image of the object.
    pub(in crate::evaluation) const fn new(found: &'a Found) -> Self {
        Self {
            found,
            value: OnceCell::new(),
        }
    }

    pub(super) fn value(&self) -> Option<&Value> {
        let value = self.value.get_or_init(|| image_value(self.found));
        value.as_ref()
    }
}
