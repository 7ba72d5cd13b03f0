use bytes::Bytes;
use hyper::header::HeaderMap;

use super::*;
use crate::outbound::room::Taken;

#[test]
fn a_server_that_fails_in_a_row_is_left_alone_and_asked_again_by_one() {
    let mut state = State::default();
    let start = Instant::now();
    for _ in 1..FAILURES {
        assert_eq!(state.failed(start, false), None);
    }
    assert_eq!(state.may_ask(start, Claim::Probe), Ok(false));
    assert_eq!(state.failed(start, false), Some(Change::Opened));
    assert_eq!(state.may_ask(start, Claim::Not), Err(FIRST_REST));
    // One that was under way already changes nothing.
    assert_eq!(state.failed(start + FIRST_REST / 2, false), None);

    let later = start + FIRST_REST;
    assert_eq!(state.may_ask(later, Claim::Not), Ok(true));
    assert_eq!(state.may_ask(later, Claim::Probe), Ok(true));
    assert!(state.may_ask(later, Claim::Probe).is_err(), "one asks");
    state.probing = false;
    assert_eq!(state.failed(later, true), None);
    assert_eq!(state.may_ask(later, Claim::Not), Err(FIRST_REST * 2));
    let mut now = later;
    for _ in 0..10 {
        now += LONGEST_REST;
        assert_eq!(state.may_ask(now, Claim::Not), Ok(true));
        state.failed(now, true);
    }
    assert_eq!(state.may_ask(now, Claim::Not), Err(LONGEST_REST));
    assert_eq!(state.answered(), Some(Change::Closed));
    assert_eq!(state.may_ask(now, Claim::Not), Ok(false));
    assert_eq!(state.answered(), None);
}

fn server() -> Server {
    Server::new("registry.example".to_owned(), 1, Metrics::new().unwrap())
}

fn answer(status: u16) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        taken: Taken::default(),
    }
}

async fn ask(server: &Server, outcome: Result<Answer, FetchError>) -> Result<(), FetchError> {
    let turn = server
        .turn(Instant::now() + Duration::from_secs(10))
        .await?;
    turn.ended(&outcome);
    Ok(())
}

#[tokio::test]
async fn what_is_no_outage_does_not_count() {
    let server = server();
    let error = |error: fn(String) -> FetchError| Err(error(String::new()));
    for _ in 0..3 * FAILURES {
        ask(&server, Ok(answer(401))).await.unwrap();
        ask(&server, error(FetchError::Malformed)).await.unwrap();
        // There was too little time to answer.
        let turn = server.turn(Instant::now() + FAIR / 2).await.unwrap();
        turn.ended(&error(FetchError::Timeout));
    }
    for _ in 1..FAILURES {
        ask(&server, error(FetchError::Unavailable)).await.unwrap();
    }
    ask(&server, Ok(answer(200))).await.unwrap();
    for _ in 0..FAILURES {
        ask(&server, Ok(answer(502))).await.unwrap();
    }
    let refused = ask(&server, Ok(answer(200))).await.unwrap_err();
    assert!(refused.is_outage(), "{refused}");
    assert!(
        refused.to_string().contains("5 times in a row"),
        "{refused}"
    );
}

#[tokio::test]
async fn requests_wait_for_each_other_until_their_deadline() {
    let server = server();
    let far = Instant::now() + Duration::from_mins(1);
    let mut turns = Vec::new();
    for _ in 0..MAX_IN_FLIGHT {
        turns.push(server.turn(far).await.unwrap());
    }
    let soon = Instant::now() + Duration::from_millis(50);
    let late = server.turn(soon).await.unwrap_err();
    assert!(matches!(late, FetchError::Timeout(_)), "{late}");
    turns.pop();
    assert!(server.turn(far).await.is_ok());
}
