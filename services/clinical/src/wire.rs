//! Protobuf on one side, the domain on the other.

use clinical_contract::v1 as pb;
use kit::{Brand, Change, Error, Result, Time, Uuid, timestamp};

use crate::domain::{Biomarker, Report, Sent, Status};

/// The results of a request, their times read.
pub fn sent(request: &pb::ParseBiomarkersRequest) -> Result<Vec<Sent>> {
    request.biomarkers.iter().enumerate().map(|(index, it)| one_sent(index, it)).collect()
}

fn one_sent(index: usize, it: &pb::BiomarkerResult) -> Result<Sent> {
    let collected_at = it.collected_at.as_ref().and_then(kit::time).ok_or_else(|| {
        let field = format!("biomarkers[{index}].collected_at");
        Error::invalid("TIME_INVALID", field, "must be a time in the years 1 to 9999")
    })?;
    Ok(Sent {
        code: it.code.clone(),
        value: it.value.clone().into(),
        unit: it.unit.clone(),
        reference_low: it.reference_low.clone(),
        reference_high: it.reference_high.clone(),
        collected_at,
    })
}

/// A recorded report as a change: the fact names codes and ids, never a value.
pub fn recorded(report: Report, brand: &Brand) -> Change<Report> {
    let codes: Vec<_> = report.biomarkers.iter().map(|it| it.code.clone()).collect();
    let details = serde_json::json!({"biomarker_codes": &codes, "source": &report.source});
    let event = pb::BiomarkerParsed {
        patient_id: report.patient_id.clone(),
        brand_id: brand.to_string(),
        report_id: report.id.to_string(),
        biomarker_ids: report.biomarkers.iter().map(|it| it.id.to_string()).collect(),
        biomarker_codes: codes,
        source: report.source.clone(),
        collected_at: report.biomarkers.iter().map(|it| it.collected_at).max().map(timestamp),
        parsed_at: Some(timestamp(report.recorded_at)),
    };
    let id = report.id;
    Change::of(report, "lab_report", id).told_by(&event).details(details)
}

pub fn parsed(report: Report, brand: &Brand) -> pb::ParseBiomarkersResponse {
    let count = report.biomarkers.len() as i32;
    let results = report.biomarkers.into_iter().map(|it| biomarker(it, brand)).collect();
    pb::ParseBiomarkersResponse { results, count }
}

pub fn biomarker(it: Biomarker, brand: &Brand) -> pb::Biomarker {
    pb::Biomarker {
        id: it.id.to_string(),
        patient_id: it.patient_id,
        brand_id: brand.to_string(),
        biomarker_code: it.code,
        biomarker_name: it.name,
        value: it.value.expose().to_string(),
        unit: it.unit,
        reference_low: it.reference_low.map(|it| it.to_string()),
        reference_high: it.reference_high.map(|it| it.to_string()),
        status: pb::BiomarkerStatus::from(*it.status.expose()).into(),
        collected_at: Some(timestamp(it.collected_at)),
        parsed_at: Some(timestamp(it.recorded_at)),
        comparator: it.comparator,
    }
}

impl From<Status> for pb::BiomarkerStatus {
    fn from(it: Status) -> Self {
        match it {
            Status::Normal => Self::Normal,
            Status::Low => Self::Low,
            Status::High => Self::High,
            Status::Critical => Self::Critical,
        }
    }
}

/// A place in a list, as a page token holds it.
pub fn place_of(it: &Biomarker) -> String {
    format!("{}/{}", it.collected_at.timestamp_micros(), it.id.uuid())
}

pub fn place(text: &str) -> Option<(Time, Uuid)> {
    let (micros, id) = text.split_once('/')?;
    Some((Time::from_timestamp_micros(micros.parse().ok()?)?, id.parse().ok()?))
}
