//! Arithmetic on numbers, quantities and durations, which do not mix.

use num_bigint::BigInt;
use serde_json::Value;

use super::{Arguments, failed_in, number};
use crate::duration::Duration;
use crate::go_format::{as_float, float, truncate};
use crate::jmespath::ExpressionError;
use crate::quantity::{Quantity, power_of_ten};

type Outcome = Result<Value, ExpressionError>;

/// What can be calculated with.
enum Operand {
    Number(f64),
    Quantity(Quantity),
    Duration(Duration),
}

impl Operand {
    fn of(value: &Value, function: &str) -> Result<Self, ExpressionError> {
        let operand = match value {
            Value::Number(value) => Some(Self::Number(as_float(value))),
            Value::String(text) => Quantity::parse(text)
                .map(Self::Quantity)
                .or_else(|| Duration::read(text).map(Self::Duration)),
            _ => None,
        };
        operand.ok_or_else(|| failed_in(function, "invalid operand"))
    }
}

fn operands(
    arguments: &Arguments<'_>,
    function: &str,
) -> Result<(Operand, Operand), ExpressionError> {
    Ok((
        Operand::of(arguments.value(0), function)?,
        Operand::of(arguments.value(1), function)?,
    ))
}

fn mismatch(function: &str) -> ExpressionError {
    failed_in(function, "Types mismatch")
}

fn zero_divisor(function: &str) -> ExpressionError {
    failed_in(function, "Zero divisor passed")
}

fn shown(value: &impl ToString) -> Outcome {
    Ok(Value::String(value.to_string()))
}

pub(super) fn add(arguments: &Arguments<'_>) -> Outcome {
    add_values(arguments.value(0), arguments.value(1), "add")
}

fn add_values(left: &Value, right: &Value, function: &str) -> Outcome {
    match (Operand::of(left, function)?, Operand::of(right, function)?) {
        (Operand::Number(left), Operand::Number(right)) => number(left + right),
        (Operand::Quantity(left), Operand::Quantity(right)) => shown(&left.add(&right)),
        (Operand::Duration(left), Operand::Duration(right)) => {
            shown(&Duration(left.0.wrapping_add(right.0)))
        }
        _ => Err(mismatch(function)),
    }
}

pub(super) fn sum(arguments: &Arguments<'_>) -> Outcome {
    let [first, rest @ ..] = arguments.list(0) else {
        return Err(failed_in(
            "sum",
            "at least one element in the array is required",
        ));
    };
    let mut total = first.clone();
    for item in rest {
        total = add_values(&total, item, "sum")?;
    }
    Ok(total)
}

pub(super) fn subtract(arguments: &Arguments<'_>) -> Outcome {
    match operands(arguments, "subtract")? {
        (Operand::Number(left), Operand::Number(right)) => number(left - right),
        (Operand::Quantity(left), Operand::Quantity(right)) => shown(&left.subtract(&right)),
        (Operand::Duration(left), Operand::Duration(right)) => {
            shown(&Duration(left.0.wrapping_sub(right.0)))
        }
        _ => Err(mismatch("subtract")),
    }
}

pub(super) fn multiply(arguments: &Arguments<'_>) -> Outcome {
    match operands(arguments, "multiply")? {
        (Operand::Number(left), Operand::Number(right)) => number(left * right),
        (Operand::Quantity(quantity), Operand::Number(factor))
        | (Operand::Number(factor), Operand::Quantity(quantity)) => {
            let factor = exact(factor)?;
            let scale = quantity.scale() + factor.scale();
            shown(&Quantity::from_decimal(
                quantity.unscaled() * factor.unscaled(),
                scale,
                quantity.format(),
            ))
        }
        (Operand::Duration(duration), Operand::Number(factor))
        | (Operand::Number(factor), Operand::Duration(duration)) => {
            shown(&from_seconds(duration.seconds() * factor))
        }
        _ => Err(mismatch("multiply")),
    }
}

