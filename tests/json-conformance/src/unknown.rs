//! What a message holds that its contract does not name. JSON has no place for it, so it does not
//! survive a way through JSON, and is not meant to.

use prost_reflect::{DynamicMessage, MapKey, MessageDescriptor, Value};

/// Whether the message, or one within it, has a field that its descriptor does not have.
pub fn is_in(descriptor: MessageDescriptor, wire: &[u8]) -> bool {
    DynamicMessage::decode(descriptor, wire).is_ok_and(|it| has_unknown(&it))
}

fn has_unknown(message: &DynamicMessage) -> bool {
    message.unknown_fields().next().is_some()
        || message.fields().any(|(_, value)| holds_unknown(value))
        || message.extensions().next().is_some()
}

fn holds_unknown(value: &Value) -> bool {
    match value {
        Value::Message(message) => has_unknown(message),
        Value::List(values) => values.iter().any(holds_unknown),
        Value::Map(entries) => entries.iter().any(|(_, value): (&MapKey, _)| holds_unknown(value)),
        _ => false,
    }
}
