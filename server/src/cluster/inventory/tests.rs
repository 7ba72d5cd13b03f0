use regent_engine::evaluation::inventory::document;
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

fn need(api_version: &str, kind: &str) -> InventoryNeed {
    InventoryNeed {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
    }
}

/// The ingresses of the namespace, as modules see them.
fn ingresses(snapshot: &Arc<Snapshot>) -> Value {
    let whole = document(std::slice::from_ref(snapshot)).to_json().unwrap();
    whole["namespace"]["n"][VERSION]["Ingress"].clone()
}

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
    let need = need(VERSION, "Ingress");
    let first = inventory.objects(&need, soon()).await.unwrap();
    let named = |name: &str| json!({"apiVersion": VERSION, "kind": "Ingress", "metadata": {"name": name, "namespace": "n"}});
    assert_eq!(ingresses(&first)["a"], named("a"));
    let asked = served.await.unwrap();
    assert_eq!(asked[0], "GET /apis/networking.k8s.io/v1 HTTP/1.1");
    let path = "GET /apis/networking.k8s.io/v1/ingresses?";
    assert!(
        asked[1].starts_with(path) && asked[2].contains("watch=true"),
        "{asked:?}"
    );
    let deadline = soon();
    loop {
        let now = inventory.objects(&need, soon()).await.unwrap();
        let seen = ingresses(&now);
        if seen.as_object().unwrap().len() == 2 {
            assert_eq!(seen["b"]["metadata"]["name"], "b");
            return;
        }
        assert!(Instant::now() < deadline, "{seen}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What was made for one request, the next one is given.
#[tokio::test]
async fn requests_share_a_snapshot_as_long_as_nothing_changes() {
    let (client, served) = saying(vec![
        (200, resources()),
        (200, list(&[ingress("a"), ingress("b")])),
    ])
    .await;
    let inventory = Inventory::new(&client);
    let need = need(VERSION, "Ingress");
    let first = inventory.objects(&need, soon()).await.unwrap();
    served.await.unwrap();
    let second = inventory.objects(&need, soon()).await.unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(ingresses(&first).as_object().unwrap().len(), 2);
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
        let error = inventory.objects(&need(VERSION, "Ingress"), soon()).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let (client, _served) = saying(Vec::new()).await;
    let inventory = Inventory::new(&client);
    let error = inventory.objects(&need("../v1", "Pod"), soon()).await;
    let error = error.unwrap_err();
    assert!(matches!(error, FetchError::Malformed(_)), "{error}");
}

#[tokio::test]
async fn more_than_a_request_can_look_at_is_an_error() {
    let need = need("v1", "Pod");
    let kept = |bytes: usize| Kept {
        bytes,
        ..keep(&need, &json!({})).unwrap()
    };
    let many: BTreeMap<String, Kept> = (0..=MAX_OBJECTS)
        .map(|number| (number.to_string(), kept(2)))
        .collect();
    let large = BTreeMap::from([("a".to_owned(), kept(MAX_BYTES + 1))]);
    for known in [many, large] {
        let error = snapshot(&need, &known).unwrap_err();
        assert!(matches!(error, FetchError::TooLarge(_)), "{error}");
    }
}

/// Kinds that nobody asks for any more make room.
#[tokio::test]
async fn kinds_are_bounded() {
    let (client, _served) = saying(Vec::new()).await;
    let inventory = Inventory::new(&client);
    let begin = |number: usize| {
        let need = need("v1", &format!("Kind{number}"));
        inventory.begin(&need, format!("/api/v1/kind{number}"))
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
