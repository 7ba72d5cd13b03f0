//! What a registry says is about a digest: the referrers API, its pages, and the fallback tag.

use hyper::Method;
use regent_engine::image::Digest;

use super::{Operation, Repository};
use crate::image::fetch::{FetchError, quoted};
use crate::image::oci::{
    Content, Descriptor, MAX_MANIFEST, MAX_PAGES, MAX_REFERRERS, Manifest, OCI_INDEX, evidence_tag,
};
use crate::outbound::Answer;
use crate::outbound::place::Place;

impl Repository<'_> {
    /// Descriptors of the manifests that are said to be about `digest`, by the referrers API, or, where the registry
    /// has none, by the index at its fallback tag.
    ///
    /// Only that a repository has the API is remembered: a registry that says "not found" may mean the repository or the
    /// image, which whoever creates a pod chooses, and the fallback tag, which whoever pushes writes, must not count for
    /// more by that. Where it is not known, both are asked at the same time, and what the API lists counts alone.
    pub async fn referrers(&self, digest: &Digest) -> Result<Vec<Descriptor>, FetchError> {
        let repository = format!("{}/{}", self.endpoint.authority, self.path);
        let known = &self.registries.referrers;
        if known.contains_key(&repository) {
            return match self.referrers_api(digest).await? {
                Some(listed) => Ok(listed),
                None => self.fallback(digest).await,
            };
        }
        let (listed, fallback) = tokio::join!(self.referrers_api(digest), self.fallback(digest));
        let Some(listed) = listed? else {
            return fallback;
        };
        known.insert(repository, ()).await;
        Ok(listed)
    }

    /// Nothing where the registry has no such API.
    async fn referrers_api(&self, digest: &Digest) -> Result<Option<Vec<Descriptor>>, FetchError> {
        self.timed(Operation::Referrers, self.pages(digest)).await
    }

    async fn pages(&self, digest: &Digest) -> Result<Option<Vec<Descriptor>>, FetchError> {
        let first = self.path_of("referrers", digest.as_str());
        let Some((mut listed, mut next)) = self.page(&first, digest).await? else {
            return Ok(None);
        };
        let mut pages = 1;
        let mut bytes = weight(&listed);
        while let Some(path) = next {
            if listed.len() > MAX_REFERRERS || pages == MAX_PAGES || bytes > MAX_MANIFEST {
                return Err(self.too_many(digest));
            }
            let page = self.page(&path, digest).await?;
            let (more, after) = page.ok_or_else(|| self.malformed("lost a page of referrers"))?;
            bytes += weight(&more);
            listed.extend(more);
            next = after;
            pages += 1;
        }
        if listed.len() > MAX_REFERRERS {
            return Err(self.too_many(digest));
        }
        Ok(Some(listed))
    }

    /// One page, and the path of the next.
    async fn page(
        &self,
        path: &str,
        digest: &Digest,
    ) -> Result<Option<(Vec<Descriptor>, Option<String>)>, FetchError> {
        let answer = self.ask(Method::GET, path, OCI_INDEX, MAX_MANIFEST).await?;
        match answer.status.as_u16() {
            200 => {}
            // Registries without the API say so in several ways.
            400 | 404 | 405 | 501 => return Ok(None),
            _ => return Err(self.refusal(&answer, &format!("referrers of {digest}"))),
        }
        let next = self.next_page(&answer).await?;
        match Manifest::read(answer.body, None)?.content {
            Content::Manifests(page) => Ok(Some((page, next))),
            Content::Layers(_) => {
                Err(self.malformed(&format!("sent no index of referrers of {digest}")))
            }
        }
    }

    fn too_many(&self, digest: &Digest) -> FetchError {
        FetchError::TooLarge(format!(
            "{} lists more than {MAX_REFERRERS} referrers of {digest}, or more than {MAX_PAGES} pages or {MAX_MANIFEST} bytes of them",
            quoted(&self.endpoint.name)
        ))
    }

    async fn fallback(&self, digest: &Digest) -> Result<Vec<Descriptor>, FetchError> {
        let manifest = self.tagged(&evidence_tag(digest, "")).await?;
        match manifest.map(|manifest| manifest.content) {
            Some(Content::Manifests(listed)) if listed.len() > MAX_REFERRERS => {
                Err(self.too_many(digest))
            }
            Some(Content::Manifests(listed)) => Ok(listed),
            // Some registries answer with the image itself.
            Some(Content::Layers(_)) | None => Ok(Vec::new()),
        }
    }

    /// The path of the next page, which has to be on the same server.
    async fn next_page(&self, answer: &Answer) -> Result<Option<String>, FetchError> {
        let Some(target) = answer.header("link").and_then(next_link) else {
            return Ok(None);
        };
        let base = self.base().await?;
        match Place::read(target, &base) {
            Some(next) if next.is_same_server(&base) && next.path.starts_with("/v2/") => {
                Ok(Some(next.path))
            }
            _ => Err(FetchError::Redirect(format!(
                "{} names {} as the next page of referrers",
                quoted(&self.endpoint.name),
                quoted(target)
            ))),
        }
    }
}

/// Roughly the bytes of descriptors.
fn weight(listed: &[Descriptor]) -> u64 {
    listed.iter().map(|one| one.weight() as u64).sum()
}

/// The target of `<…>; rel="next"`.
fn next_link(header: &str) -> Option<&str> {
    let (target, parameters) = header.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = parameters
        .split(';')
        .any(|parameter| ["rel=\"next\"", "rel=next"].contains(&parameter.trim()));
    is_next.then_some(target)
}

#[cfg(test)]
mod tests;
