//! Numbers as text: whole numbers of any notation, exact doubles, and their printing.

use crate::fault::{Fault, broken};
use crate::json::is_number;
use crate::plan::Kind;
use crate::wire::put_varint;

type Result<T> = std::result::Result<T, Fault>;

/// Appends the wire value of a number's text, which may be written as JSON allows: `1e2` is a
/// whole number, `1.5` is not.
pub(crate) fn put_number(out: &mut Vec<u8>, kind: Kind, text: &str) -> Result<()> {
    match kind {
        Kind::Double => out.extend_from_slice(&double(text)?.to_le_bytes()),
        Kind::Float => out.extend_from_slice(&float(text)?.to_le_bytes()),
        Kind::Int32 => put_varint(out, signed(text, i32::MIN.into(), i32::MAX.into())? as u64),
        Kind::Int64 => put_varint(out, signed(text, i64::MIN, i64::MAX)? as u64),
        Kind::Uint32 => put_varint(out, unsigned(text, u32::MAX.into())?),
        Kind::Uint64 => put_varint(out, unsigned(text, u64::MAX)?),
        Kind::Sint32 => put_varint(out, zigzag(signed(text, i32::MIN.into(), i32::MAX.into())?)),
        Kind::Sint64 => put_varint(out, zigzag(signed(text, i64::MIN, i64::MAX)?)),
        Kind::Fixed32 => {
            out.extend_from_slice(&(unsigned(text, u32::MAX.into())? as u32).to_le_bytes());
        }
        Kind::Fixed64 => out.extend_from_slice(&unsigned(text, u64::MAX)?.to_le_bytes()),
        Kind::Sfixed32 => {
            let value = signed(text, i32::MIN.into(), i32::MAX.into())? as i32;
            out.extend_from_slice(&value.to_le_bytes());
        }
        Kind::Sfixed64 => {
            out.extend_from_slice(&signed(text, i64::MIN, i64::MAX)?.to_le_bytes());
        }
        _ => return Err(broken("must not be a number")),
    }
    Ok(())
}

/// The number of an enum value, given as text.
pub(crate) fn enum_number(text: &str) -> Result<i32> {
    Ok(signed(text, i32::MIN.into(), i32::MAX.into())? as i32)
}

fn signed(text: &str, min: i64, max: i64) -> Result<i64> {
    let in_range = |value: i128| i64::try_from(value).ok().filter(|v| (min..=max).contains(v));
    whole(text)
        .and_then(in_range)
        .ok_or_else(|| broken(format!("must be a whole number from {min} to {max}")))
}

fn unsigned(text: &str, max: u64) -> Result<u64> {
    let in_range = |value: i128| u64::try_from(value).ok().filter(|v| *v <= max);
    whole(text)
        .and_then(in_range)
        .ok_or_else(|| broken(format!("must be a whole number from 0 to {max}")))
}

