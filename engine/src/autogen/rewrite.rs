//! `request.object.spec` → `request.object.spec.template.spec`, in every text of a rule that may hold a variable.
//!
//! Kyverno rewrites the rule's JSON as text, so that the words change in messages and literals too.

use crate::ast::condition::{Condition, ConditionBlock, Conditions};
use crate::ast::context::{ApiCall, ApiTarget, ContextEntry, ContextSource};
use crate::ast::foreach::{Foreach, ForeachBody};
use crate::ast::mutate::MutateBody;
use crate::ast::pattern::{Pattern, PatternNode, PatternScalar};
use crate::ast::template::{Part, Template, TemplateValue, Text};
use crate::ast::validate::{Deny, ValidateBody};
use crate::ast::verify_images::VerifyImages;
use crate::ast::{PodPath, Rule, RuleBody};

/// Rewrites the texts of a rule.
pub(super) fn rule(rule: &mut Rule, pod: PodPath) {
    let rewrite = Rewrite::new(pod);
    rewrite.context(&mut rule.context);
    if let Some(preconditions) = &mut rule.preconditions {
        rewrite.conditions(preconditions);
    }
    for (_, value) in &mut rule.report_properties {
        rewrite.text(value);
    }
    match &mut rule.body {
        RuleBody::Validate(validate) => {
            if let Some(message) = &mut validate.message {
                rewrite.text(message);
            }
            match &mut validate.body {
                ValidateBody::Pattern(pattern) => rewrite.pattern(pattern),
                ValidateBody::AnyPattern(patterns) => {
                    for pattern in patterns {
                        rewrite.pattern(pattern);
                    }
                }
                ValidateBody::Deny(deny) => rewrite.deny(deny),
                // It finds the pod by the kind of the resource.
                // No rules are made of those with modules.
                ValidateBody::PodSecurity(_) | ValidateBody::Rego(_) | ValidateBody::Wasm(_) => {}
                ValidateBody::Foreach(blocks) => rewrite.foreach(blocks),
            }
        }
        RuleBody::VerifyImages(entries) => {
            for entry in entries {
                rewrite.verify_images(entry);
            }
        }
        RuleBody::Mutate(mutate) => rewrite.mutate(&mut mutate.body),
        // Nothing is made of rules that generate.
        RuleBody::Generate(_) => {}
    }
}

struct Rewrite {
    words: Vec<(String, String)>,
}

impl Rewrite {
    fn new(pod: PodPath) -> Self {
        let path = pod.fields().join(".");
        let mut words = Vec::new();
        // The order counts: what the first replacement writes must not be found by the second.
        for field in ["spec", "metadata"] {
            for object in ["request.object", "request.oldObject"] {
                words.push((
                    format!("{object}.{field}"),
                    format!("{object}.{path}.{field}"),
                ));
            }
        }
        Self { words }
    }

    fn string(&self, text: &mut String) {
        for (from, to) in &self.words {
            if text.contains(from) {
                *text = text.replace(from, to);
            }
        }
    }

    fn text(&self, text: &mut Text) {
        self.string(&mut text.raw);
        for part in &mut text.parts {
            match part {
                Part::Literal(literal) => self.string(literal),
                Part::Variable(variable) => self.string(&mut variable.expression),
            }
        }
    }

    fn template(&self, template: &mut Template) {
        match &mut template.value {
            TemplateValue::Null | TemplateValue::Bool(_) | TemplateValue::Number(_) => {}
            TemplateValue::Text(text) => self.text(text),
            TemplateValue::List(items) => {
                for item in items {
                    self.template(item);
                }
            }
            TemplateValue::Map(entries) => {
                for (key, value) in entries {
                    self.text(key);
                    self.template(value);
                }
            }
        }
    }

    fn pattern(&self, pattern: &mut Pattern) {
        match &mut pattern.node {
            PatternNode::Map(entries) => {
                for entry in entries {
                    self.string(&mut entry.raw);
                    self.text(&mut entry.key);
                    self.pattern(&mut entry.value);
                }
            }
            PatternNode::List(items) => {
                for item in items {
                    self.pattern(item);
                }
            }
            PatternNode::Scalar(PatternScalar::Text(text)) => self.text(text),
            PatternNode::Scalar(
                PatternScalar::Null | PatternScalar::Bool(_) | PatternScalar::Number(_),
            ) => {}
        }
    }

