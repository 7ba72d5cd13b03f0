use std::sync::atomic::AtomicUsize;

use regent_engine::image::Projected;
use regent_engine::image::evidence::{Format, LogEntry, Signer, Verification, VerifiedSignature};
use serde_json::Value;

use super::*;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

fn digest() -> Digest {
    Digest::from_sha256([7; 32])
}

fn key(repository: &str) -> EvidenceKey {
    EvidenceKey::new(digest(), repository.to_owned(), "root".to_owned(), &[])
}

fn evidence(signed: bool) -> Evidence {
    let verified = Verification {
        signer: Signer::Key {
            spki_sha256: "aa".to_owned(),
        },
        format: Format::Bundle,
        carrier: String::new(),
        log_entries: Vec::<LogEntry>::new(),
        timestamps: Vec::new(),
    };
    let signature = VerifiedSignature {
        verified,
        annotations: Value::Null,
        payload: Value::Null,
    };
    Evidence {
        digest: digest(),
        trust_root: "root".to_owned(),
        signatures: Vec::from_iter(signed.then_some(signature)),
        statements: Vec::new(),
        refused: Vec::new(),
        has_unread: false,
        fetched_at: 0,
        projected: Projected::default(),
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

#[tokio::test]
async fn verifies_once_and_lets_others_wait() {
    let cache = EvidenceCache::new(&CacheSettings::default());
    let metrics = Metrics::new().unwrap();
    let (calls, gate) = (AtomicUsize::new(0), Semaphore::new(0));
    let verify = || async {
        calls.fetch_add(1, Ordering::Relaxed);
        drop(gate.acquire().await);
        Ok(evidence(true))
    };
    let get = || cache.get_or_verify(key("a"), soon(), &metrics, verify);
    let open = async { gate.add_permits(9) };
    let (first, second, third, ()) = tokio::join!(get(), get(), get(), open);
    assert!(Arc::ptr_eq(&first.unwrap(), &second.unwrap()));
    third.unwrap();
    get().await.unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    let text = String::from_utf8(metrics.render().unwrap()).unwrap();
    let counts: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("cache") && !line.starts_with('#'))
        .collect();
    let ends = |end: &str| counts.iter().filter(|line| line.ends_with(end)).count();
    assert_eq!((ends(" 1"), ends(" 2")), (2, 1), "{counts:?}");
}

/// An outage is an outage each time; that there was nothing counts for a while, and no longer.
#[tokio::test]
async fn that_there_was_nothing_is_remembered_for_a_while() {
    let metrics = Metrics::new().unwrap();
    let outage = || async { Err(FetchError::Unavailable("gone".to_owned())) };
    let nothing = || async { Ok(evidence(false)) };
    let something = || async { Ok(evidence(true)) };
    let settings = CacheSettings {
        max_absence: Duration::from_millis(300),
        ..CacheSettings::default()
    };
    let cache = EvidenceCache::new(&settings);
    let get = async |verify: &dyn Fn() -> BoxFuture<'static, Result<Evidence, FetchError>>| {
        cache
            .get_or_verify(key("a"), soon(), &metrics, verify)
            .await
    };
    for _ in 0..2 {
        assert!(get(&|| outage().boxed()).await.is_err());
    }
    assert!(
        get(&|| nothing().boxed())
            .await
            .unwrap()
            .signatures
            .is_empty()
    );
    assert!(
        get(&|| something().boxed())
            .await
            .unwrap()
            .signatures
            .is_empty()
    );
    assert!(
        get(&|| outage().boxed())
            .await
            .unwrap()
            .signatures
            .is_empty()
    );
    let text = String::from_utf8(metrics.render().unwrap()).unwrap();
    assert!(
        text.contains("regent_image_cache_absences_total 2"),
        "{text}"
    );
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(
        get(&|| something().boxed()).await.unwrap().signatures.len(),
        1
    );
    // Whoever was refused and asks on purpose is not told what was a moment ago.
    cache.forget(&key("a")).await;
    get(&|| nothing().boxed()).await.unwrap();
    cache.forget(&key("a")).await;
    assert!(get(&|| outage().boxed()).await.is_err());
}

