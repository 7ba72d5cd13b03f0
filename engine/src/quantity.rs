//! Kubernetes quantities: `100m`, `1.5Gi`, `2e3`; exact, compared by value and printed in canonical form.
//!
//! The grammar is apimachinery's with its oddities (a suffix alone is zero), because Kyverno tries it on any text that it compares.

use std::cmp::Ordering;
use std::fmt;

use num_bigint::{BigInt, Sign};

/// How a quantity was written, and is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `100m`, `5k`, `1.5G`.
    DecimalSi,
    /// `64Mi`.
    BinarySi,
    /// `1e3`.
    DecimalExponent,
}

/// An exact decimal number with the form that it was written in.
#[derive(Debug, Clone)]
pub struct Quantity {
    amount: Amount,
    format: Format,
}

/// `unscaled * 10^-scale`; small ones, which are nearly all, stay off the heap.
#[derive(Debug, Clone)]
enum Amount {
    Small { unscaled: i128, scale: i32 },
    Large { unscaled: BigInt, scale: i32 },
}

/// Longest text that is tried as a quantity: no real one comes near, and reading takes quadratic time.
const MAX_TEXT: usize = 512;
/// Largest decimal exponent: Go would go on to build the number, digit by digit, from a text of ten characters.
const MAX_EXPONENT: i64 = 1_000;
/// Digits after the point that a quantity keeps: nano.
const NANO: i32 = 9;
/// Up to so many digits apimachinery keeps the scale as it was written.
const FAST_DIGITS: usize = 18;

impl Quantity {
    /// Reads what apimachinery's `ParseQuantity` reads, up to the bounds above.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > MAX_TEXT {
            return None;
        }
        let parts = Parts::split(text)?;
        let suffix = Suffix::named(parts.suffix)?;
        parts.number(suffix)
    }

    /// A whole number.
    pub fn from_integer(value: i64, format: Format) -> Self {
        Self {
            amount: Amount::Small {
                unscaled: value.into(),
                scale: 0,
            },
            format,
        }
    }

    /// `unscaled * 10^-scale`, printed as `format` says.
    pub fn from_decimal(unscaled: BigInt, scale: i32, format: Format) -> Self {
        Self {
            amount: Amount::new(unscaled, scale),
            format,
        }
    }

    /// How it was written.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Digits after the point, as the number is held: 3 for `1500m`, -3 for `1k`.
    pub const fn scale(&self) -> i32 {
        match &self.amount {
            Amount::Small { scale, .. } | Amount::Large { scale, .. } => *scale,
        }
    }

    /// The number without its point: 1500 for `1500m`.
    pub fn unscaled(&self) -> BigInt {
        match &self.amount {
            Amount::Small { unscaled, .. } => BigInt::from(*unscaled),
            Amount::Large { unscaled, .. } => unscaled.clone(),
        }
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        match &self.amount {
            Amount::Small { unscaled, .. } => *unscaled == 0,
            Amount::Large { unscaled, .. } => unscaled.sign() == Sign::NoSign,
        }
    }

    /// The float next to it.
    pub fn to_float(&self) -> f64 {
        // Reading a decimal text rounds correctly; the text is bounded as the number is.
        format!("{}e{}", self.unscaled(), -i64::from(self.scale()))
            .parse()
            .unwrap_or(f64::NAN)
    }

    /// The sum, in the form of the left one unless that is zero.
    #[must_use]
    pub fn add(&self, other: &Self) -> Self {
        self.combine(other, |left, right| left + right)
    }

    /// The difference, in the form of the left one unless that is zero.
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        self.combine(other, |left, right| left - right)
    }

    fn combine(&self, other: &Self, with: impl Fn(BigInt, BigInt) -> BigInt) -> Self {
        let scale = self.scale().max(other.scale());
        let unscaled = with(self.amount.at_scale(scale), other.amount.at_scale(scale));
        let format = if self.is_zero() {
            other.format
        } else {
            self.format
        };
        Self::from_decimal(unscaled, scale, format)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        let scale = self.scale().max(other.scale());
        if let (Some(left), Some(right)) = (
            self.amount.small_at_scale(scale),
            other.amount.small_at_scale(scale),
        ) {
            return left.cmp(&right);
        }
        self.amount
            .at_scale(scale)
            .cmp(&other.amount.at_scale(scale))
    }
}

