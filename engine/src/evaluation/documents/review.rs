//! The request as modules see it that somebody else wrote.

use serde_json::{Value, json};

use crate::admission::{AdmissionRequest, Operation};
use crate::rego::evaluate::Document;

use super::super::request_names::reviewed_fields;
use super::{Documents, resource};

impl Documents {
    /// What modules of others see: the request as the admission review has it, as `request`, and as Gatekeeper has it, as
    /// `review`, where the object of a deletion is the one that goes away.
    pub(in crate::evaluation) fn review(
        &self,
        request: &AdmissionRequest,
        parameters: &Document,
    ) -> Document {
        let review = Document::from_json(&head(request));
        let object = |object: Option<&Value>| match object {
            // Converted already, where it is the one that rules are about.
            Some(object) if resource(request).is_some_and(|one| std::ptr::eq(one, object)) => {
                self.resource().clone()
            }
            Some(object) => Document::from_json(object),
            None => Document::null(),
        };
        let old = object(request.old_object.as_deref());
        let new = object(request.object.as_deref());
        let with = |object: Document| {
            let objects = Document::object([("object", object), ("oldObject", old.clone())]);
            review.with_fields_of(&objects)
        };
        let is_deleted = request.operation == Operation::Delete;
        let reviewed = if is_deleted { old.clone() } else { new.clone() };
        Document::object([
            ("parameters", parameters.clone()),
            ("request", with(new)),
            ("review", with(reviewed)),
        ])
    }
}

/// The request as in the admission review, without its objects.
fn head(request: &AdmissionRequest) -> Value {
    let mut fields = reviewed_fields(request);
    fields.entry("userInfo").or_insert_with(|| json!({}));
    let sub_resource = fields.get("subResource").cloned();
    let written = [
        ("requestSubResource", sub_resource),
        ("options", request.options.clone()),
    ];
    let written = written.into_iter();
    fields.extend(written.filter_map(|(name, field)| Some((name.to_owned(), field?))));
    Value::Object(fields)
}