    fn conditions(&self, conditions: &mut Conditions) {
        match conditions {
            Conditions::List(list) => self.list(list),
            Conditions::Block(block) => self.block(block),
            Conditions::Blocks(blocks) => {
                for block in blocks {
                    self.block(block);
                }
            }
        }
    }

    fn block(&self, block: &mut ConditionBlock) {
        for list in [&mut block.any, &mut block.all].into_iter().flatten() {
            self.list(list);
        }
    }

    fn list(&self, list: &mut [Condition]) {
        for condition in list {
            self.template(&mut condition.key);
            self.template(&mut condition.value);
            if let Some(message) = &mut condition.message {
                self.text(message);
            }
        }
    }

    fn patterns(&self, patterns: &mut [Pattern]) {
        for pattern in patterns {
            self.pattern(pattern);
        }
    }

    fn foreach(&self, blocks: &mut [Foreach]) {
        for block in blocks {
            self.text(&mut block.list);
            self.context(&mut block.context);
            if let Some(preconditions) = &mut block.preconditions {
                self.conditions(preconditions);
            }
            match &mut block.body {
                ForeachBody::Pattern(pattern) => self.pattern(pattern),
                ForeachBody::AnyPattern(patterns) => {
                    self.patterns(patterns);
                }
                ForeachBody::Deny(deny) => self.deny(deny),
                ForeachBody::Foreach(blocks) => self.foreach(blocks),
            }
        }
    }

    fn mutate(&self, body: &mut MutateBody) {
        match body {
            MutateBody::Patch(patch) => self.template(patch.template_mut()),
            // Nothing is made of rules with a module.
            MutateBody::Wasm(_) => {}
            MutateBody::Foreach(blocks) => {
                for block in blocks {
                    self.text(&mut block.list);
                    self.context(&mut block.context);
                    block
                        .preconditions
                        .iter_mut()
                        .for_each(|one| self.conditions(one));
                    self.mutate(&mut block.body);
                }
            }
        }
    }

    fn context(&self, entries: &mut [ContextEntry]) {
        for entry in entries {
            match &mut entry.source {
                ContextSource::Variable {
                    value,
                    jmes_path,
                    default,
                } => {
                    let templates = value.iter_mut().chain(default);
                    templates.for_each(|template| self.template(template));
                    self.texts(jmes_path);
                }
                ContextSource::ConfigMap { name, namespace } => {
                    self.text(name);
                    self.texts(namespace);
                }
                ContextSource::ApiCall(call) => self.api_call(call),
                ContextSource::GlobalReference { name, jmes_path } => {
                    self.text(name);
                    self.texts(jmes_path);
                }
                ContextSource::ImageRegistry {
                    reference,
                    jmes_path,
                    pull_secrets: _,
                } => {
                    self.text(reference);
                    self.texts(jmes_path);
                }
            }
        }
    }

    fn api_call(&self, call: &mut ApiCall) {
        match &mut call.target {
            ApiTarget::Path(path) => self.text(path),
            ApiTarget::Service {
                url,
                headers,
                ca_bundle,
            } => {
                self.text(url);
                for (name, value) in headers {
                    self.text(name);
                    self.text(value);
                }
                self.texts(ca_bundle);
            }
        }
        for (_, template) in &mut call.data {
            self.template(template);
        }
        if let Some(template) = &mut call.default {
            self.template(template);
        }
        self.texts(&mut call.jmes_path);
    }

    fn texts(&self, texts: &mut Option<Text>) {
        if let Some(text) = texts {
            self.text(text);
        }
    }

    fn deny(&self, deny: &mut Deny) {
        if let Some(conditions) = &mut deny.conditions {
            self.conditions(conditions);
        }
    }

    fn verify_images(&self, entry: &mut VerifyImages) {
        for attestation in &mut entry.attestations {
            if let Some(conditions) = &mut attestation.conditions {
                self.conditions(conditions);
            }
        }
        if let Some(validate) = &mut entry.validate {
            if let Some(message) = &mut validate.message {
                self.text(message);
            }
            self.deny(&mut validate.deny);
        }
    }
}
