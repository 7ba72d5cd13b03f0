//! End-to-end tests.

mod expr_oracle;
mod tidy;
