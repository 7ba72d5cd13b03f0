//! What a `BreakGlass` must keep to: it names who may use it, it ends, and it ends soon.

use crate::ast::break_glass::BreakGlass;
use crate::ast::matching::{Combination, Filter};
use crate::diagnostic::{Code, Diagnostic};
use crate::duration::Duration;
use crate::image::Digest;

use super::exception::exception;

/// Checks a break-glass, which may be open for `longest` at most. It lets nothing in where there is an error.
pub fn break_glass(written: &BreakGlass, longest: Duration) -> Vec<Diagnostic> {
    let mut found = exception(&written.exception);
    found.extend(anybody(written));
    found.extend(window(written, longest));
    found.extend(movable(written));
    found
}

/// Whoever makes a pod could break the glass that names nobody.
fn anybody(written: &BreakGlass) -> Option<Diagnostic> {
    let matches = &written.exception.matches;
    let mut filters = matches.filters.iter();
    let unnamed = match matches.combination {
        Combination::Any => filters.find(|filter| !filter.names_users())?.span,
        Combination::All if filters.any(Filter::names_users) => return None,
        Combination::All => matches.span,
    };
    let message = "the break-glass is for anybody";
    let help = "name `subjects`, `roles` or `clusterRoles` beside `resources`";
    let source = &written.exception.source;
    Some(Diagnostic::error(Code::MissingField, source, unnamed, message).help(help))
}

fn window(written: &BreakGlass, longest: Duration) -> Option<Diagnostic> {
    let (from, to) = (&written.starts_at.value, &written.expires_at.value);
    let (message, help) = if to.instant() <= from.instant() {
        let message = "the break-glass ends before it starts".to_owned();
        (message, "give an `expiresAt` after `startsAt`")
    } else if to.since(from) > longest {
        let message = format!(
            "the break-glass is open for {}, and may be for {longest}",
            to.since(from)
        );
        (message, "end it earlier; another one can follow")
    } else {
        return None;
    };
    let source = &written.exception.source;
    let span = written.expires_at.span;
    Some(Diagnostic::error(Code::InvalidValue, source, span, message).help(help))
}

/// Images by their tags are let in whatever the tag is moved to meanwhile.
fn movable(written: &BreakGlass) -> impl Iterator<Item = Diagnostic> + '_ {
    let images = written.images.iter();
    let by_tag = images.filter(|image| {
        let digest = image.value.rsplit_once('@').map(|(_, digest)| digest);
        digest.is_none_or(|digest| Digest::parse(digest).is_err())
    });
    by_tag.map(|image| {
        let message = format!(
            "`{}` has no digest: whatever is pushed there meanwhile is let in",
            image.value
        );
        let source = &written.exception.source;
        Diagnostic::warning(Code::MutableTag, source, image.span, message)
            .help("name the image with its digest, `NAME@sha256:...`")
    })
}
