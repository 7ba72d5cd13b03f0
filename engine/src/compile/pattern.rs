//! `validate.pattern` as Rego.
use super::scope::Scope;
use crate::ast::pattern::Pattern;
pub(super) fn compile(_scope: &mut Scope, _name: &str, _pattern: &Pattern) {}
pub(super) fn compile_any(_scope: &mut Scope, _patterns: &[Pattern]) {}
