//! A patient-graph with one patient.

use kit::Reply;
use mesh::App;
use patient_graph_contract::v1::{
    self as pb, Gender,
    patient_graph_service_server::{PatientGraphService, PatientGraphServiceServer},
    resolve_patient_request::By,
};
use tonic::{Request, Response, Status, async_trait, body::Body, service::Routes};
use tower::{Service as _, util::BoxCloneSyncService};

pub struct FakePatients;

impl FakePatients {
    pub fn app() -> App {
        let router = Routes::new(PatientGraphServiceServer::new(Self)).prepare().into_axum_router();
        BoxCloneSyncService::new(tower::service_fn(move |request: http::Request<Body>| {
            let mut router = router.clone();
            async move { Ok(router.call(request).await?.map(Body::new)) }
        }))
    }
}

#[async_trait]
impl PatientGraphService for FakePatients {
    async fn resolve_patient(
        &self,
        request: Request<pb::ResolvePatientRequest>,
    ) -> Reply<pb::ResolvePatientResponse> {
        let in_loop = request.metadata().get("x-brand-id").is_some_and(|it| it == "loop");
        match request.into_inner().by {
            Some(By::UserId(id)) if in_loop && id == "usr_ada" => {}
            Some(By::PatientId(id)) if in_loop && id == "pat_ada" => {}
            _ => return Err(Status::not_found("no such patient")),
        }
        Ok(Response::new(pb::ResolvePatientResponse {
            patient_id: "pat_ada".into(),
            user_id: "usr_ada".into(),
            gender: Gender::Female.into(),
            date_of_birth: String::new(),
        }))
    }

    async fn create_patient(
        &self,
        _: Request<pb::CreatePatientRequest>,
    ) -> Reply<pb::CreatePatientResponse> {
        Err(Status::unimplemented("the fake resolves only"))
    }

    async fn get_patient_safe(
        &self,
        _: Request<pb::GetPatientSafeRequest>,
    ) -> Reply<pb::GetPatientSafeResponse> {
        Err(Status::unimplemented("the fake resolves only"))
    }

    async fn list_timeline(
        &self,
        _: Request<pb::ListTimelineRequest>,
    ) -> Reply<pb::ListTimelineResponse> {
        Err(Status::unimplemented("the fake resolves only"))
    }
}
