use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::cluster::access::{Access, Trust};
use crate::metrics::Metrics;
use crate::outbound::place::{Place, Scheme};

pub(in crate::cluster) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn name_of(object: &Value) -> Option<String> {
    object.pointer("/data/is")?.as_str().map(str::to_owned)
}

fn object(name: &str, is: &str, version: u32) -> Value {
    json!({"metadata": {"name": name, "namespace": "n", "resourceVersion": version.to_string()}, "data": {"is": is}})
}

fn event(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}

fn list(items: &[Value], version: u32) -> String {
    json!({"metadata": {"resourceVersion": version.to_string()}, "items": items}).to_string()
}

/// An API server that says one thing after the other, on a connection each, and gives back what it was asked.
pub(in crate::cluster) async fn saying(
    answers: Vec<(u16, String)>,
) -> (Arc<Client>, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let access = Access {
        server: Place {
            scheme: Scheme::Http,
            authority: listener.local_addr().unwrap().to_string(),
            path: String::new(),
        },
        trust: Trust::Platform,
        token: None,
        certificate: None,
        namespace: "default".to_owned(),
    };
    let client = Client::new(access, Metrics::new().unwrap()).unwrap();
    let served = tokio::spawn(async move {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            asked.push(head.lines().next().unwrap_or_default().to_owned());
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    });
    (Arc::new(client), served)
}

/// Waits until the copy is as it should be.
async fn is(followed: &Followed<String>, want: &[(&str, &str)]) {
    let deadline = soon();
    loop {
        let known = |known: &BTreeMap<String, String>| known.clone();
        let known = followed.read(deadline, known).await.unwrap();
        let known: Vec<(&str, &str)> = known
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        if known == want {
            return;
        }
        assert!(Instant::now() < deadline, "{known:?}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Pages, events, a watch that goes on where the last one ended, and a new list where that is not possible.
#[tokio::test]
async fn a_copy_is_what_was_listed_and_what_was_told_since() {
    let first = json!({
        "metadata": {"resourceVersion": "1", "continue": "more"},
        "items": [object("a", "old", 1), {"metadata": {"name": "of-no-interest"}}],
    });
    let told = [
        event("ADDED", &object("c", "new", 5)),
        event("MODIFIED", &object("a", "newer", 6)),
        event("DELETED", &object("b", "old", 7)),
        event("BOOKMARK", &json!({"metadata": {"resourceVersion": "9"}})),
    ];
    let gone = event("ERROR", &json!({"kind": "Status", "code": 410}));
    let (client, served) = saying(vec![
        (200, first.to_string()),
        (200, list(&[object("b", "old", 2)], 4)),
        (200, told.concat()),
        (200, gone),
        (200, list(&[object("z", "again", 20)], 21)),
    ])
    .await;
    let followed: Followed<String> = Followed::start(client, "/api/v1/things".to_owned(), name_of);
    let asked = served.await.unwrap();
    is(&followed, &[("n/z", "again")]).await;
    assert_eq!(asked[0], "GET /api/v1/things?limit=500 HTTP/1.1");
    assert_eq!(
        asked[1],
        "GET /api/v1/things?limit=500&continue=more HTTP/1.1"
    );
    assert!(
        asked[2].contains("watch=true") && asked[2].contains("resourceVersion=4 "),
        "{asked:?}"
    );
    assert!(asked[3].contains("resourceVersion=9 "), "{asked:?}");
    assert!(!asked[4].contains("watch"), "{asked:?}");
}

#[tokio::test]
async fn changes_are_seen_in_their_order() {
    let told = [
        event("ADDED", &object("b", "1", 5)),
        event("MODIFIED", &object("b", "2", 6)),
        event(
            "MODIFIED",
            &json!({"metadata": {"name": "a", "namespace": "n", "resourceVersion": "7"}}),
        ),
    ];
    let (client, served) = saying(vec![
        (200, list(&[object("a", "old", 1)], 4)),
        (200, told.concat()),
    ])
    .await;
    let followed: Followed<String> = Followed::start(client, "/api/v1/things".to_owned(), name_of);
    served.await.unwrap();
    // What lost what was of interest is gone.
    is(&followed, &[("n/b", "2")]).await;
}

#[tokio::test]
async fn what_cannot_be_listed_is_an_error_with_the_reason() {
    let status = json!({"kind": "Status", "message": "things is forbidden"}).to_string();
    let (client, _served) = saying(vec![(403, status)]).await;
    let followed: Followed<String> = Followed::start(client, "/api/v1/things".to_owned(), name_of);
    let error = followed.read(soon(), BTreeMap::len).await.unwrap_err();
    assert!(
        matches!(&error, FetchError::Unauthorized(what) if what == "things is forbidden"),
        "{error}"
    );
}

/// A view is made once of the same objects, and again of others.
#[tokio::test]
async fn a_view_is_made_again_after_a_change_only() {
    let (client, served) = saying(vec![(200, list(&[object("a", "1", 1)], 4))]).await;
    let followed: Followed<String, usize> =
        Followed::start(client, "/api/v1/things".to_owned(), name_of);
    let (first, second) = (|_: &_| 1, |_: &_| 2);
    assert_eq!(followed.view(soon(), first).await.unwrap(), 1);
    served.await.unwrap();
    assert_eq!(followed.view(soon(), second).await.unwrap(), 1);
    followed.kept.change(|kept| drop(kept.remove("n/a")));
    assert_eq!(followed.view(soon(), second).await.unwrap(), 2);
}

/// A copy that nobody has confirmed for too long is no answer.
#[tokio::test]
async fn an_old_copy_is_an_error() {
    let kept = || {
        Arc::new(Kept(RwLock::new(Known {
            objects: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            view: OnceLock::new(),
        })))
    };
    let with = |heard: Option<Instant>, problem: Option<FetchError>| {
        let (tell, state) = watch::channel(State { heard, problem });
        let followed: Followed<String> = Followed {
            path: "/api/v1/things".to_owned(),
            kept: kept(),
            state,
            following: tokio::spawn(async move {
                let _open = tell;
                std::future::pending::<()>().await;
            }),
        };
        async move { followed.read(soon(), BTreeMap::len).await }
    };
    let ago = |time: Duration| Instant::now().checked_sub(time);
    let gone = || Some(FetchError::Unavailable("gone".to_owned()));
    assert_eq!(with(ago(MAX_AGE / 2), gone()).await, Ok(1));
    assert_eq!(
        with(ago(MAX_AGE * 2), gone()).await,
        Err(FetchError::Unavailable("gone".to_owned()))
    );
    assert!(with(ago(MAX_AGE * 2), None).await.is_err());
}
