//! Several trust roots at once, and which of them a policy means.

use std::sync::Arc;

use super::TrustRoot;

/// The trust roots that the host has, one of them the default.
#[derive(Debug, Clone)]
pub struct TrustRoots {
    default: Arc<TrustRoot>,
    others: Vec<Arc<TrustRoot>>,
}

impl TrustRoots {
    /// One trust root, which is the default.
    pub fn new(default: TrustRoot) -> Self {
        Self {
            default: Arc::new(default),
            others: Vec::new(),
        }
    }

    /// Adds a trust root that policies can choose by the URL of one of its logs or authorities.
    #[must_use]
    pub fn with(mut self, other: TrustRoot) -> Self {
        self.others.push(Arc::new(other));
        self
    }

    /// The same with another default.
    #[must_use]
    pub fn with_default(&self, default: TrustRoot) -> Self {
        Self {
            default: Arc::new(default),
            others: self.others.clone(),
        }
    }

    /// The default.
    pub fn default_root(&self) -> &Arc<TrustRoot> {
        &self.default
    }

    /// All, the default first.
    pub fn all(&self) -> impl Iterator<Item = &Arc<TrustRoot>> {
        std::iter::once(&self.default).chain(&self.others)
    }

    /// The trust root that has a log or an authority with the URL, the default where none is asked for; nothing where no trust root knows the URL.
    pub fn select(&self, rekor_url: Option<&str>) -> Option<&Arc<TrustRoot>> {
        match rekor_url {
            None => Some(&self.default),
            Some(url) => self.all().find(|root| root.has_url(url)),
        }
    }

    /// The URLs of all logs and authorities, for messages and for the diagnostics of policies that name another.
    pub fn urls(&self) -> Vec<String> {
        let mut urls: Vec<String> = self
            .all()
            .flat_map(|root| root.urls())
            .map(str::to_owned)
            .collect();
        urls.sort();
        urls.dedup();
        urls
    }
}
