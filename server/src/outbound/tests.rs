use std::str::FromStr as _;

use super::place::Scheme;
use super::*;
use crate::image::registry::tls;

/// Whoever owns a name decides where it points.
#[tokio::test]
async fn names_that_point_here_are_refused_where_others_chose_them() {
    let localhost = || Name::from_str("localhost").unwrap();
    let refused = Resolver::Guarded.call(localhost()).await.unwrap_err();
    assert!(refused.to_string().contains("this machine"), "{refused}");
    assert!(
        Resolver::Anywhere
            .call(localhost())
            .await
            .unwrap()
            .next()
            .is_some()
    );
}

/// Spellings of loopback that only the resolver understands, and literals that never reach it.
#[tokio::test]
async fn addresses_of_this_machine_are_not_connected_to() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let wire = Wire::new(tls::verified(&[]).unwrap(), Resolver::Guarded);
    for host in [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
    ] {
        let call = Call {
            method: Method::GET,
            place: Place {
                scheme: Scheme::Http,
                authority: format!("{host}:{port}"),
                path: "/".to_owned(),
            },
            reach: Reach::Guarded,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            max: 1,
            deadline: Instant::now() + Duration::from_secs(5),
            patience: Patience::Retry,
            room: None,
        };
        let answer = tokio::select! {
            answer = wire.send(&call) => answer,
            accepted = listener.accept() => panic!("{host} was connected to: {accepted:?}"),
        };
        assert!(answer.is_err(), "{host}");
    }
}
