use serde_json::json;

use super::*;
use crate::cluster::follow::tests::{saying, soon};

fn resources() -> String {
    let resource = |name: &str| json!({"name": name, "kind": "Ingress", "namespaced": true});
    let resources = [resource("ingresses/status"), resource("ingresses")];
    json!({"kind": "APIResourceList", "resources": resources}).to_string()
}

fn ingress(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "n", "managedFields": [{"manager": "a"}]}})
}

fn list(items: &[Value]) -> String {
    json!({"metadata": {"resourceVersion": "3"}, "items": items}).to_string()
}

const VERSION: &str = "networking.k8s.io/v1";

#[tokio::test]
async fn objects_of_a_kind_are_listed_once_and_watched() {
    let changed = json!({"type": "ADDED", "object": {"metadata": {"name": "b", "namespace": "n", "resourceVersion": "4"}}});
    let (client, served) = saying(vec![
        (200, resources()),
        (200, list(&[ingress("a")])),
        (200, format!("{changed}\n")),
    ])
    .await;
    let inventory = Inventory::new(&client);
    let first = inventory.objects(VERSION, "Ingress", soon()).await.unwrap();
    let named = |name: &str| json!({"apiVersion": VERSION, "kind": "Ingress", "metadata": {"name": name, "namespace": "n"}});
    assert_eq!(first[0], named("a"));
    let asked = served.await.unwrap();
    assert_eq!(asked[0], "GET /apis/networking.k8s.io/v1 HTTP/1.1");
    let path = "GET /apis/networking.k8s.io/v1/ingresses?";
    assert!(
        asked[1].starts_with(path) && asked[2].contains("watch=true"),
        "{asked:?}"
    );
    let deadline = soon();
    loop {
        let now = inventory.objects(VERSION, "Ingress", soon()).await.unwrap();
        if now.as_array().unwrap().len() == 2 {
            assert_eq!(now[1]["metadata"]["name"], "b");
            return;
        }
        assert!(Instant::now() < deadline, "{now}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// An outage, a refusal and an unknown kind are errors, never an inventory without the kind.
#[tokio::test]
async fn what_cannot_be_listed_is_an_error() {
    let forbidden = json!({"kind": "Status", "message": "ingresses is forbidden"}).to_string();
    for (answers, expected) in [
        (vec![(503, "{}".to_owned())], ""),
        (
            vec![(200, resources()), (403, forbidden)],
            "ingresses is forbidden",
        ),
        (vec![(200, resources()), (500, "{}".to_owned())], ""),
        (
            vec![(200, r#"{"resources": []}"#.to_owned())],
            "no kind `Ingress`",
        ),
        (vec![(200, resources()), (200, "no JSON".to_owned())], ""),
    ] {
        let (client, _served) = saying(answers).await;
        let inventory = Inventory::new(&client);
        let error = inventory.objects(VERSION, "Ingress", soon()).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let (client, _served) = saying(Vec::new()).await;
    let inventory = Inventory::new(&client);
    let error = inventory.objects("../v1", "Pod", soon()).await.unwrap_err();
    assert!(matches!(error, FetchError::Malformed(_)), "{error}");
}

#[tokio::test]
async fn more_than_a_request_can_look_at_is_an_error() {
    let many: BTreeMap<String, Kept> = (0..=MAX_OBJECTS)
        .map(|number| {
            let kept = Kept {
                object: json!({}),
                bytes: 2,
            };
            (number.to_string(), kept)
        })
        .collect();
    let large = Kept {
        object: json!({}),
        bytes: MAX_BYTES + 1,
    };
    let large = BTreeMap::from([("a".to_owned(), large)]);
    for known in [many, large] {
        let error = listed(&known, ("v1", "Pod")).unwrap_err();
        assert!(matches!(error, FetchError::TooLarge(_)), "{error}");
    }
}

/// Kinds that nobody asks for any more make room.
#[tokio::test]
async fn kinds_are_bounded() {
    let (client, _served) = saying(Vec::new()).await;
    let inventory = Inventory::new(&client);
    let begin = |number: usize| {
        let key = ("v1".to_owned(), format!("Kind{number}"));
        inventory.begin(key, format!("/api/v1/kind{number}"))
    };
    for number in 0..MAX_KINDS {
        begin(number).unwrap();
    }
    assert!(matches!(begin(MAX_KINDS), Err(FetchError::TooLarge(_))));
    let earlier = Instant::now().checked_sub(UNUSED * 2);
    if let Some(earlier) = earlier {
        inventory
            .kinds
            .lock()
            .unwrap()
            .values_mut()
            .for_each(|begun| begun.used = earlier);
        begin(MAX_KINDS).unwrap();
        assert_eq!(inventory.kinds.lock().unwrap().len(), 1);
    }
}
