//! What is read and written: one measured value, and a hundred of them.
//!
//! Messages are written by hand, so that no transcoder under test makes what it is measured by.

use prost_types::Timestamp;
use serde_json::{Value, json};

/// How many values a list and a bulk hold.
pub const MANY: usize = 100;

/// `loop.bench.v1.Biomarker`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Biomarker {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    patient_id: String,
    #[prost(string, tag = "3")]
    brand_id: String,
    #[prost(string, tag = "4")]
    biomarker_code: String,
    #[prost(string, tag = "5")]
    biomarker_name: String,
    #[prost(double, tag = "6")]
    value: f64,
    #[prost(string, tag = "7")]
    unit: String,
    #[prost(double, tag = "8")]
    reference_low: f64,
    #[prost(double, tag = "9")]
    reference_high: f64,
    #[prost(int32, tag = "10")]
    status: i32,
    #[prost(message, optional, tag = "11")]
    collected_at: Option<Timestamp>,
    #[prost(message, optional, tag = "12")]
    parsed_at: Option<Timestamp>,
}

/// Every message that holds values and nothing else has this form.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Biomarkers {
    #[prost(message, repeated, tag = "1")]
    pub biomarkers: Vec<Biomarker>,
}

/// `loop.bench.v1.CreateBiomarkerRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Create {
    #[prost(message, optional, tag = "1")]
    pub biomarker: Option<Biomarker>,
}

/// `loop.bench.v1.GetBiomarkerRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Get {
    #[prost(string, tag = "1")]
    pub id: String,
}

/// `loop.bench.v1.ListBiomarkersRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct List {
    #[prost(string, tag = "1")]
    pub brand_id: String,
    #[prost(int32, tag = "2")]
    pub page_size: i32,
}

/// `loop.bench.v1.IngestBiomarkersResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Ingested {
    #[prost(int32, tag = "1")]
    pub accepted: i32,
}

/// How a peer names members and enum values. The sizes are alike to a byte a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// As protobuf's mapping has it: `patientId`, `STATUS_LOW`.
    Canonical,
    /// As the platform's REST has it: `patient_id`, `low`.
    Rest,
}

/// The names in both dialects.
const NAMES: [[&str; 2]; 12] = [
    ["id", "id"],
    ["patientId", "patient_id"],
    ["brandId", "brand_id"],
    ["biomarkerCode", "biomarker_code"],
    ["biomarkerName", "biomarker_name"],
    ["value", "value"],
    ["unit", "unit"],
    ["referenceLow", "reference_low"],
    ["referenceHigh", "reference_high"],
    ["status", "status"],
    ["collectedAt", "collected_at"],
    ["parsedAt", "parsed_at"],
];

const STATUS: [[&str; 2]; 4] = [
    ["STATUS_UNSPECIFIED", "unspecified"],
    ["STATUS_LOW", "low"],
    ["STATUS_NORMAL", "normal"],
    ["STATUS_HIGH", "high"],
];

/// Seconds since 1970 of 2026-01-31T09:30:00Z.
const COLLECTED: i64 = 1_769_851_800;

impl Biomarker {
    /// 196 bytes of protobuf, 368 of canonical JSON.
    pub fn one() -> Self {
        Self::numbered(0)
    }

    pub fn many() -> Vec<Self> {
        (0..MANY).map(Self::numbered).collect()
    }

    fn numbered(number: usize) -> Self {
        let (code, name, value, unit, low, high, status) = match number % 4 {
            0 => ("albumin", "Albumin, serum or plasma (colorimetric)", 3.1, "g/dL", 3.5, 5.0, 1),
            1 => ("glucose", "Glucose, fasting, capillary blood", 88.0, "mg/dL", 70.0, 99.0, 2),
            2 => ("ferritin", "Ferritin, serum (immunoassay)", 412.7, "ng/mL", 24.0, 336.0, 3),
            _ => ("tsh", "Thyrotropin, third generation, serum", 2.135, "mIU/L", 0.45, 4.5, 2),
        };
        Self {
            id: id("bio", number),
            patient_id: id("pat", 7),
            brand_id: "loop".into(),
            biomarker_code: code.into(),
            biomarker_name: name.into(),
            value,
            unit: unit.into(),
            reference_low: low,
            reference_high: high,
            status,
            collected_at: Some(Timestamp { seconds: COLLECTED, nanos: 0 }),
            parsed_at: Some(Timestamp { seconds: COLLECTED + 1800, nanos: 123_456_000 }),
        }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// Members stand in the order of their numbers, as every peer writes them.
    pub fn json(&self, dialect: Dialect) -> String {
        let values = [
            json!(self.id),
            json!(self.patient_id),
            json!(self.brand_id),
            json!(self.biomarker_code),
            json!(self.biomarker_name),
            number(self.value),
            json!(self.unit),
            number(self.reference_low),
            number(self.reference_high),
            json!(STATUS[self.status as usize][dialect as usize]),
            json!("2026-01-31T09:30:00Z"),
            json!("2026-01-31T10:00:00.123456Z"),
        ];
        let named = NAMES.iter().zip(&values);
        let members = named.map(|(names, it)| format!("\"{}\":{it}", names[dialect as usize]));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }
}

/// `{"biomarkers":[…]}`.
pub fn json_of_many(dialect: Dialect) -> String {
    let items: Vec<_> = Biomarker::many().iter().map(|it| it.json(dialect)).collect();
    format!("{{\"biomarkers\":[{}]}}", items.join(","))
}

fn id(prefix: &str, number: usize) -> String {
    format!("{prefix}_0197a5d0-1c4e-7000-8000-{number:012}")
}

/// A whole number without a fraction, as the canonical mapping has it.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 { json!(value as i64) } else { json!(value) }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn one_value_has_the_documented_size() {
        assert_eq!(Biomarker::one().encoded_len(), 196);
        assert_eq!(Biomarker::one().json(Dialect::Canonical).len(), 368);
        assert_eq!(Biomarker::one().json(Dialect::Rest).len(), 369);
    }

    #[test]
    fn a_hundred_have_about_the_documented_size() {
        let wire = Biomarkers { biomarkers: Biomarker::many() }.encoded_len();
        assert!((19_300..20_300).contains(&wire), "{wire}");
        for dialect in [Dialect::Canonical, Dialect::Rest] {
            let json = json_of_many(dialect).len();
            assert!((36_000..37_200).contains(&json), "{json}");
        }
    }

    #[test]
    fn the_messages_are_those_of_the_contract() {
        let pool = prost_reflect::DescriptorPool::decode(&*crate::contract::descriptors().unwrap());
        let kind = pool.unwrap().get_message_by_name("loop.bench.v1.Biomarker").unwrap();
        let bytes = Biomarker::one().encode_to_vec();
        let read = prost_reflect::DynamicMessage::decode(kind, &*bytes).unwrap();
        assert!(read.unknown_fields().next().is_none());
        assert_eq!(read.encode_to_vec(), bytes);
    }
}
