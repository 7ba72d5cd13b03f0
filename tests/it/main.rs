//! End-to-end tests.

#[cfg(test)]
mod demo_content;
mod evidence;
mod expr_oracle;
mod front;
mod tidy;
