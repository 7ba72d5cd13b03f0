//! What the webhook's paths stand for.

use hyper::{Method, StatusCode};
use regent_engine::evaluation::{Phase, Scope};

#[cfg(test)]
mod tests;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `POST /validate`, `/mutate`, each with `/fail` and `/ignore`.
    Admit(Phase, Scope),
    /// `GET /health/liveness`.
    Liveness,
    /// `GET /health/readiness`.
    Readiness,
}

/// Why a request is for nothing that is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteError {
    /// No such path.
    NotFound,
    /// The path takes this method only.
    Method(&'static str),
}

impl Route {
    /// Reads method and path; a query is the caller's business.
    pub fn read(method: &Method, path: &str) -> Result<Self, RouteError> {
        let route = Self::of_path(path).ok_or(RouteError::NotFound)?;
        let wanted = route.method();
        // A probe may ask for the head alone.
        let accepted = method.as_str() == wanted || (wanted == "GET" && *method == Method::HEAD);
        accepted.then_some(route).ok_or(RouteError::Method(wanted))
    }

    fn of_path(path: &str) -> Option<Self> {
        Some(match path {
            "/validate" => Self::Admit(Phase::Validate, Scope::All),
            "/validate/fail" => Self::Admit(Phase::Validate, Scope::FailurePolicyFail),
            "/validate/ignore" => Self::Admit(Phase::Validate, Scope::FailurePolicyIgnore),
            "/mutate" => Self::Admit(Phase::Mutate, Scope::All),
            "/mutate/fail" => Self::Admit(Phase::Mutate, Scope::FailurePolicyFail),
            "/mutate/ignore" => Self::Admit(Phase::Mutate, Scope::FailurePolicyIgnore),
            "/health/liveness" => Self::Liveness,
            "/health/readiness" => Self::Readiness,
            _ => return None,
        })
    }

    /// The method that it takes.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Admit(..) => "POST",
            Self::Liveness | Self::Readiness => "GET",
        }
    }

    /// Its path, as metrics name it.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Admit(Phase::Validate, Scope::All) => "/validate",
            Self::Admit(Phase::Validate, Scope::FailurePolicyFail) => "/validate/fail",
            Self::Admit(Phase::Validate, Scope::FailurePolicyIgnore) => "/validate/ignore",
            Self::Admit(Phase::Mutate, Scope::All) => "/mutate",
            Self::Admit(Phase::Mutate, Scope::FailurePolicyFail) => "/mutate/fail",
            Self::Admit(Phase::Mutate, Scope::FailurePolicyIgnore) => "/mutate/ignore",
            Self::Liveness => "/health/liveness",
            Self::Readiness => "/health/readiness",
        }
    }
}

impl RouteError {
    /// The HTTP status that says so.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// The text that says so.
    pub fn message(self) -> String {
        match self {
            Self::NotFound => "no such path: POST /validate or /mutate, each also with /fail and /ignore; GET /health/liveness or /health/readiness".to_owned(),
            Self::Method(wanted) => format!("this path takes {wanted} only"),
        }
    }
}
