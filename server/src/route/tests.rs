use hyper::Method;
use regent_engine::evaluation::{Phase, Scope};

use super::{Route, RouteError};

#[test]
fn every_path_is_read_and_named_alike() {
    for phase in [Phase::Mutate, Phase::Validate] {
        for scope in [
            Scope::All,
            Scope::FailurePolicyFail,
            Scope::FailurePolicyIgnore,
        ] {
            let route = Route::Admit(phase, scope);
            assert_eq!(Route::read(&Method::POST, route.path()), Ok(route));
            assert_eq!(
                Route::read(&Method::GET, route.path()),
                Err(RouteError::Method("POST"))
            );
        }
    }
    for route in [Route::Liveness, Route::Readiness] {
        assert_eq!(Route::read(&Method::GET, route.path()), Ok(route));
        assert_eq!(Route::read(&Method::HEAD, route.path()), Ok(route));
        assert_eq!(
            Route::read(&Method::POST, route.path()),
            Err(RouteError::Method("GET"))
        );
    }
    for path in [
        "/",
        "/validate/",
        "/validate/other",
        "/VALIDATE",
        "/metrics",
        "//validate",
    ] {
        assert_eq!(
            Route::read(&Method::POST, path),
            Err(RouteError::NotFound),
            "{path}"
        );
    }
}
