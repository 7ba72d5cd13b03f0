//! Timestamp authorities of which only the certificates above the signer's are named: the signer's comes in the token.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regent_server::image::trust::{PUBLIC_SIGSTORE, TrustRoot};
use serde_json::{Value, json};

use super::authority::{Authority, Wrong};
use super::made::{Envelope, Fault, Pki};
use super::stamped::{recorded, refused, with_authority};
use super::{file, judge};

const ENDED: &str = "not valid at the proven time";
const NOT_ALONE: &str = "not for timestamps alone";
const NOT_NAMED: &str = "does not name the certificate";

/// Each with what the refusal says of a signature whose certificate has ended, so that only a timestamp makes it count.
const WRONGS: [(Wrong, &str); 19] = [
    (Wrong::Nothing, ""),
    (Wrong::OtherSignature, "timestamp is of another signature"),
    // Who is not known is not believed, and does not disturb either.
    (Wrong::OtherAuthority, ENDED),
    (Wrong::NothingBrought, ENDED),
    // The same names under another root.
    (Wrong::SameName, "is not one that the authority"),
    (Wrong::Signature, "timestamp does not verify"),
    (Wrong::Digest, "timestamp does not verify"),
    (Wrong::ContentType, "timestamp does not verify"),
    (Wrong::NotATimestamp, "its content is not a timestamp"),
    (Wrong::AfterwardsSigned, ENDED),
    (Wrong::AuthorityEnded, "was not valid at"),
    (Wrong::NoPurpose, NOT_ALONE),
    (Wrong::TwoPurposes, NOT_ALONE),
    (Wrong::PurposeNotCritical, NOT_ALONE),
    (Wrong::OnlyForKeys, NOT_ALONE),
    (Wrong::AuthorityForCode, "is not one that the authority"),
    (Wrong::Issuer, "is not one that the authority"),
    (Wrong::OtherNamed, NOT_NAMED),
    (Wrong::NobodyNamed, NOT_NAMED),
];

/// What becomes of a signature whose certificate has ended, under a root that knows the authority.
fn counts_unless(wrong: Wrong, because: &str, trust: impl Fn(&Pki, &Authority) -> TrustRoot) {
    let (pki, authority) = (Pki::new(Fault::LeafEnded), Authority::bringing(wrong));
    let root = match wrong {
        Wrong::OtherAuthority | Wrong::SameName => {
            trust(&pki, &Authority::bringing(Wrong::Nothing))
        }
        _ => trust(&pki, &authority),
    };
    let mut envelope = Envelope::of(&pki, Fault::LeafEnded);
    envelope.stamp = Some(Box::new(move |signature| authority.token(signature, wrong)));
    let evidence = judge(&envelope.artifacts(false), &root);
    if because.is_empty() {
        assert_eq!(evidence.refused, [], "{wrong:?}");
        assert_eq!(evidence.signatures[0].verified.timestamps.len(), 1);
    } else {
        refused(&evidence, because);
    }
}

#[test]
fn a_token_brings_its_signer_below_a_chain_that_a_policy_names() {
    let above = |pki: &Pki, authority: &Authority| {
        with_authority(&pki.root_pem(), &authority.above()).unwrap()
    };
    for (wrong, because) in WRONGS {
        counts_unless(wrong, because, above);
    }
    // Whoever names the intermediate need not find it in the token.
    counts_unless(Wrong::IntermediateNotBrought, "", above);
    counts_unless(Wrong::IntermediateEnded, "was not valid at", above);
}

#[test]
fn a_token_brings_all_below_a_root_that_a_policy_names() {
    let alone = |pki: &Pki, authority: &Authority| {
        with_authority(&pki.root_pem(), &authority.root()).unwrap()
    };
    for (wrong, because) in WRONGS {
        counts_unless(wrong, because, alone);
    }
    counts_unless(Wrong::IntermediateNotBrought, ENDED, alone);
    counts_unless(
        Wrong::IntermediateEnded,
        "is not one that the authority",
        alone,
    );
}

/// The same where a trust root names it.
#[test]
fn a_token_brings_its_signer_below_a_chain_of_a_trust_root() {
    let by_root = |valid_for: Value| {
        move |pki: &Pki, authority: &Authority| {
            let mut root: Value = serde_json::from_str(PUBLIC_SIGSTORE).unwrap();
            let certificates = authority.certificates().into_iter();
            let certificates: Vec<Value> = certificates
                .map(|der| json!({"rawBytes": STANDARD.encode(der)}))
                .collect();
            let own = json!({
                "uri": "https://stamps.example",
                "certChain": {"certificates": certificates}, "validFor": valid_for.clone(),
            });
            root["timestampAuthorities"]
                .as_array_mut()
                .unwrap()
                .push(own);
            let trust = regent_engine::image::PolicyTrust {
                trust_store: Some(pki.root_pem()),
                ..Default::default()
            };
            let root = TrustRoot::parse(&root.to_string()).unwrap();
            root.with_policy(&trust).unwrap()
        }
    };
    for (wrong, because) in WRONGS {
        counts_unless(
            wrong,
            because,
            by_root(json!({"start": "2020-01-01T00:00:00Z"})),
        );
    }
    let before = by_root(json!({"end": "2024-01-01T00:00:00Z"}));
    counts_unless(
        Wrong::Nothing,
        "`https://stamps.example` was not valid at",
        before,
    );
}

/// A certificate that is named and one that is brought must both be the one that signed.
#[test]
fn a_named_signer_must_be_the_one_that_the_token_names() {
    let whole = |pki: &Pki, authority: &Authority| {
        with_authority(&pki.root_pem(), &authority.chain()).unwrap()
    };
    counts_unless(Wrong::Nothing, "", whole);
    counts_unless(Wrong::NobodyNamed, "", whole);
    counts_unless(Wrong::OtherNamed, NOT_NAMED, whole);
}

/// What `notation` had stamped has the certificates in it: the authority's own need not be named.
#[test]
fn what_notation_had_stamped_counts_below_the_root_of_the_authority() {
    let (artifacts, store) = (recorded(), file("stamped/root.crt"));
    let chain = file("stamped/tsa.crt");
    let (_signer, above) = chain.split_once("-----END CERTIFICATE-----\n").unwrap();
    let evidence = judge(&artifacts, &with_authority(&store, above).unwrap());
    assert_eq!(evidence.signatures.len(), 2, "{:?}", evidence.refused);
    let other = Authority::bringing(Wrong::Nothing).above();
    refused(
        &judge(&artifacts, &with_authority(&store, &other).unwrap()),
        ENDED,
    );
}
