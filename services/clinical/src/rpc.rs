//! The gRPC surface: read the request, ask the domain, write the answer.

use clinical_contract::v1::{
    self as pb,
    clinical_service_server::{ClinicalService, ClinicalServiceServer},
};
use kit::{Call, Error, Pages, Platform, Reply, Result};
use tonic::{Request, Response, async_trait, service::Routes};

use crate::{
    domain::{Biomarker, BiomarkerId, Patient, Report, ReportId},
    patients, store, wire,
};

pub fn routes(platform: &Platform) -> Routes {
    Routes::new(ClinicalServiceServer::new(Rpc { platform: platform.clone() }))
}

struct Rpc {
    platform: Platform,
}

#[async_trait]
impl ClinicalService for Rpc {
    async fn parse_biomarkers(
        &self,
        request: Request<pb::ParseBiomarkersRequest>,
    ) -> Reply<pb::ParseBiomarkersResponse> {
        let call = Call::of(request)?;
        let patient = self.patient(&call).await?;
        let sent = wire::sent(&call.body)?;

        let tx = self.platform.db.begin(&call).await?;
        let source = call.body.source.clone();
        let report = Report::record(ReportId::mint(), &patient, source, &sent, tx.now())?;
        let tx = tx.record(wire::recorded(report, call.brand())).await?;
        tx.commit(|report| wire::parsed(report, call.brand())).await
    }

    async fn list_my_biomarkers(
        &self,
        request: Request<pb::ListMyBiomarkersRequest>,
    ) -> Reply<pb::ListMyBiomarkersResponse> {
        let call = Call::of(request)?;
        let body = &call.body;
        let pages = Pages::new(&self.platform.key, &call, body.page_size, &[&body.biomarker_code]);
        let after = pages.after(&body.page_token)?;
        let (biomarkers, next_page_token) =
            self.list(&call, call.subject(), &body.biomarker_code, &pages, after).await?;
        Ok(Response::new(pb::ListMyBiomarkersResponse { biomarkers, next_page_token }))
    }

    async fn list_biomarkers(
        &self,
        request: Request<pb::ListBiomarkersRequest>,
    ) -> Reply<pb::ListBiomarkersResponse> {
        let call = Call::of(request)?;
        let body = &call.body;
        let pages = Pages::new(&self.platform.key, &call, body.page_size, &[&body.user_id]);
        let after = pages.after(&body.page_token)?;
        let (biomarkers, next_page_token) =
            self.list(&call, &body.user_id, "", &pages, after).await?;
        Ok(Response::new(pb::ListBiomarkersResponse { biomarkers, next_page_token }))
    }

    async fn get_biomarker(
        &self,
        request: Request<pb::GetBiomarkerRequest>,
    ) -> Reply<pb::GetBiomarkerResponse> {
        let call = Call::of(request)?;
        let biomarker = self.biomarker(&call).await?;
        let biomarker = Some(wire::biomarker(biomarker, call.brand()));
        Ok(Response::new(pb::GetBiomarkerResponse { biomarker }))
    }
}

impl Rpc {
    /// The patient a report is for. A person records for themselves only.
    async fn patient(&self, call: &Call<pb::ParseBiomarkersRequest>) -> Result<Patient> {
        let found =
            patients::by_id(&self.platform.peers, &call.context, &call.body.patient_id).await?;
        found
            .filter(|it| !call.is_person() || it.user_id == call.subject())
            .ok_or_else(|| Error::not_found("PATIENT_NOT_FOUND", "no such patient"))
    }

    async fn list<T>(
        &self,
        call: &Call<T>,
        user_id: &str,
        code: &str,
        pages: &Pages,
        after: Option<String>,
    ) -> Result<(Vec<pb::Biomarker>, String)> {
        let patient = patients::of_user(&self.platform.peers, &call.context, user_id).await?;
        let Some(patient) = patient else { return Ok(Default::default()) };
        let mut reader = self.platform.db.read(call).await?;
        let after = after.as_deref().and_then(wire::place);
        let rows = store::list(&mut reader, &patient.id, code, after, pages.fetch()).await?;
        let (rows, next) = pages.cut(rows, wire::place_of);
        Ok((rows.into_iter().map(|it| wire::biomarker(it, call.brand())).collect(), next))
    }

    /// A person sees their own; what is not theirs is as absent as what does not exist.
    async fn biomarker(&self, call: &Call<pb::GetBiomarkerRequest>) -> Result<Biomarker> {
        let absent = || Error::not_found("BIOMARKER_NOT_FOUND", "no such biomarker");
        let id = BiomarkerId::find(&call.body.id).ok_or_else(absent)?;
        let found =
            store::get(&mut self.platform.db.read(call).await?, id).await?.ok_or_else(absent)?;
        if call.is_person() {
            let own =
                patients::of_user(&self.platform.peers, &call.context, call.subject()).await?;
            own.filter(|it| it.id == found.patient_id).ok_or_else(absent)?;
        }
        Ok(found)
    }
}
