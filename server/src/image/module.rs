//! Modules of policies in registries: an artifact with one layer, which is the module.

use std::time::Duration;

use bytes::Bytes;
use regent_engine::image::{Digest, ImageReference};
use regent_engine::wasm::bounds;
use tokio::time::{Instant, timeout_at};

use super::fetch::{FetchError, quoted};
use super::layout::Layouts;
use super::oci::{Content, Descriptor, MAX_MANIFEST, Manifest};
use super::registry::Registries;
use super::{ImageSettings, Network};
use crate::metrics::Metrics;

/// Time for one module: policies are loaded beside requests, and nobody waits.
const TIME: Duration = Duration::from_mins(1);

/// The layer's media types: Kubewarden's and the CNCF's, and what is pushed without saying.
const LAYERS: [&str; 3] = [
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/wasm",
    "application/octet-stream",
];

/// Fetches a module, or says why not. Waits for the network: not to be called where others wait.
pub(crate) fn pull(settings: &ImageSettings, reference: &str) -> Result<Vec<u8>, String> {
    let image = ImageReference::parse(reference).map_err(|error| error.to_string())?;
    let fetch = || -> Result<Bytes, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let deadline = Instant::now() + TIME;
        let fetched = runtime
            .block_on(async { timeout_at(deadline, find(settings, &image, deadline)).await });
        match fetched {
            Ok(found) => found.map_err(|error| error.to_string()),
            Err(_elapsed) => Err(format!("{} was not fetched in time", quoted(reference))),
        }
    };
    // A thread of its own: whoever loads policies may be inside of another runtime.
    let fetched = std::thread::scope(|scope| scope.spawn(fetch).join());
    match fetched {
        Ok(found) => found.map(Vec::from),
        Err(_panicked) => Err("internal error".to_owned()),
    }
}

async fn find(
    settings: &ImageSettings,
    image: &ImageReference,
    deadline: Instant,
) -> Result<Bytes, FetchError> {
    let layouts = Layouts::open(&settings.layouts)
        .map_err(|error| FetchError::Malformed(error.to_string()))?;
    // A digest resolves to itself, whoever has it.
    if let Some(digest) = layouts.resolve(image)?
        && layouts.has(&digest).await
    {
        let layer = layer(&layouts.manifest(&digest).await?)?;
        return layouts.blob(&layer.0, layer.1).await;
    }
    let Network::Registries(network) = &settings.network else {
        return Err(FetchError::NotFound("no layout has it".to_owned()));
    };
    let metrics = Metrics::new().map_err(|error| FetchError::Unavailable(error.to_string()))?;
    let registries = Registries::new(network, metrics)
        .map_err(|error| FetchError::Unavailable(error.to_string()))?;
    let repository = registries.repository(image, &[], deadline);
    let digest = match &image.digest {
        Some(digest) => digest.clone(),
        // The policy says what the bytes must be, so a tag that moves is an error and nothing else.
        None => {
            repository
                .resolve(image.tag.as_deref().unwrap_or("latest"))
                .await?
        }
    };
    let layer = layer(&repository.manifest(&digest, MAX_MANIFEST).await?)?;
    repository.blob(&layer.0, layer.1).await
}

/// The one layer that is a module.
fn layer(manifest: &Manifest) -> Result<(Digest, u64), FetchError> {
    let Content::Layers(layers) = &manifest.content else {
        return Err(FetchError::Malformed(
            "it is an index, not a module".to_owned(),
        ));
    };
    let is_module = |layer: &&Descriptor| LAYERS.contains(&layer.media_type.as_str());
    let mut layers = layers.iter().filter(is_module);
    let (Some(layer), None) = (layers.next(), layers.next()) else {
        return Err(FetchError::Malformed(
            "it has not one layer that is a module".to_owned(),
        ));
    };
    if layer.size > bounds::MODULE as u64 {
        let message = format!(
            "it is {} bytes large, and {} is the most",
            layer.size,
            bounds::MODULE
        );
        return Err(FetchError::TooLarge(message));
    }
    Ok((layer.digest()?, layer.size))
}