/// A float as the exact decimal that it prints as.
fn exact(value: f64) -> Result<Quantity, ExpressionError> {
    let parsed = Quantity::parse(&float(value));
    parsed.ok_or_else(|| super::failed("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"))
}

fn from_seconds(seconds: f64) -> Duration {
    Duration(truncate(seconds * 1e9))
}

pub(super) fn divide(arguments: &Arguments<'_>) -> Outcome {
    match operands(arguments, "divide")? {
        (_, Operand::Number(0.0)) | (Operand::Duration(_), Operand::Duration(Duration(0))) => {
            Err(zero_divisor("divide"))
        }
        (Operand::Number(left), Operand::Number(right)) => number(left / right),
        (Operand::Quantity(_), Operand::Quantity(right)) if right.is_zero() => {
            Err(zero_divisor("divide"))
        }
        (Operand::Quantity(left), Operand::Quantity(right)) => {
            number(left.to_float() / right.to_float())
        }
        (Operand::Quantity(left), Operand::Number(right)) => {
            let right = exact(right)?;
            if right.is_zero() {
                return Err(zero_divisor("divide"));
            }
            shown(&quotient(&left, &right))
        }
        (Operand::Duration(left), Operand::Duration(right)) => {
            number(left.seconds() / right.seconds())
        }
        (Operand::Duration(left), Operand::Number(right)) => {
            shown(&from_seconds(left.seconds() / right))
        }
        _ => Err(mismatch("divide")),
    }
}

/// The quotient with as many decimals as the longer of the two has, cut towards zero.
fn quotient(left: &Quantity, right: &Quantity) -> Quantity {
    let scale = left.scale().max(right.scale());
    // left * 10^-l / (right * 10^-r) = q * 10^-scale
    let shift = scale - left.scale() + right.scale();
    let (dividend, divisor): (BigInt, BigInt) = if shift >= 0 {
        (left.unscaled() * power_of_ten(shift), right.unscaled())
    } else {
        (left.unscaled(), right.unscaled() * power_of_ten(-shift))
    };
    Quantity::from_decimal(dividend / divisor, scale, left.format())
}

pub(super) fn modulo(arguments: &Arguments<'_>) -> Outcome {
    match operands(arguments, "modulo")? {
        (Operand::Number(left), Operand::Number(right)) => Ok(Value::from(remainder(left, right)?)),
        (Operand::Quantity(left), Operand::Quantity(right)) => {
            let remainder = remainder(left.to_float(), right.to_float())?;
            shown(&Quantity::from_integer(remainder, left.format()))
        }
        (Operand::Duration(_), Operand::Duration(Duration(0))) => Err(zero_divisor("modulo")),
        (Operand::Duration(left), Operand::Duration(right)) => {
            shown(&Duration(left.0.wrapping_rem(right.0)))
        }
        _ => Err(mismatch("modulo")),
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "whether the float is a whole number is what is asked"
)]
fn remainder(left: f64, right: f64) -> Result<i64, ExpressionError> {
    let (whole_left, whole_right) = (truncate(left), truncate(right));
    if left != whole_left as f64 || right != whole_right as f64 {
        return Err(failed_in(
            "modulo",
            "Non-integer argument(s) passed for modulo",
        ));
    }
    if whole_right == 0 {
        return Err(zero_divisor("modulo"));
    }
    Ok(whole_left.wrapping_rem(whole_right))
}

pub(super) fn round(arguments: &Arguments<'_>) -> Outcome {
    let (value, digits) = (arguments.number(0), arguments.number(1));
    if digits.fract() != 0.0 || digits.abs() > 1e9 {
        return Err(failed_in(
            "round",
            "Non-integer argument(s) passed for round off",
        ));
    }
    if digits < 0.0 {
        return Err(failed_in("round", "2 argument is out of bounds (2)"));
    }
    let shift = 10.0_f64.powf(digits);
    let rounded = (value * shift).round() / shift;
    // So many digits leave nothing to round.
    number(if rounded.is_finite() { rounded } else { value })
}
