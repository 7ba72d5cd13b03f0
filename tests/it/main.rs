//! End-to-end tests.

#[cfg(test)]
mod demo_content;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod expr_oracle;
#[cfg(test)]
mod tidy;
