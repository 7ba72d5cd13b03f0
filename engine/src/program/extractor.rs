//! Where resources of other kinds keep images.

use std::sync::Arc;

use crate::ast;
use crate::jmespath::Expression;

/// One place of images in resources of one kind.
#[derive(Debug)]
pub struct ImageExtractor {
    /// The kind of the resources.
    pub kind: String,
    /// Fields that lead to what holds an image; `*` is every element of a list or map.
    pub path: Vec<String>,
    /// The field of it that is the image.
    pub value: String,
    /// The field of it that names it.
    pub key: Option<String>,
    /// The list below `images` that it is in.
    pub name: String,
    /// What makes the image of the text.
    pub expression: Option<Arc<Expression>>,
}

impl ImageExtractor {
    /// Of what was written; none where its expression is none, which is refused when it is read.
    pub fn of(written: &ast::extractor::ImageExtractor) -> Option<Self> {
        let expression = match &written.jmes_path {
            None => None,
            Some(text) => Some(Arc::new(Expression::parse(&text.value).ok()?)),
        };
        Some(Self {
            kind: written.kind.clone(),
            path: written.path.clone(),
            value: written.value.clone(),
            key: written.key.clone(),
            name: written.name.clone(),
            expression,
        })
    }
}
