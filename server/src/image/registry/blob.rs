//! Blobs, and the redirects to the stores that hold them.

use bytes::Bytes;
use hyper::Method;
use hyper::header::HeaderMap;
use regent_engine::image::Digest;

use super::{Operation, Repository, auth};
use crate::image::fetch::{FetchError, quoted};
use crate::image::oci::digest_of;
use crate::outbound::place::{Place, Reach, Scheme};
use crate::outbound::{Answer, Call};

/// Redirects of one blob; stores use one.
const MAX_REDIRECTS: usize = 4;

impl Repository<'_> {
    /// A blob, whose size is known; digest and size are checked.
    pub async fn blob(&self, digest: &Digest, size: u64) -> Result<Bytes, FetchError> {
        let contents = &self.registries.contents;
        if let Some(known) = contents.blob(self.place(), digest).await
            && known.len() as u64 == size
        {
            return Ok(known);
        }
        let fetch = async {
            let answer = self
                .follow(&self.path_of("blobs", digest.as_str()), size)
                .await?;
            if answer.status.as_u16() != 200 {
                return Err(self.refusal(&answer, &format!("the blob {digest}")));
            }
            let (got, length) = (digest_of(&answer.body), answer.body.len());
            if length as u64 != size || got != *digest {
                return Err(FetchError::Malformed(format!(
                    "{} was asked for the blob {digest} of {size} bytes and sent {length} bytes with the digest {got}",
                    quoted(&self.endpoint.name)
                )));
            }
            Ok(answer.body)
        };
        let blob = self.timed(Operation::Blob, fetch).await?;
        contents.keep_blob(self.place(), digest, &blob).await;
        Ok(blob)
    }

    /// Asks for a blob and follows redirects, without credentials where they leave the registry.
    async fn follow(&self, path: &str, max: u64) -> Result<Answer, FetchError> {
        let mut answer = self.ask(Method::GET, path, "*/*", max).await?;
        let base = self.base().await?;
        let mut from = Place {
            path: path.to_owned(),
            ..base.clone()
        };
        for _ in 0..MAX_REDIRECTS {
            if ![301, 302, 303, 307, 308].contains(&answer.status.as_u16()) {
                return Ok(answer);
            }
            let (place, reach) = self.redirect(&answer, &base, &from)?;
            answer = if place.is_same_server(&base) {
                self.ask(Method::GET, &place.path, "*/*", max).await?
            } else {
                let call = Call {
                    method: Method::GET,
                    place: place.clone(),
                    reach,
                    headers: HeaderMap::new(),
                    body: Bytes::new(),
                    max,
                    deadline: self.deadline,
                    patience: self.patience,
                    room: None,
                };
                self.registries.transport.send(&call).await?
            };
            from = place;
        }
        Err(FetchError::Redirect(format!(
            "{} redirects a blob more than {MAX_REDIRECTS} times",
            quoted(&self.endpoint.name)
        )))
    }

    fn redirect(
        &self,
        answer: &Answer,
        base: &Place,
        from: &Place,
    ) -> Result<(Place, Reach), FetchError> {
        let location = answer.header("location").unwrap_or_default();
        let refused = |why: &str| {
            FetchError::Redirect(format!(
                "{} redirects a blob to {}, {why}",
                quoted(&self.endpoint.name),
                quoted(location)
            ))
        };
        let place = Place::read(location, from).ok_or_else(|| refused("which is no usable URL"))?;
        if from.scheme == Scheme::Https && place.scheme == Scheme::Http {
            return Err(refused("from https to http"));
        }
        let reach = auth::reach_of(&self.endpoint, base, &place);
        if reach == Reach::Guarded && place.is_local() {
            return Err(refused("which is this machine or its link"));
        }
        Ok((place, reach))
    }
}

#[cfg(test)]
mod tests;
