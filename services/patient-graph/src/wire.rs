//! Protobuf on one side, the domain on the other.

use kit::{Brand, Change, Result, Time, json_of, struct_of, timestamp};
use patient_graph_contract::v1 as pb;

use crate::{
    domain::{
        patient::{Gender, Patient, PatientId, date_of_birth},
        timeline::Entry,
    },
    store::timeline::Page,
};

pub fn new_patient(
    id: PatientId,
    request: &pb::CreatePatientRequest,
    now: Time,
) -> Result<Patient> {
    let birth = request.date_of_birth.as_deref().map(|it| date_of_birth(it, now)).transpose()?;
    Ok(Patient {
        id,
        user_id: request.user_id.clone().filter(|it| !it.is_empty()),
        first_name: request.first_name.clone().into(),
        last_name: request.last_name.clone().into(),
        date_of_birth: birth.into(),
        gender: Gender::from(request.gender()).into(),
        email: request.email.clone().into(),
        phone: request.phone.clone().into(),
        external_ids: request.external_ids.clone().into(),
        status: "active".into(),
        metadata: request.metadata.as_ref().map_or_else(|| serde_json::json!({}), json_of),
        created_at: now,
        updated_at: now,
    })
}

pub fn created(patient: Patient, brand: &Brand) -> Change<Patient> {
    let event = pb::PatientCreated {
        patient_id: patient.id.to_string(),
        brand_id: brand.to_string(),
        created_at: Some(timestamp(patient.created_at)),
    };
    let id = patient.id;
    Change::of(patient, "patient", id).told_by(&event)
}

pub fn patient(it: Patient, brand: &Brand) -> pb::Patient {
    pb::Patient {
        id: it.id.to_string(),
        brand_id: brand.to_string(),
        first_name: it.first_name.into_exposed(),
        last_name: it.last_name.into_exposed(),
        date_of_birth: it.date_of_birth.expose().map(|it| it.to_string()).unwrap_or_default(),
        gender: pb::Gender::from(*it.gender.expose()).into(),
        email: it.email.into_exposed().unwrap_or_default(),
        phone: it.phone.into_exposed().unwrap_or_default(),
        external_ids: it.external_ids.into_exposed(),
        status: it.status,
        metadata: Some(struct_of(&it.metadata)),
        created_at: Some(timestamp(it.created_at)),
        updated_at: Some(timestamp(it.updated_at)),
        user_id: it.user_id.unwrap_or_default(),
    }
}

/// The safe view: ids, status, metadata and times.
pub fn safe(it: Patient, brand: &Brand) -> pb::SafePatient {
    pb::SafePatient {
        id: it.id.to_string(),
        brand_id: brand.to_string(),
        external_ids: it.external_ids.into_exposed(),
        status: it.status,
        metadata: Some(struct_of(&it.metadata)),
        created_at: Some(timestamp(it.created_at)),
        updated_at: Some(timestamp(it.updated_at)),
    }
}

pub fn resolved(it: Patient) -> pb::ResolvePatientResponse {
    pb::ResolvePatientResponse {
        patient_id: it.id.to_string(),
        user_id: it.user_id.unwrap_or_default(),
        gender: pb::Gender::from(*it.gender.expose()).into(),
        date_of_birth: it.date_of_birth.expose().map(|it| it.to_string()).unwrap_or_default(),
    }
}

pub fn timeline(page: Page, patient: &Patient, brand: &Brand) -> pb::ListTimelineResponse {
    let events = page.entries.into_iter().map(|it| entry(it, brand)).collect();
    pb::ListTimelineResponse {
        patient_id: patient.id.to_string(),
        events,
        total: page.total as i32,
    }
}

fn entry(it: Entry, brand: &Brand) -> pb::TimelineEvent {
    pb::TimelineEvent {
        id: it.id.to_string(),
        patient_id: it.patient_id,
        brand_id: brand.to_string(),
        event_type: it.event_type,
        title: it.title,
        description: it.description,
        occurred_at: Some(timestamp(it.occurred_at)),
        source_type: it.source_type,
        source_id: it.source_id,
        metadata: Some(struct_of(&it.metadata)),
        created_at: Some(timestamp(it.created_at)),
    }
}

impl From<pb::Gender> for Gender {
    fn from(it: pb::Gender) -> Self {
        match it {
            pb::Gender::Unspecified => Self::Unknown,
            pb::Gender::Female => Self::Female,
            pb::Gender::Male => Self::Male,
            pb::Gender::Intersex => Self::Intersex,
        }
    }
}

impl From<Gender> for pb::Gender {
    fn from(it: Gender) -> Self {
        match it {
            Gender::Unknown => Self::Unspecified,
            Gender::Female => Self::Female,
            Gender::Male => Self::Male,
            Gender::Intersex => Self::Intersex,
        }
    }
}
