//! What of a statement is not as `slsa` demands.

use crate::ast::verify_images::{Attestation, Slsa as Demand};
use crate::builders::{Builder, BuilderSigner, Builders};
use crate::evaluation::builder_id;
use crate::image::VerifiedImage;
use crate::image::evidence::{CertificateIdentity, Signer, VerifiedStatement};
use crate::image::slsa::{SUMMARY_V1, Slsa};
use crate::wildcard;

/// What is missing first; none where everything is as demanded.
pub(super) fn missing(
    attestation: &Attestation,
    statement: &VerifiedStatement,
    (builders, image): (&Builders, Option<&VerifiedImage>),
) -> Option<String> {
    let demand = attestation.slsa.as_ref()?;
    let Some(said) = Slsa::of(statement) else {
        return Some("it is no SLSA provenance".to_owned());
    };
    if attestation.predicate_type.value == SUMMARY_V1 {
        return of_summary(demand, &said, image);
    }
    if let Some(text) = &said.inconsistency {
        return Some(format!("the provenance names {text}"));
    }
    let builder = builder_id(statement);
    let builder = builder.as_deref().unwrap_or("nothing");
    unbound(statement, builder, builders)
        .or_else(|| of_builder(demand, builder))
        .or_else(|| of_level(demand, (statement, builder), builders, &said))
        .or_else(|| {
            let parts = [
                ("source", &demand.source, &said.source),
                ("ref", &demand.git_ref, &said.git_ref),
                ("workflow", &demand.workflow, &said.workflow),
            ];
            parts.into_iter().find_map(|(what, wanted, seen)| {
                let wanted = wanted.as_ref()?.value.as_str();
                let matches = |seen: &String| wildcard::matches(wanted, seen);
                if seen.as_ref().is_some_and(matches) {
                    return None;
                }
                let seen = seen.as_deref().unwrap_or("nothing");
                Some(format!("built from {what} {seen}, wanted {wanted}"))
            })
        })
}

fn of_summary(demand: &Demand, said: &Slsa, image: Option<&VerifiedImage>) -> Option<String> {
    if !said.passed {
        return Some("the verification that it sums up did not pass".to_owned());
    }
    if let Some(text) = of_resource(demand, said, image) {
        return Some(text);
    }
    let level = demand.level.as_ref()?.value;
    let best = said.levels.iter().max().copied().unwrap_or(0);
    (best < u64::from(level)).then(|| format!("SLSA level {best} was verified, wanted {level}"))
}

/// That a summary is about something else than the image, or than what the policy names instead.
fn of_resource(demand: &Demand, said: &Slsa, image: Option<&VerifiedImage>) -> Option<String> {
    let is_about = match &demand.resource_uri {
        Some(wanted) => {
            let uri = said.resource_uri.as_deref();
            uri.is_some_and(|uri| wildcard::matches(&wanted.value, uri))
        }
        None => said
            .resource()
            .zip(image)
            .is_some_and(|(one, image)| one.names(image.reference(), image.digest())),
    };
    let uri = said.resource_uri.as_deref().unwrap_or("nothing");
    let wanted = match &demand.resource_uri {
        Some(wanted) => format!("wanted {}", wanted.value),
        None => "not this image".to_owned(),
    };
    (!is_about).then(|| format!("the resource that it is about is {uri}, {wanted}"))
}

fn of_builder(demand: &Demand, builder: &str) -> Option<String> {
    let mut wanted = demand.builders.iter().map(|one| one.value.as_str());
    if demand.builders.is_empty() || wanted.any(|wanted| wildcard::matches(wanted, builder)) {
        return None;
    }
    let wanted: Vec<&str> = demand
        .builders
        .iter()
        .map(|one| one.value.as_str())
        .collect();
    Some(format!(
        "built by {builder}, wanted {}",
        wanted.join(" or ")
    ))
}

fn of_level(
    demand: &Demand,
    (statement, builder): (&VerifiedStatement, &str),
    builders: &Builders,
    said: &Slsa,
) -> Option<String> {
    let level = demand.level.as_ref()?.value;
    let known = |certificate: &CertificateIdentity| {
        let entries = builders.entries.iter().filter(|known| {
            let signs = known.signer == BuilderSigner::Caller
                || certificate.subjects.iter().any(|one| one == builder);
            signs && is_known(known, builder, certificate)
        });
        entries.map(|known| known.level).max()
    };
    let best = match &statement.verified.signer {
        Signer::Certificate(certificate) => known(certificate),
        Signer::Key { .. } => None,
    };
    match best {
        None => Some(format!(
            "no SLSA level is known for builder {builder}, wanted {level}"
        )),
        Some(best) if best < level => Some(format!(
            "builder {builder} is good for SLSA level {best}, wanted {level}"
        )),
        Some(_) if said.self_hosted && level > 2 => Some(format!(
            "a self-hosted machine is good for SLSA level 2, wanted {level}"
        )),
        Some(_) => None,
    }
}

/// That the signer is not the builder's, where that is so.
fn unbound(statement: &VerifiedStatement, builder: &str, builders: &Builders) -> Option<String> {
    let Signer::Certificate(certificate) = &statement.verified.signer else {
        return None;
    };
    let own = certificate.subjects.iter().any(|one| one == builder);
    let called = builders.entries.iter().any(|known| {
        known.signer == BuilderSigner::Caller && is_known(known, builder, certificate)
    });
    (!own && !called).then(|| {
        let signer = certificate.subjects.join(", ");
        format!("provenance names builder {builder}, but is signed by {signer}")
    })
}

fn is_known(known: &Builder, builder: &str, certificate: &CertificateIdentity) -> bool {
    let claims = |(oid, value): &(String, String)| certificate.extensions.get(oid) == Some(value);
    wildcard::matches(&known.id, builder)
        && known.issuer == certificate.issuer
        && known.claims.iter().all(claims)
}
