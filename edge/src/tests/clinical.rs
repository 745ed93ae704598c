//! A clinical service that answers by the id it is asked for, without any layer of its own.

use std::sync::{
    Arc, Barrier, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use clinical_contract::v1::{
    self as pb,
    clinical_service_server::{ClinicalService, ClinicalServiceServer},
};
use http::HeaderMap;
use kit::{Error, Reply};
use mesh::App;
use tokio::sync::Semaphore;
use tonic::{Request, Response, async_trait, body::Body, metadata::MetadataValue, service::Routes};
use tower::{Service as _, util::BoxCloneSyncService};

/// Protected values that no log may show.
pub const CANARY: &str = "canary-7f3a";

#[derive(Clone, Debug)]
pub struct FakeClinical {
    /// The headers of every call that arrived.
    seen: Arc<Mutex<Vec<HeaderMap>>>,
    /// Calls for `bio_waits` wait for a permit.
    pub gate: Arc<Semaphore>,
    /// A call for `bio_blocks` holds its whole thread until the test comes here as well.
    pub block: Arc<Barrier>,
    /// How many calls were dropped before they were answered.
    gone: Arc<AtomicUsize>,
}

/// Counts a call that ends without an answer.
struct Unanswered(Arc<AtomicUsize>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl FakeClinical {
    pub fn new() -> Self {
        Self {
            seen: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
            block: Arc::new(Barrier::new(2)),
            gone: Arc::default(),
        }
    }

    pub fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub fn gone(&self) -> usize {
        self.gone.load(Ordering::SeqCst)
    }

    /// The headers of the last call.
    pub fn last(&self) -> HeaderMap {
        self.seen.lock().unwrap().last().expect("a call").clone()
    }

    fn note<T>(&self, request: Request<T>) -> T {
        let (metadata, _, message) = request.into_parts();
        self.seen.lock().unwrap().push(metadata.into_headers());
        message
    }

    pub fn app(&self) -> App {
        let server = ClinicalServiceServer::new(self.clone());
        let router = Routes::new(server).prepare().into_axum_router();
        BoxCloneSyncService::new(tower::service_fn(move |request: http::Request<Body>| {
            let mut router = router.clone();
            async move { Ok(router.call(request).await?.map(Body::new)) }
        }))
    }
}

fn receipted<T>(message: T) -> Response<T> {
    let mut response = Response::new(message);
    let receipt = MetadataValue::from_static("0197a5d0-0000-7000-8000-000000000001");
    response.metadata_mut().insert(kit::RECEIPT, receipt);
    response
}

fn biomarker(id: String) -> pb::GetBiomarkerResponse {
    let biomarker = pb::Biomarker {
        id,
        patient_id: CANARY.into(),
        biomarker_code: "albumin".into(),
        value: "4.10".into(),
        status: pb::BiomarkerStatus::Normal as i32,
        ..Default::default()
    };
    pb::GetBiomarkerResponse { biomarker: Some(biomarker) }
}

#[async_trait]
impl ClinicalService for FakeClinical {
    async fn get_biomarker(
        &self,
        request: Request<pb::GetBiomarkerRequest>,
    ) -> Reply<pb::GetBiomarkerResponse> {
        let id = self.note(request).id;
        match &*id {
            "bio_unaudited" => Ok(Response::new(biomarker(id))),
            "bio_missing" => {
                Err(Error::not_found("BIOMARKER_NOT_FOUND", "no such biomarker").into())
            }
            "bio_stalls" => {
                let _unanswered = Unanswered(self.gone.clone());
                std::future::pending().await
            }
            "bio_blocks" => {
                self.block.wait();
                Ok(receipted(biomarker(id)))
            }
            "bio_panics" => panic!("a service panics"),
            "bio_waits" => {
                self.gate.acquire().await.expect("it is never closed").forget();
                Ok(receipted(biomarker(id)))
            }
            "bio_long" => {
                let mut response = biomarker(id);
                response.biomarker.as_mut().unwrap().biomarker_name = "x".repeat(5000);
                Ok(receipted(response))
            }
            "bio_large" => {
                let mut response = biomarker(id);
                response.biomarker.as_mut().unwrap().biomarker_name = "x".repeat(17 << 20);
                Ok(receipted(response))
            }
            _ => Ok(receipted(biomarker(id))),
        }
    }

    async fn parse_biomarkers(
        &self,
        request: Request<pb::ParseBiomarkersRequest>,
    ) -> Reply<pb::ParseBiomarkersResponse> {
        let message = self.note(request);
        let count = message.biomarkers.len() as i32;
        let mut response = pb::ParseBiomarkersResponse { results: Vec::new(), count };
        if message.source == "unaudited" {
            return Ok(Response::new(response));
        }
        response.results.extend(biomarker("bio_1".into()).biomarker);
        let mut response = receipted(response);
        if message.source == "replayed" {
            let replayed = MetadataValue::from_static("true");
            response.metadata_mut().insert("idempotent-replayed", replayed);
        }
        Ok(response)
    }

    async fn list_my_biomarkers(
        &self,
        request: Request<pb::ListMyBiomarkersRequest>,
    ) -> Reply<pb::ListMyBiomarkersResponse> {
        self.note(request);
        Ok(receipted(pb::ListMyBiomarkersResponse::default()))
    }

    async fn list_biomarkers(
        &self,
        request: Request<pb::ListBiomarkersRequest>,
    ) -> Reply<pb::ListBiomarkersResponse> {
        self.note(request);
        Ok(receipted(pb::ListBiomarkersResponse::default()))
    }
}