#[tokio::test]
async fn remembers_neither_errors_nor_nothing_where_nothing_may_be() {
    let cache = EvidenceCache::new(&CacheSettings {
        max_absence: Duration::ZERO,
        ..CacheSettings::default()
    });
    let metrics = Metrics::new().unwrap();
    let outage = || async { Err(FetchError::Unavailable("gone".to_owned())) };
    let nothing = || async { Ok(evidence(false)) };
    let something = || async { Ok(evidence(true)) };
    let down = cache
        .get_or_verify(key("a"), soon(), &metrics, outage)
        .await;
    assert!(matches!(down, Err(FetchError::Unavailable(_))));
    let none = cache
        .get_or_verify(key("a"), soon(), &metrics, nothing)
        .await;
    assert!(none.unwrap().signatures.is_empty());
    let some = cache
        .get_or_verify(key("a"), soon(), &metrics, something)
        .await;
    assert_eq!(some.unwrap().signatures.len(), 1);
    let still = cache
        .get_or_verify(key("a"), soon(), &metrics, outage)
        .await;
    assert_eq!(still.unwrap().signatures.len(), 1);
    cache.forget(&key("a")).await;
    let gone = cache
        .get_or_verify(key("a"), soon(), &metrics, outage)
        .await;
    assert!(gone.is_err());
}

#[tokio::test]
async fn keeps_apart_whatever_verification_depended_on() {
    let cache = EvidenceCache::new(&CacheSettings::default());
    let metrics = Metrics::new().unwrap();
    let something = || async { Ok(evidence(true)) };
    let outage = || async { Err(FetchError::Unavailable("gone".to_owned())) };
    cache
        .get_or_verify(key("a"), soon(), &metrics, something)
        .await
        .unwrap();
    let named = |pem: &str| PublicKey {
        pem: pem.to_owned(),
        spki_sha256: "same".to_owned(),
        hash: regent_engine::image::HashAlgorithm::Sha256,
        certificate: None,
    };
    let others = [
        key("b"),
        EvidenceKey::new(Digest::from_sha256([8; 32]), "a".into(), "root".into(), &[]),
        EvidenceKey::new(digest(), "a".into(), "another".into(), &[]),
        EvidenceKey::new(digest(), "a".into(), "root".into(), &[named("key")]),
    ];
    for other in others {
        let got = cache.get_or_verify(other, soon(), &metrics, outage).await;
        assert!(got.is_err());
    }
}

#[tokio::test]
async fn a_wait_outlives_the_first_ones_deadline() {
    let cache = EvidenceCache::new(&CacheSettings::default());
    let metrics = Metrics::new().unwrap();
    let (calls, gate) = (AtomicUsize::new(0), Semaphore::new(0));
    let verify = || async {
        if calls.fetch_add(1, Ordering::Relaxed) == 0 {
            drop(gate.acquire().await);
            return Err(FetchError::Timeout("the first one's".to_owned()));
        }
        Ok(evidence(true))
    };
    let get = || cache.get_or_verify(key("a"), soon(), &metrics, verify);
    let open = async { gate.add_permits(1) };
    let (first, second, ()) = tokio::join!(get(), get(), open);
    assert!(matches!(first, Err(FetchError::Timeout(_))));
    second.unwrap();
}

#[test]
fn weighs_what_is_large() {
    let mut large = evidence(true);
    let small = weight(&large);
    large.signatures[0].annotations = serde_json::json!({"a": "x".repeat(1 << 20), "b": [1, 2, 3]});
    assert!(weight(&large) > small + (1 << 20));
}

/// When another trust root is in force, nothing that was verified under the last one takes memory any more.
#[tokio::test]
async fn all_is_forgotten_when_it_is_cleared() {
    let cache = EvidenceCache::new(&CacheSettings::default());
    let metrics = Metrics::new().unwrap();
    let calls = AtomicUsize::new(0);
    for signed in [true, false] {
        let verify = || async {
            calls.fetch_add(1, Ordering::Relaxed);
            Ok(evidence(signed))
        };
        let name = if signed { "signed" } else { "unsigned" };
        let get = async || {
            let got = cache.get_or_verify(key(name), soon(), &metrics, verify);
            got.await.unwrap()
        };
        let before = calls.load(Ordering::Relaxed);
        get().await;
        get().await;
        assert_eq!(calls.load(Ordering::Relaxed), before + 1, "{name}");
        cache.clear();
        assert!(cache.get(&key(name)).await.is_none());
        get().await;
        assert_eq!(calls.load(Ordering::Relaxed), before + 2, "{name}");
    }
}