/// The exact value of a JSON number without a fraction; none if it has one or is far too large.
fn whole(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let plain = digits.len() < 20 && digits.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    let magnitude = if plain && !leading_zero && !digits.is_empty() {
        digits.bytes().fold(0, |value: i128, digit| value * 10 + i128::from(digit - b'0'))
    } else {
        scaled(digits)?
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// A whole number with a fraction of zeros or an exponent.
fn scaled(text: &str) -> Option<i128> {
    if !is_number(text.as_bytes()) || text.starts_with('-') {
        return None;
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{integer}{fraction}");
    let significant = digits.trim_end_matches('0');
    let dropped = digits.len() - significant.len();
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let exponent: i64 = exponent.parse().ok()?;
    let exponent = exponent.checked_sub(fraction.len() as i64)?.checked_add(dropped as i64)?;
    let exponent = usize::try_from(exponent).ok().filter(|zeros| *zeros <= 20)?;
    let value: i128 = (significant.len() + exponent <= 20).then(|| significant.parse().ok())??;
    Some(value * 10i128.pow(exponent as u32))
}

/// The powers of ten that a short decimal is divided by.
const TENS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// The value of a JSON number of at most 15 digits and without an exponent, which most are. Its
/// digits and the power of ten are exact doubles, so their quotient is rounded once and right
/// (Clinger, "How to Read Floating Point Numbers Accurately", 1990).
fn short_decimal(text: &[u8]) -> Option<f64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let (mut mantissa, mut point) = (0u64, None);
    for (at, byte) in digits.iter().take(17).enumerate() {
        match byte {
            b'0'..=b'9' => mantissa = mantissa * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let whole = point.unwrap_or(digits.len());
    let fraction = point.map_or(0, |at| digits.len() - at - 1);
    let has_leading_zero = whole > 1 && digits[0] == b'0';
    let ends_well = point.is_none() || fraction > 0;
    if whole == 0 || has_leading_zero || !ends_well || whole + fraction > 15 {
        return None;
    }
    let value = mantissa as f64 / TENS[fraction];
    Some(if digits.len() < text.len() { -value } else { value })
}

/// A double that is not infinite unless the text says so.
pub(crate) fn double(text: &str) -> Result<f64> {
    if let Some(value) = short_decimal(text.as_bytes()) {
        return Ok(value);
    }
    let value = match text {
        "NaN" => return Ok(f64::NAN),
        "Infinity" => return Ok(f64::INFINITY),
        "-Infinity" => return Ok(f64::NEG_INFINITY),
        _ if is_number(text.as_bytes()) => {
            text.parse().ok().filter(|value: &f64| value.is_finite())
        }
        _ => None,
    };
    value.ok_or_else(|| broken("must be a number within the range of a double"))
}

fn float(text: &str) -> Result<f32> {
    let value = match text {
        "NaN" => return Ok(f32::NAN),
        "Infinity" => return Ok(f32::INFINITY),
        "-Infinity" => return Ok(f32::NEG_INFINITY),
        _ if is_number(text.as_bytes()) => {
            text.parse().ok().filter(|value: &f32| value.is_finite())
        }
        _ => None,
    };
    value.ok_or_else(|| broken("must be a number within the range of a float"))
}

/// Whether a text is a JSON number that every reader can take: one beyond the range of a double
/// is an error to some and infinite to others (RFC 8259 section 6).
pub(crate) fn is_interoperable(text: &[u8]) -> bool {
    let is_small = text.len() < 300 && !text.contains(&b'e') && !text.contains(&b'E');
    is_number(text)
        && (is_small || std::str::from_utf8(text).is_ok_and(|text| double(text).is_ok()))
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub(crate) fn from_zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

pub(crate) fn write_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// 64-bit integers, in quotes.
pub(crate) fn write_quoted(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.push(b'"');
    write_integer(out, value);
    out.push(b'"');
}

/// The shortest text that reads back as the same value; what JSON cannot hold is in quotes.
pub(crate) fn write_float(out: &mut Vec<u8>, value: impl zmij::Float + Into<f64> + Copy) {
    let wide: f64 = value.into();
    if wide.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if wide.is_infinite() {
        let text: &[u8] = if wide > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" };
        out.extend_from_slice(text);
    } else {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(value);
        out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_numbers_may_be_written_with_zeros_and_exponents() {
        for (text, value) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("1.0", Some(1)),
            ("1e2", Some(100)),
            ("100000.000", Some(100_000)),
            ("1.5e1", Some(15)),
            ("1500e-2", Some(15)),
            ("-2.147483648e9", Some(-2_147_483_648)),
            ("18446744073709551615", Some(18_446_744_073_709_551_615)),
            ("0e99999999999", Some(0)),
            ("0.5", None),
            ("1e-1", None),
            ("1e99999999999999999999", None),
            ("1e30", None),
            ("", None),
            ("-", None),
            ("01", None),
            ("+1", None),
            (" 1", None),
            ("1 ", None),
            ("--1", None),
            ("0x1", None),
        ] {
            assert_eq!(whole(text), value, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_short_decimal_is_read_as_every_reader_reads_it(text in "-?[0-9]{0,9}(\\.[0-9]{0,9})?") {
            if let Some(value) = short_decimal(text.as_bytes()) {
                prop_assert!(is_number(text.as_bytes()), "{}", text);
                prop_assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits());
            } else {
                let digits = text.bytes().filter(u8::is_ascii_digit).count();
                prop_assert!(!is_number(text.as_bytes()) || digits > 15, "{}", text);
            }
        }
    }

    #[test]
    fn doubles_are_exact_and_finite() {
        assert_eq!(double("2.22507e-308").unwrap(), 2.22507e-308);
        assert!(double("1.89769e+308").is_err());
        assert!(float("3.502823e+38").is_err());
        assert_eq!(float("3.4028235e+38").unwrap(), f32::MAX);
        assert!(double("nan").is_err() && double("inf").is_err() && double("1.").is_err());
    }

    #[test]
    fn a_number_beyond_a_double_is_not_for_every_reader() {
        let long = format!("1{}", "0".repeat(308));
        for text in ["0", "-1.50", "1e2", "1E-400", "1.7976931348623157e308", &long] {
            assert!(is_interoperable(text.as_bytes()), "{text}");
        }
        let longer = format!("{long}0");
        for text in ["", "1.", "NaN", "n/a", "\u{e9}", "1e309", "-1E400", &longer] {
            assert!(!is_interoperable(text.as_bytes()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_double_reads_back_bit_for_bit(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            let mut out = Vec::new();
            write_float(&mut out, value);
            let text = String::from_utf8(out).unwrap();
            let read = double(text.trim_matches('"')).unwrap();
            prop_assert_eq!(read.to_bits(), value.to_bits());
        }

        #[test]
        fn zigzag_comes_back(value: i64) {
            prop_assert_eq!(from_zigzag(zigzag(value)), value);
        }

        #[test]
        fn no_text_makes_a_number_parser_panic(text in "[0-9eE.+-]{0,40}") {
            let _ = (whole(&text), double(&text), float(&text));
        }
    }
}
