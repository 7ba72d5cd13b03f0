//! `imageExtractors`: where resources of other kinds keep images.

use crate::source::{Span, Spanned};

/// One place of images in resources of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageExtractor {
    /// Where it was written.
    pub span: Span,
    /// The kind of the resources.
    pub kind: String,
    /// `path`: fields that lead to what holds an image; `*` is every element of a list or map.
    pub path: Vec<String>,
    /// `value`: the field of it that is the image.
    pub value: String,
    /// `key`: the field of it that names it; its place where it was not written.
    pub key: Option<String>,
    /// `name`: the list below `images` that it is in; `custom` where it was not written.
    pub name: String,
    /// `jmesPath`: makes the image of the text.
    pub jmes_path: Option<Spanned<String>>,
}
