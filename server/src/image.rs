//! The host's answer to image needs: resolve, look into the cache, fetch, verify.

pub mod artifact;
