//! Modules that policies ask, where there is no server.

use std::path::PathBuf;
use std::sync::Arc;

use regent_engine::diagnostic::{Code, Diagnostic};
use regent_engine::load::Loaded;
use regent_server::guests::{GuestSettings, Guests};
use regent_server::image::module::RemoteModules;

/// Finds and compiles the modules that policies ask; nothing is started where they ask none.
pub fn prepare(loaded: &mut Loaded, remote: Option<Arc<RemoteModules>>) -> Option<Arc<Guests>> {
    let set = Arc::clone(&loaded.policies);
    let (policy, _, _) = set.guests().next()?;
    match Guests::start(settings(remote)) {
        Ok(guests) => {
            guests.prepare(loaded);
            Some(guests)
        }
        Err(error) => {
            let message = format!("modules cannot be run here: {error}");
            let span = policy.ast.name.span;
            let source = &policy.ast.source;
            let diagnostic = Diagnostic::error(Code::UnusableModule, source, span, message);
            loaded.diagnostics.push(diagnostic);
            None
        }
    }
}

/// Where modules come from, and where they are kept compiled: the user's own folder for what can be made again.
pub fn settings(remote: Option<Arc<RemoteModules>>) -> GuestSettings {
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let caches = caches.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    GuestSettings {
        cache: caches.map(|folder| folder.join("regent").join("modules")),
        remote,
    }
}
