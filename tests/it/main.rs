//! End-to-end tests.

#[cfg(test)]
mod apply;
#[cfg(test)]
mod bad_input;
mod break_glass;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod command;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod coverage;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod demo_content;
#[cfg(test)]
mod docker_registry;
#[cfg(test)]
mod element_values;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod exceptions;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod expr_oracle;
#[cfg(test)]
mod front;
#[cfg(test)]
mod gatekeeper;
#[cfg(test)]
mod generator;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod image_rules;
#[cfg(test)]
mod jp;
#[cfg(test)]
mod kyverno_flags;
#[cfg(test)]
mod misleading;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod notary;
#[cfg(test)]
mod opa;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod outputs;
#[cfg(test)]
mod pod_security;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod process;
#[cfg(test)]
mod recording;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod rego_module;
#[cfg(test)]
mod rego_test;
#[cfg(test)]
mod serve_command;
#[cfg(test)]
mod server;
#[cfg(test)]
mod stumbles;
#[cfg(test)]
mod templates;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod tuf;
#[cfg(test)]
mod verify_command;
#[cfg(test)]
mod verify_policy;
#[cfg(test)]
mod wasm;
