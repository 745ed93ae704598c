//! Random messages, with values that are hard to convert more often than chance has them.

use prost::Message as _;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value,
};

use crate::support;

/// Numbers that decide what a message is made of; zeros when they run out.
pub struct Choices<'a>(pub std::slice::Iter<'a, u32>);

impl Choices<'_> {
    pub fn next(&mut self) -> u32 {
        self.0.next().copied().unwrap_or_default()
    }

    fn long(&mut self) -> u64 {
        match self.next() % 4 {
            0 => u64::from(self.next()),
            1 => u64::MAX - u64::from(self.next() % 3),
            2 => 1 << (self.next() % 64),
            _ => u64::from(self.next()) << 32 | u64::from(self.next()),
        }
    }

    fn text(&mut self) -> String {
        let length = self.next() % 12;
        let letters = ['a', 'Z', '"', '\\', '\n', '\u{1}', 'é', '😀', '/', ' ', '\u{2028}', '0'];
        (0..length).map(|_| letters[self.next() as usize % letters.len()]).collect()
    }

    pub fn message(&mut self, descriptor: MessageDescriptor, depth: u32) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        let fields: Vec<_> = descriptor.fields().collect();
        match descriptor.full_name() {
            "google.protobuf.Timestamp" => {
                set(&mut message, 1, Value::I64((self.long() % 253_402_300_799) as i64));
                set(&mut message, 2, Value::I32((self.next() % 1_000_000_000) as i32));
            }
            "google.protobuf.Duration" => {
                set(&mut message, 1, Value::I64(-((self.next() % 1_000_000) as i64)));
                set(&mut message, 2, Value::I32(-((self.next() % 1_000_000_000) as i32)));
            }
            "google.protobuf.FieldMask" => {
                let paths = ["a.b_c", "long_name", "x"].map(|p| Value::String(p.to_owned()));
                let count = self.next() as usize % 4;
                set(&mut message, 1, Value::List(paths.into_iter().take(count).collect()));
            }
            "google.protobuf.Value" => self.json_value(&mut message, depth),
            "google.protobuf.Any" => self.any(&mut message, depth),
            _ => {
                let count = if fields.is_empty() { 0 } else { self.next() % 8 };
                for _ in 0..count {
                    let field = &fields[self.next() as usize % fields.len()];
                    if depth < 4 || !matches!(field.kind(), Kind::Message(_)) {
                        let value = self.field(field, depth);
                        message.set_field(field, value);
                    }
                }
            }
        }
        message
    }

    fn json_value(&mut self, message: &mut DynamicMessage, depth: u32) {
        let number = if depth > 4 { 1 + self.next() % 4 } else { 1 + self.next() % 6 };
        let field = message.descriptor().get_field(number).unwrap();
        let value = match number {
            2 => Value::F64(f64::from(self.next()) / 8.0),
            _ => self.value(&field.kind(), depth),
        };
        message.set_field(&field, value);
    }

    fn any(&mut self, message: &mut DynamicMessage, depth: u32) {
        let names = ["test.Every", "google.protobuf.Duration", "google.protobuf.Struct"];
        let name = names[self.next() as usize % names.len()];
        let inner = support::pool().get_message_by_name(name).unwrap();
        let inner = self.message(inner, depth + 2);
        set(message, 1, Value::String(format!("type.googleapis.com/{name}")));
        set(message, 2, Value::Bytes(inner.encode_to_vec().into()));
    }

    fn field(&mut self, field: &FieldDescriptor, depth: u32) -> Value {
        let count = self.next() % 4;
        if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
            let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            let entry = |_| (self.key(&key.kind()), self.value(&value.kind(), depth));
            return Value::Map((0..count).map(entry).collect());
        }
        if field.is_list() {
            return Value::List((0..count).map(|_| self.value(&field.kind(), depth)).collect());
        }
        self.value(&field.kind(), depth)
    }

    fn key(&mut self, kind: &Kind) -> MapKey {
        match kind {
            Kind::Bool => MapKey::Bool(self.next().is_multiple_of(2)),
            Kind::Int32 => MapKey::I32(self.next() as i32),
            Kind::Uint64 => MapKey::U64(self.long()),
            _ => MapKey::String(self.text()),
        }
    }

    fn value(&mut self, kind: &Kind, depth: u32) -> Value {
        match kind {
            Kind::Double => Value::F64(finite(f64::from_bits(self.long()))),
            Kind::Float => Value::F32(finite(f32::from_bits(self.next()).into()) as f32),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(self.long() as i32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(self.long() as i64),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(self.long() as u32),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(self.long()),
            Kind::Bool => Value::Bool(self.next().is_multiple_of(2)),
            Kind::String => Value::String(self.text()),
            Kind::Bytes => Value::Bytes(self.text().into_bytes().into()),
            Kind::Enum(choice) if choice.name() == "NullValue" => Value::EnumNumber(0),
            Kind::Enum(_) => Value::EnumNumber([0, 1, 2, -1, 77][self.next() as usize % 5]),
            Kind::Message(message) => Value::Message(self.message(message.clone(), depth + 1)),
        }
    }
}

fn set(message: &mut DynamicMessage, number: u32, value: Value) {
    message.set_field_by_number(number, value);
}

/// NaN differs from itself, which a comparison of messages would not survive.
fn finite(value: f64) -> f64 {
    if value.is_nan() { 0.5 } else { value }
}
