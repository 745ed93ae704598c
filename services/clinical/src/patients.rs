//! Who a patient is: patient-graph knows.

use biomarkers::Sex;
use kit::{Context, Error, Peers, Result};
use patient_graph_contract::v1::{
    Gender, ResolvePatientRequest, patient_graph_service_client::PatientGraphServiceClient,
    resolve_patient_request::By,
};
use tonic::Code;

use crate::domain::Patient;

/// The patient of a user, if the user is one in this brand.
pub async fn of_user(peers: &Peers, context: &Context, user_id: &str) -> Result<Option<Patient>> {
    resolve(peers, context, By::UserId(user_id.to_owned())).await
}

pub async fn by_id(peers: &Peers, context: &Context, patient_id: &str) -> Result<Option<Patient>> {
    resolve(peers, context, By::PatientId(patient_id.to_owned())).await
}

async fn resolve(peers: &Peers, context: &Context, by: By) -> Result<Option<Patient>> {
    let peer = peers.within("patient-graph", context).await?;
    let request = ResolvePatientRequest { by: Some(by) };
    match PatientGraphServiceClient::new(peer).resolve_patient(request).await {
        Ok(answer) => {
            let answer = answer.into_inner();
            let sex = sex(answer.gender());
            Ok(Some(Patient { id: answer.patient_id, user_id: answer.user_id, sex }))
        }
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => {
            Err(Error::unavailable("PATIENTS_UNAVAILABLE", "the patient cannot be looked up now")
                .caused_by(kit::from_peer(status)))
        }
    }
}

fn sex(gender: Gender) -> Sex {
    match gender {
        Gender::Female => Sex::Female,
        Gender::Male => Sex::Male,
        Gender::Intersex => Sex::Intersex,
        Gender::Unspecified => Sex::Unknown,
    }
}
