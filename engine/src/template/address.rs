//! Texts that are addresses: the path of an API server, the URL of a service.
//!
//! A value that its author put between two slashes is one part of the address, whatever is in it: it cannot end the part, and
//! go on as another object's name, as parameters, or as another host.

use serde_json::Value;

use crate::go_format::{shown, within_text};

/// Why a value cannot stand where it does: more than its part of the address is in it.
pub(super) type Refusal = String;

/// An address as far as it is put together.
#[derive(Debug, Default)]
pub(super) struct Address {
    text: String,
}

impl Address {
    /// Goes on with what the author wrote.
    pub(super) fn written(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Goes on with a value. One that the address begins with may be anything: then it is the author's address.
    pub(super) fn value(&mut self, value: &Value) -> Result<(), Refusal> {
        let text = within_text(value);
        let refused = self.refused();
        let ends = |character: char| refused.contains(character);
        if let Some(character) = text.chars().find(|character| ends(*character))
            && !(self.text == "/apis/" && is_group_version(&text))
        {
            return Err(format!(
                "the text {} has `{character}`, which would end its part of the address",
                shown(&text)
            ));
        }
        self.text.push_str(&text);
        Ok(())
    }

    /// The whole.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// What no value may have where the address goes on.
    fn refused(&self) -> &'static str {
        if self.text.is_empty() {
            return "";
        }
        if self.text.contains('?') {
            return "&#";
        }
        let after_scheme = self.text.split_once("://").map(|(_, rest)| rest);
        match after_scheme {
            Some(authority) if !authority.contains('/') => "/\\?#@:",
            _ => "/\\?#&",
        }
    }
}

/// Whether a text is what an `apiVersion` says, as `apps/v1`: after `/apis/` that is two parts.
fn is_group_version(text: &str) -> bool {
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    text.split_once('/').is_some_and(|(group, version)| {
        !group.is_empty()
            && group.bytes().all(belongs)
            && version.starts_with('v')
            && version.bytes().all(belongs)
    })
}
