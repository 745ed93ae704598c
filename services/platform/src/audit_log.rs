//! The audit log of the whole platform: each service is asked for its own, and the answers merged.

use kit::{Call, Error, Platform, Result};
use platform_contract::v1 as pb;
use records_contract::v1::{
    AuditEntry, ListAuditEntriesRequest, ListAuditEntriesResponse,
    records_service_client::RecordsServiceClient,
};
use tokio::task::JoinSet;
use tonic::Code;

use crate::wire;

/// One page over all services. A log with a hole in it would mislead, so one service that does not
/// answer fails the call.
pub async fn list(
    platform: &Platform,
    call: &Call<pb::ListAuditLogRequest>,
) -> Result<pb::ListAuditLogResponse> {
    let filter = &call.body;
    let limit = if filter.limit == 0 { 20 } else { filter.limit };
    let request = ListAuditEntriesRequest {
        actor_id: filter.actor_id.clone(),
        event_type: filter.event_type.clone(),
        entity_type: filter.entity_type.clone(),
        entity_id: filter.entity_id.clone(),
        since: filter.since,
        until: filter.until,
        // Any page may come from one service alone.
        limit: filter.offset + limit,
    };
    let answers = ask_all(platform, call, request).await?;
    let total = answers.iter().map(|(_, it)| it.total).sum();
    let mut rows: Vec<_> = answers
        .into_iter()
        .flat_map(|(source, it)| it.entries.into_iter().map(move |it| (source, it)))
        .collect();
    rows.sort_by_cached_key(|(_, it)| newest_first(it));
    let page = rows.into_iter().skip(filter.offset as usize).take(limit as usize);
    let rows = page.map(|(source, it)| wire::audit_row(source, it)).collect();
    Ok(pb::ListAuditLogResponse { rows, total })
}

async fn ask_all(
    platform: &Platform,
    call: &Call<pb::ListAuditLogRequest>,
    request: ListAuditEntriesRequest,
) -> Result<Vec<(&'static str, ListAuditEntriesResponse)>> {
    let mut asked: JoinSet<Result<_>> = JoinSet::new();
    for service in platform.services {
        let (peers, context, request) =
            (platform.peers.clone(), call.context.clone(), request.clone());
        asked.spawn(async move {
            let peer = peers.within(service.name, &context).await?;
            let answer = RecordsServiceClient::new(peer).list_audit_entries(request).await;
            let answer = answer.map_err(|status| match status.code() {
                // The filter came from the caller as it is.
                Code::InvalidArgument => {
                    Error::new(Code::InvalidArgument, "VALIDATION", status.message())
                }
                _ => Error::unavailable(
                    "AUDIT_LOG_INCOMPLETE",
                    format!("{} does not answer", service.name),
                )
                .caused_by(kit::from_peer(status)),
            })?;
            Ok((service.name, answer.into_inner()))
        });
    }
    let mut answers = Vec::new();
    while let Some(answer) = asked.join_next().await {
        answers.push(answer.map_err(Error::internal)??);
    }
    Ok(answers)
}

fn newest_first(entry: &AuditEntry) -> impl Ord + use<> {
    let at = entry.occurred_at.map(|it| (it.seconds, it.nanos));
    std::cmp::Reverse((at, entry.id.clone()))
}
