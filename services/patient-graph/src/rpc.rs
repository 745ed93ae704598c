//! The gRPC surface: read the request, ask the domain, write the answer.

use kit::{Call, Error, Platform, Reply, Result};
use patient_graph_contract::v1::{
    self as pb,
    patient_graph_service_server::{PatientGraphService, PatientGraphServiceServer},
    resolve_patient_request::By,
};
use tonic::{Request, Response, async_trait, service::Routes};

use crate::{
    domain::patient::{Patient, PatientId},
    store, wire,
};

pub fn routes(platform: &Platform) -> Routes {
    Routes::new(PatientGraphServiceServer::new(Rpc { platform: platform.clone() }))
}

struct Rpc {
    platform: Platform,
}

#[async_trait]
impl PatientGraphService for Rpc {
    async fn create_patient(
        &self,
        request: Request<pb::CreatePatientRequest>,
    ) -> Reply<pb::CreatePatientResponse> {
        let call = Call::of(request)?;
        let mut tx = self.platform.db.begin(&call).await?;
        let patient = wire::new_patient(PatientId::mint(), &call.body, tx.now())?;
        if let Some(user_id) = &patient.user_id {
            store::patient::refuse_second(&mut tx, user_id).await?;
        }
        let tx = tx.record(wire::created(patient, call.brand())).await?;
        tx.commit(|it| pb::CreatePatientResponse { patient: Some(wire::patient(it, call.brand())) })
            .await
    }

    async fn get_patient_safe(
        &self,
        request: Request<pb::GetPatientSafeRequest>,
    ) -> Reply<pb::GetPatientSafeResponse> {
        let call = Call::of(request)?;
        let patient = self.visible(&call, &call.body.id).await?;
        let patient = Some(wire::safe(patient, call.brand()));
        Ok(Response::new(pb::GetPatientSafeResponse { patient }))
    }

    async fn resolve_patient(
        &self,
        request: Request<pb::ResolvePatientRequest>,
    ) -> Reply<pb::ResolvePatientResponse> {
        let call = Call::of(request)?;
        let mut reader = self.platform.db.read(&call).await?;
        let found = match &call.body.by {
            Some(By::UserId(user_id)) => store::patient::of_user(&mut reader, user_id).await?,
            Some(By::PatientId(id)) => match PatientId::find(id) {
                Some(id) => store::patient::get(&mut reader, id).await?,
                None => None,
            },
            None => {
                return Err(
                    Error::invalid("BY_MISSING", "by", "must name a user or a patient").into()
                );
            }
        };
        Ok(Response::new(wire::resolved(found.ok_or_else(absent)?)))
    }

    async fn list_timeline(
        &self,
        request: Request<pb::ListTimelineRequest>,
    ) -> Reply<pb::ListTimelineResponse> {
        let call = Call::of(request)?;
        let patient = self.visible(&call, &call.body.patient_id).await?;
        let mut reader = self.platform.db.read(&call).await?;
        let page = store::timeline::list(&mut reader, &patient.id.to_string(), &call.body).await?;
        Ok(Response::new(wire::timeline(page, &patient, call.brand())))
    }
}

impl Rpc {
    /// A patient that this caller may see. A person sees their own; what is not theirs is as
    /// absent as what does not exist.
    async fn visible<T>(&self, call: &Call<T>, id: &str) -> Result<Patient> {
        let id = PatientId::find(id).ok_or_else(absent)?;
        let found = store::patient::get(&mut self.platform.db.read(call).await?, id).await?;
        let own = |it: &Patient| !call.is_person() || it.user_id.as_deref() == Some(call.subject());
        found.filter(own).ok_or_else(absent)
    }
}

fn absent() -> Error {
    Error::not_found("PATIENT_NOT_FOUND", "no such patient")
}
