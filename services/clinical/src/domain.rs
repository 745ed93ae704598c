//! What a laboratory report is, and what recording it makes of it. Pure.

use biomarkers::{Comparator, FoldedStatus, Interpreted, LabResult, RULESET_VERSION, Sex};
use kit::{Entity, Error, Id, Phi, Result, Time};
use rust_decimal::Decimal;

#[derive(Debug)]
pub struct BiomarkerEntity;
impl Entity for BiomarkerEntity {
    const PREFIX: &'static str = "bio";
}
pub type BiomarkerId = Id<BiomarkerEntity>;

#[derive(Debug)]
pub struct ReportEntity;
impl Entity for ReportEntity {
    const PREFIX: &'static str = "rep";
}
pub type ReportId = Id<ReportEntity>;

/// One laboratory report of one patient: its results stand or fall together.
#[derive(Clone, Debug)]
pub struct Report {
    pub id: ReportId,
    pub patient_id: String,
    pub source: String,
    pub recorded_at: Time,
    pub biomarkers: Vec<Biomarker>,
}

/// One measured value, in the platform's unit for its code.
#[derive(Clone, Debug)]
pub struct Biomarker {
    pub id: BiomarkerId,
    pub patient_id: String,
    pub code: String,
    pub name: String,
    pub comparator: Option<String>,
    pub value: Phi<Decimal>,
    pub unit: String,
    pub reference_low: Option<Decimal>,
    pub reference_high: Option<Decimal>,
    pub status: Phi<Status>,
    /// What the laboratory wrote.
    pub original_value: Phi<String>,
    pub original_unit: String,
    /// The rules that classified it.
    pub ruleset: String,
    pub collected_at: Time,
    pub recorded_at: Time,
}

/// The four statuses that the API speaks of; the engine knows six.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Status {
    Normal,
    Low,
    High,
    Critical,
}

/// One result as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub code: String,
    pub value: Phi<String>,
    pub unit: String,
    pub reference_low: Option<String>,
    pub reference_high: Option<String>,
    pub collected_at: Time,
}

/// Whose report it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patient {
    pub id: String,
    pub user_id: String,
    pub sex: Sex,
}

impl Report {
    /// Interprets every result, or names the first that is refused and why.
    pub fn record(
        id: ReportId,
        patient: &Patient,
        source: String,
        sent: &[Sent],
        now: Time,
    ) -> Result<Self> {
        // A sample cannot be taken after it is reported; clocks of laboratories differ by minutes.
        let latest = now + chrono::Duration::minutes(15);
        for (index, result) in sent.iter().enumerate() {
            if result.collected_at > latest {
                let field = format!("biomarkers[{index}].collected_at");
                return Err(Error::invalid(
                    "COLLECTED_IN_FUTURE",
                    field,
                    "must not be in the future",
                ));
            }
        }
        let results: Vec<_> = sent.iter().map(Sent::as_result).collect();
        let interpreted = biomarkers::interpret_report(&results, patient.sex).map_err(refused)?;
        let biomarkers = interpreted.iter().zip(sent).map(|(interpreted, sent)| Biomarker {
            id: BiomarkerId::mint(),
            patient_id: patient.id.clone(),
            code: interpreted.marker.code.to_owned(),
            name: interpreted.marker.name.to_owned(),
            comparator: comparator(interpreted),
            value: Phi::new(interpreted.value.magnitude.normalize()),
            unit: interpreted.marker.unit.code().to_owned(),
            reference_low: interpreted.reference.low().map(|it| it.normalize()),
            reference_high: interpreted.reference.high().map(|it| it.normalize()),
            status: Phi::new(interpreted.classification.status.folded().into()),
            original_value: sent.value.clone(),
            original_unit: sent.unit.clone(),
            ruleset: RULESET_VERSION.to_owned(),
            collected_at: sent.collected_at,
            recorded_at: now,
        });
        let biomarkers = biomarkers.collect();
        Ok(Self { id, patient_id: patient.id.clone(), source, recorded_at: now, biomarkers })
    }
}

impl Sent {
    fn as_result(&self) -> LabResult<'_> {
        LabResult {
            code: &self.code,
            value: self.value.expose(),
            unit: &self.unit,
            reference_low: self.reference_low.as_deref(),
            reference_high: self.reference_high.as_deref(),
            collected_at_micros: self.collected_at.timestamp_micros(),
        }
    }
}

impl From<FoldedStatus> for Status {
    fn from(it: FoldedStatus) -> Self {
        match it {
            FoldedStatus::Normal => Self::Normal,
            FoldedStatus::Low => Self::Low,
            FoldedStatus::High => Self::High,
            FoldedStatus::Critical => Self::Critical,
        }
    }
}

