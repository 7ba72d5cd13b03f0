//! `validate` rules.
