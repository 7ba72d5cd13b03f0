//! Conditions that surely hold, or surely do not, as statements.

use crate::ast::condition::{Condition, ConditionBlock, Conditions};
use crate::program;
use crate::rego::module::{Expression, Statement};

use super::super::condition::{constant_operand, operator_text};
use super::{Slots, within};

/// Which answer is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    True,
    False,
}

impl Wanted {
    const fn text(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
        }
    }
}

/// How the conditions of a list are taken together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Any,
    All,
}

type Both<'a> = (&'a Conditions, &'a program::Conditions);

/// Statements that hold only where the answer of conditions is the one wanted; none where that cannot be written so.
pub(super) fn compile(slots: &mut Slots, both: Both<'_>, wanted: Wanted) -> Option<Vec<Statement>> {
    let mut body = Body {
        slots,
        statements: Vec::new(),
        lists: 0,
    };
    match both {
        (Conditions::List(written), program::Conditions::List(compiled)) => {
            body.list((written, compiled), Of::All, wanted)?;
        }
        (Conditions::Block(written), program::Conditions::Block(compiled)) => {
            body.block((written, compiled), wanted)?;
        }
        (Conditions::Blocks(written), program::Conditions::Blocks(compiled)) => {
            // One that does not hold is enough, but none of several must.
            if wanted == Wanted::False && written.len() != 1 {
                return None;
            }
            for both in written.iter().zip(compiled) {
                body.block(both, wanted)?;
            }
        }
        _ => return None,
    }
    Some(body.statements)
}

struct Body<'a> {
    slots: &'a mut Slots,
    statements: Vec<Statement>,
    lists: usize,
}

impl Body<'_> {
    fn block(
        &mut self,
        (written, compiled): (&ConditionBlock, &program::ConditionBlock),
        wanted: Wanted,
    ) -> Option<()> {
        let any = written.any.as_deref().zip(compiled.any.as_deref());
        let all = written.all.as_deref().zip(compiled.all.as_deref());
        // One part that does not hold is enough, but neither of two must.
        if wanted == Wanted::False && any.is_some() == all.is_some() {
            return None;
        }
        if let Some(any) = any {
            self.list(any, Of::Any, wanted)?;
        }
        if let Some(all) = all {
            self.list(all, Of::All, wanted)?;
        }
        Some(())
    }

    fn list(
        &mut self,
        (written, compiled): (&[Condition], &[program::Condition]),
        of: Of,
        wanted: Wanted,
    ) -> Option<()> {
        let mut answers = Vec::new();
        for (written, compiled) in written.iter().zip(compiled) {
            answers.push(self.condition(written, compiled));
        }
        let each = matches!(
            (of, wanted),
            (Of::All, Wanted::True) | (Of::Any, Wanted::False)
        );
        if each || answers.len() == 1 {
            let holds = |answer: Expression| {
                Statement::Holds(answer.equals(Expression::text(wanted.text())))
            };
            self.statements.extend(answers.into_iter().map(holds));
            return Some(());
        }
        if answers.is_empty() {
            return None;
        }
        // One of them decides, and none before it may be an error.
        self.lists += 1;
        let name = format!("answers_{}", self.lists);
        let list = Expression::Array(answers);
        self.statements.extend([
            Statement::Assign(name.clone(), list),
            Statement::Holds(within(wanted.text(), &name)),
            Statement::Not(within("error", &name)),
        ]);
        Some(())
    }

    /// The answer of one condition; undefined where one of its values is not there.
    fn condition(&mut self, written: &Condition, compiled: &program::Condition) -> Expression {
        let mut operand = |written, compiled| {
            constant_operand(written).unwrap_or_else(|| self.slots.add(written, compiled))
        };
        let key = operand(&written.key, &compiled.key);
        let value = operand(&written.value, &compiled.value);
        let operator = Expression::text(operator_text(&written.operator.value));
        Expression::call("regent.condition", vec![key, operator, value])
    }
}