impl Amount {
    fn new(unscaled: BigInt, scale: i32) -> Self {
        match i128::try_from(&unscaled) {
            Ok(unscaled) => Self::Small { unscaled, scale },
            Err(_) => Self::Large { unscaled, scale },
        }
    }

    /// The unscaled number for a scale that is not below its own, if it is small.
    fn small_at_scale(&self, wanted: i32) -> Option<i128> {
        let Self::Small { unscaled, scale } = self else {
            return None;
        };
        let steps = u32::try_from(wanted - scale).ok()?;
        unscaled.checked_mul(10_i128.checked_pow(steps)?)
    }

    /// The unscaled number for a scale that is not below its own.
    fn at_scale(&self, wanted: i32) -> BigInt {
        let (unscaled, scale) = match self {
            Self::Small { unscaled, scale } => (BigInt::from(*unscaled), *scale),
            Self::Large { unscaled, scale } => (unscaled.clone(), *scale),
        };
        unscaled * power_of_ten(wanted - scale)
    }
}

/// 10 to a power that is not negative.
pub fn power_of_ten(exponent: i32) -> BigInt {
    BigInt::from(10).pow(u32::try_from(exponent).unwrap_or(0))
}

/// A quantity's text taken apart: `-1.5Gi` is negative, `1`, `5`, `Gi`.
struct Parts<'a> {
    negative: bool,
    /// Digits before the point without leading zeros; may be empty.
    whole: &'a str,
    /// Digits behind the point.
    fraction: &'a str,
    suffix: &'a str,
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Option<Self> {
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (digits, rest) = split_while(unsigned, |byte| byte.is_ascii_digit());
        let whole = digits.trim_start_matches('0');
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(rest) => split_while(rest, |byte| byte.is_ascii_digit()),
            None => ("", rest),
        };
        let (_, exponent) = split_while(suffix, |byte| b"eEinumkKMGTP".contains(&byte));
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        exponent
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(Self {
                negative,
                whole,
                fraction,
                suffix,
            })
    }

    fn number(&self, suffix: Suffix) -> Option<Quantity> {
        let digits = self.whole.len().max(1) + self.fraction.len();
        let fraction_digits = i32::try_from(self.fraction.len()).ok()?;
        let (unscaled, scale, format) = match suffix {
            Suffix::Decimal { exponent, format } => {
                let scale = fraction_digits - i32::try_from(exponent).ok()?;
                let kept = digits <= FAST_DIGITS && scale <= NANO;
                let unscaled = self.unscaled(1)?;
                if kept {
                    (unscaled, scale, format)
                } else {
                    let (unscaled, scale) = round_to_nano(unscaled, scale);
                    (unscaled, scale, format)
                }
            }
            Suffix::Binary { shift } => {
                let unscaled = self.unscaled(1_i128 << shift)?;
                let (unscaled, scale) = if fraction_digits == 0 {
                    (unscaled, 0)
                } else {
                    round_to_nano(unscaled, fraction_digits)
                };
                within_binary_bounds(unscaled, scale)
            }
        };
        let unscaled = if self.negative { -unscaled } else { unscaled };
        Some(Quantity::from_decimal(unscaled, scale, format))
    }

    /// All digits as one number, times `factor`.
    fn unscaled(&self, factor: i128) -> Option<BigInt> {
        let mut small: Option<i128> = Some(0);
        for digit in self.whole.bytes().chain(self.fraction.bytes()) {
            small = small
                .and_then(|value| value.checked_mul(10)?.checked_add(i128::from(digit - b'0')));
        }
        if let Some(value) = small.and_then(|value| value.checked_mul(factor)) {
            return Some(BigInt::from(value));
        }
        let digits = [self.whole, self.fraction].concat();
        BigInt::parse_bytes(digits.as_bytes(), 10).map(|value| value * factor)
    }
}

/// Rounds away from zero to nine digits behind the point, and has exactly as many.
fn round_to_nano(unscaled: BigInt, scale: i32) -> (BigInt, i32) {
    if unscaled.sign() == Sign::NoSign {
        return (unscaled, 0);
    }
    if scale <= NANO {
        return (unscaled * power_of_ten(NANO - scale), NANO);
    }
    let divisor = power_of_ten(scale - NANO);
    // The numerator is not negative here, so rounding up is rounding away from zero.
    ((unscaled + &divisor - 1) / divisor, NANO)
}

