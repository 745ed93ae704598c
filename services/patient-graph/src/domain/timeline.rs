//! What happened to a patient.

use clinical_contract::v1::BiomarkerParsed;
use kit::{Entity, Id, Time};

#[derive(Debug)]
pub struct EntryEntity;
impl Entity for EntryEntity {
    const PREFIX: &'static str = "tle";
}
pub type EntryId = Id<EntryEntity>;

/// One entry. It names what happened and where to read more, never a protected value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub id: EntryId,
    pub patient_id: String,
    pub event_type: String,
    pub title: String,
    pub description: String,
    pub occurred_at: Time,
    pub source_type: String,
    pub source_id: String,
    pub metadata: serde_json::Value,
    pub created_at: Time,
}

impl Entry {
    /// A laboratory report came in.
    pub fn biomarkers_recorded(
        id: EntryId,
        event: &BiomarkerParsed,
        occurred_at: Time,
        now: Time,
    ) -> Self {
        let count = event.biomarker_codes.len();
        let noun = if count == 1 { "biomarker" } else { "biomarkers" };
        let collected_at = event.collected_at.as_ref().and_then(kit::time);
        Self {
            id,
            patient_id: event.patient_id.clone(),
            event_type: "biomarkers_recorded".into(),
            title: format!("{count} {noun} recorded"),
            description: String::new(),
            occurred_at: collected_at.unwrap_or(occurred_at),
            source_type: "lab_report".into(),
            source_id: event.report_id.clone(),
            metadata: serde_json::json!({
                "biomarker_codes": event.biomarker_codes,
                "source": event.source,
            }),
            created_at: now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_counts_in_english() {
        let title = |codes: &[&str]| {
            let biomarker_codes = codes.iter().map(ToString::to_string).collect();
            let event = BiomarkerParsed { biomarker_codes, ..Default::default() };
            Entry::biomarkers_recorded(EntryId::mint(), &event, Time::UNIX_EPOCH, Time::UNIX_EPOCH)
                .title
        };
        assert_eq!(title(&["albumin"]), "1 biomarker recorded");
        assert_eq!(title(&["albumin", "tsh"]), "2 biomarkers recorded");
    }
}