fn comparator(interpreted: &Interpreted) -> Option<String> {
    match interpreted.value.comparator {
        Comparator::Exactly => None,
        Comparator::LessThan => Some("<".into()),
        Comparator::GreaterThan => Some(">".into()),
    }
}

/// The engine's refusal, by the field of the request that it is about.
fn refused(refused: biomarkers::ReportError) -> Error {
    use biomarkers::Error as E;
    let (reason, field) = match &refused.error {
        E::UnknownMarker { .. } => ("BIOMARKER_UNKNOWN", "code".to_owned()),
        E::UnknownUnit { .. } | E::UnitNotConvertible { .. } => ("UNIT_UNKNOWN", "unit".to_owned()),
        E::NotDecimal { field, .. } => ("VALUE_NOT_DECIMAL", field.to_string()),
        E::Implausible { .. } | E::Overflow => ("VALUE_IMPLAUSIBLE", "value".to_owned()),
        E::RangeInverted => ("RANGE_INVERTED", "reference_low".to_owned()),
        E::Duplicate { .. } => ("BIOMARKER_DUPLICATE", "code".to_owned()),
    };
    let rule = match &refused.error {
        E::NotDecimal { rule, .. } => format!("is refused: {rule}"),
        other => format!("is refused: {other}"),
    };
    Error::invalid(reason, format!("biomarkers[{}].{field}", refused.index), rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patient(sex: Sex) -> Patient {
        Patient { id: "pat_1".into(), user_id: "usr_1".into(), sex }
    }

    fn sent(code: &str, value: &str, unit: &str) -> Sent {
        let (reference_low, reference_high) = (None, None);
        let (code, value, unit) = (code.into(), Phi::new(value.into()), unit.into());
        Sent { code, value, unit, reference_low, reference_high, collected_at: Time::UNIX_EPOCH }
    }

    fn record(sex: Sex, sent: &[Sent]) -> Result<Report> {
        Report::record(ReportId::mint(), &patient(sex), "manual".into(), sent, Time::UNIX_EPOCH)
    }

    #[test]
    fn one_value_is_normal_for_him_and_high_for_her() {
        let results = [sent("testosterone-total", "400", "ng/dL")];
        let status = |sex| record(sex, &results).unwrap().biomarkers[0].status.clone();
        assert_eq!(status(Sex::Male), Phi::new(Status::Normal));
        assert_ne!(status(Sex::Female), Phi::new(Status::Normal));
    }

    #[test]
    fn values_are_kept_in_the_platforms_unit_and_as_the_laboratory_wrote_them() {
        let report = record(Sex::Male, &[sent("albumin", "42", "g/L")]).unwrap();
        let albumin = &report.biomarkers[0];
        assert_eq!(
            (albumin.value.expose().to_string().as_str(), albumin.unit.as_str()),
            ("4.2", "g/dL")
        );
        assert_eq!(
            (albumin.original_value.expose().as_str(), albumin.original_unit.as_str()),
            ("42", "g/L")
        );
    }

    #[test]
    fn the_first_refused_result_is_named_with_its_field() {
        for (results, reason) in [
            (
                vec![sent("albumin", "4.2", "g/dL"), sent("albumen", "4", "g/dL")],
                "BIOMARKER_UNKNOWN",
            ),
            (vec![sent("albumin", "4.2", "g/dL"), sent("tsh", "1", "furlong")], "UNIT_UNKNOWN"),
            (
                vec![sent("albumin", "4.2", "g/dL"), sent("tsh", "1e3", "mIU/L")],
                "VALUE_NOT_DECIMAL",
            ),
            (
                vec![sent("albumin", "4.2", "g/dL"), sent("albumin", "4.3", "g/dL")],
                "BIOMARKER_DUPLICATE",
            ),
            (vec![sent("tsh", "1", "mIU/L"), sent("albumin", "420", "g/dL")], "VALUE_IMPLAUSIBLE"),
        ] {
            let error = record(Sex::Male, &results).unwrap_err();
            assert_eq!(error.reason(), reason);
            assert!(error.to_string().starts_with("biomarkers[1]."), "{error}");
        }
    }

    #[test]
    fn a_sample_is_not_taken_tomorrow() {
        let mut result = sent("albumin", "4.2", "g/dL");
        result.collected_at = Time::UNIX_EPOCH + chrono::Duration::days(1);
        assert_eq!(record(Sex::Male, &[result]).unwrap_err().reason(), "COLLECTED_IN_FUTURE");
    }
}
