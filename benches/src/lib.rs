//! What the load generator and the benchmarks share.
//!
//! Nothing here is part of the product; `README.md` has the figures, and says how each is made.

pub mod arrivals;
pub mod child;
pub mod floor;
pub mod load;
pub mod machine;
pub mod numbers;
pub mod pods;
pub mod tls;
pub mod usage;