/// Binary quantities are cut at the largest 64-bit number, and printed as decimal ones below one.
fn within_binary_bounds(unscaled: BigInt, scale: i32) -> (BigInt, i32, Format) {
    let one = power_of_ten(scale);
    if unscaled > BigInt::from(i64::MAX) * &one {
        return (BigInt::from(i64::MAX), 0, Format::BinarySi);
    }
    let below_one = unscaled.sign() == Sign::Plus && unscaled < one;
    (
        unscaled,
        scale,
        if below_one {
            Format::DecimalSi
        } else {
            Format::BinarySi
        },
    )
}

/// What the letters behind the number multiply it with.
#[derive(Clone, Copy)]
enum Suffix {
    Decimal { exponent: i64, format: Format },
    Binary { shift: u32 },
}

impl Suffix {
    fn named(text: &str) -> Option<Self> {
        let decimal = |exponent| {
            Some(Self::Decimal {
                exponent,
                format: Format::DecimalSi,
            })
        };
        match text {
            "" => decimal(0),
            "n" => decimal(-9),
            "u" => decimal(-6),
            "m" => decimal(-3),
            "k" => decimal(3),
            "M" => decimal(6),
            "G" => decimal(9),
            "T" => decimal(12),
            "P" => decimal(15),
            "E" => decimal(18),
            "Ki" => Some(Self::Binary { shift: 10 }),
            "Mi" => Some(Self::Binary { shift: 20 }),
            "Gi" => Some(Self::Binary { shift: 30 }),
            "Ti" => Some(Self::Binary { shift: 40 }),
            "Pi" => Some(Self::Binary { shift: 50 }),
            "Ei" => Some(Self::Binary { shift: 60 }),
            _ => {
                let exponent: i64 = text.strip_prefix(['e', 'E'])?.parse().ok()?;
                (exponent.abs() <= MAX_EXPONENT).then_some(Self::Decimal {
                    exponent,
                    format: Format::DecimalExponent,
                })
            }
        }
    }
}

fn split_while(text: &str, belongs: impl Fn(u8) -> bool) -> (&str, &str) {
    let length = text
        .bytes()
        .position(|byte| !belongs(byte))
        .unwrap_or(text.len());
    text.split_at_checked(length).unwrap_or((text, ""))
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return formatter.write_str("0");
        }
        if self.format == Format::BinarySi
            && let Some(whole) = self.whole()
            && (whole >= BigInt::from(1024) || whole <= BigInt::from(-1024))
        {
            return write_binary(formatter, whole);
        }
        let (mut mantissa, mut exponent) = (self.unscaled(), -self.scale());
        let ten = BigInt::from(10);
        while (&mantissa % &ten).sign() == Sign::NoSign {
            mantissa /= &ten;
            exponent += 1;
        }
        while exponent % 3 != 0 {
            mantissa *= &ten;
            exponent -= 1;
        }
        let suffix = match exponent {
            0 => "",
            -9 => "n",
            -6 => "u",
            -3 => "m",
            3 => "k",
            6 => "M",
            9 => "G",
            12 => "T",
            15 => "P",
            18 => "E",
            // There is no letter, so the exponent is written, where apimachinery would lose it.
            _ => return write!(formatter, "{mantissa}e{exponent}"),
        };
        if self.format == Format::DecimalExponent && exponent != 0 {
            return write!(formatter, "{mantissa}e{exponent}");
        }
        write!(formatter, "{mantissa}{suffix}")
    }
}

impl Quantity {
    /// The number, if it is whole.
    fn whole(&self) -> Option<BigInt> {
        if self.scale() <= 0 {
            return Some(self.amount.at_scale(0));
        }
        let divisor = power_of_ten(self.scale());
        let unscaled = self.unscaled();
        ((&unscaled % &divisor).sign() == Sign::NoSign).then(|| unscaled / divisor)
    }
}

fn write_binary(formatter: &mut fmt::Formatter<'_>, mut whole: BigInt) -> fmt::Result {
    let step = BigInt::from(1024);
    let mut suffix = "";
    for larger in ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"] {
        if (&whole % &step).sign() != Sign::NoSign {
            break;
        }
        whole /= &step;
        suffix = larger;
    }
    write!(formatter, "{whole}{suffix}")
}

#[cfg(test)]
mod tests;
