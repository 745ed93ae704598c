//! Values given as plain text: map keys, path variables, query parameters, strings in JSON.

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};

use crate::fault::{Fault, broken};
use crate::mask;
use crate::number::{enum_number, put_number};
use crate::plan::{EnumId, Kind, MessageId, Plans, Style, WellKnown};
use crate::time::{Instant, parse_duration, parse_timestamp};
use crate::wire::{VARINT, close_length, open_length, put_bytes, put_sized, put_tag, put_varint};

type Result<T> = std::result::Result<T, Fault>;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Appends the payload of a value: with its length, without its tag.
pub(crate) fn put_text(
    out: &mut Vec<u8>,
    plans: &Plans,
    style: Style,
    kind: Kind,
    text: &str,
) -> Result<()> {
    match kind {
        Kind::String | Kind::Decimal => put_sized(out, text.as_bytes()),
        Kind::Bytes => put_sized(out, &decode_base64(text)?),
        Kind::Bool => out.push(boolean(text)?.into()),
        Kind::Enum(id) if plans.enumeration(id).is_null && text == "null" => out.push(0),
        Kind::Enum(id) => {
            let number = match enum_by_name(plans, style, id, text) {
                Err(fault) => enum_number(text).map_err(|_| fault)?,
                Ok(number) => number,
            };
            put_varint(out, i64::from(number) as u64);
        }
        Kind::Message(id) | Kind::Group(id) => {
            let start = open_length(out);
            put_well_known(out, plans, style, id, text)?;
            close_length(out, start);
        }
        _ => put_number(out, kind, text)?,
    }
    Ok(())
}

/// Whether values of this kind can be given as text at all.
pub(crate) fn has_text_form(plans: &Plans, kind: Kind) -> bool {
    use WellKnown::*;
    match kind {
        Kind::Message(id) => {
            matches!(plans.message(id).well_known, Some(Duration | FieldMask | Timestamp | Wrapper))
        }
        Kind::Group(_) => false,
        _ => true,
    }
}

/// Appends the fields of a well-known message whose JSON is one string or scalar.
pub(crate) fn put_well_known(
    out: &mut Vec<u8>,
    plans: &Plans,
    style: Style,
    id: MessageId,
    text: &str,
) -> Result<()> {
    let plan = plans.message(id);
    match (plan.well_known, plan.fields.first()) {
        (Some(WellKnown::Timestamp), _) => put_instant(
            out,
            parse_timestamp(text).ok_or_else(|| broken("must be an RFC 3339 timestamp"))?,
        ),
        (Some(WellKnown::Duration), _) => put_instant(
            out,
            parse_duration(text).ok_or_else(|| broken("must be a duration such as \"1.5s\""))?,
        ),
        (Some(WellKnown::FieldMask), _) => return put_mask(out, style, text),
        (Some(WellKnown::Wrapper), Some(field)) => {
            put_tag(out, 1, field.kind.wire_type());
            return put_text(out, plans, style, field.kind, text);
        }
        _ => return Err(broken("must be an object")),
    }
    Ok(())
}

fn put_instant(out: &mut Vec<u8>, (seconds, nanos): Instant) {
    for (number, value) in [(1, seconds), (2, i64::from(nanos))] {
        if value != 0 {
            put_tag(out, number, VARINT);
            put_varint(out, value as u64);
        }
    }
}

fn put_mask(out: &mut Vec<u8>, style: Style, text: &str) -> Result<()> {
    for path in text.split(',').filter(|_| !text.is_empty()) {
        let path = mask::to_declared(path, style)
            .ok_or_else(|| broken("must be field names separated by commas"))?;
        put_bytes(out, 1, path.as_bytes());
    }
    Ok(())
}

/// The number of an enum value's name.
pub(crate) fn enum_by_name(plans: &Plans, style: Style, id: EnumId, name: &str) -> Result<i32> {
    let plan = plans.enumeration(id);
    plan.number(name, style).ok_or_else(|| {
        let known: Vec<_> =
            plan.values.iter().map(|v| String::from_utf8_lossy(v.quoted(style))).collect();
        broken(format!("must be one of {}", known.join(", ")))
    })
}

fn boolean(text: &str) -> Result<bool> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(broken("must be true or false")),
    }
}

/// Base64 of either alphabet, padded or not (RFC 4648 sections 4 and 5).
fn decode_base64(text: &str) -> Result<Vec<u8>> {
    let engine = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    engine.decode(text).map_err(|_| broken("must be base64"))
}
