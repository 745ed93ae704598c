//! The timeline as it is read.

use tonic::Code;

use super::*;

/// A patient with five reports, delivered last to first.
async fn told() -> (World, String) {
    let world = world().await;
    let id = admitted(&world).await.id;
    for version in (1..=5).rev() {
        deliver(&world, &parsed("loop", &id, version)).await.unwrap();
    }
    (world, id)
}

async fn read(
    world: &World,
    patient_id: &str,
    filter: pb::ListTimelineRequest,
) -> pb::ListTimelineResponse {
    let request = pb::ListTimelineRequest { patient_id: patient_id.into(), ..filter };
    person(world, "usr_augusta").list_timeline(request).await.unwrap().into_inner()
}

fn reports(page: &pb::ListTimelineResponse) -> Vec<&str> {
    page.events.iter().map(|it| it.source_id.as_str()).collect()
}

#[tokio::test]
async fn a_person_reads_what_happened_newest_first() {
    let (world, id) = told().await;
    let page = read(&world, &id, Default::default()).await;
    assert_eq!((&page.patient_id, page.total), (&id, 5));
    assert_eq!(reports(&page), ["rep_5", "rep_4", "rep_3", "rep_2", "rep_1"]);
    let newest = &page.events[0];
    assert_eq!(newest.event_type, "biomarkers_recorded");
    assert_eq!(newest.title, "2 biomarkers recorded");
    assert_eq!((newest.source_type.as_str(), newest.brand_id.as_str()), ("lab_report", "loop"));
    let codes = kit::json_of(newest.metadata.as_ref().unwrap());
    assert_eq!(codes["biomarker_codes"], serde_json::json!(["albumin", "tsh"]));
    let reads = "audit_log WHERE event_type = 'patient_graph.timeline.read'
                 AND actor_type = 'user' AND actor_id = 'usr_augusta'";
    assert_eq!(count(&world, reads).await, 1);
}

#[tokio::test]
async fn limit_and_offset_cut_pages_out_of_one_total() {
    let (world, id) = told().await;
    for (limit, offset, expected) in [
        (2, 0, vec!["rep_5", "rep_4"]),
        (2, 2, vec!["rep_3", "rep_2"]),
        (2, 4, vec!["rep_1"]),
        (2, 5, vec![]),
        (100, 3, vec!["rep_2", "rep_1"]),
    ] {
        let filter = pb::ListTimelineRequest { limit, offset, ..Default::default() };
        let page = read(&world, &id, filter).await;
        assert_eq!((reports(&page), page.total), (expected, 5), "{limit} {offset}");
    }
    for (limit, offset) in [(101, 0), (0, 10_001)] {
        let request =
            pb::ListTimelineRequest { patient_id: id.clone(), limit, offset, ..Default::default() };
        let status = person(&world, "usr_augusta").list_timeline(request).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::InvalidArgument, "VALIDATION")
        );
    }
}

#[tokio::test]
async fn a_type_narrows_the_list_and_its_total() {
    let (world, id) = told().await;
    for (event_type, total) in [("biomarkers_recorded", 5), ("order_placed", 0), ("", 5)] {
        let filter =
            pb::ListTimelineRequest { event_type: event_type.into(), ..Default::default() };
        let page = read(&world, &id, filter).await;
        assert_eq!((page.events.len(), page.total), (total as usize, total), "{event_type}");
    }
}

#[tokio::test]
async fn a_timeline_is_closed_to_others_and_to_other_brands() {
    let (world, id) = told().await;
    let request = || pb::ListTimelineRequest { patient_id: id.clone(), ..Default::default() };
    for mut client in [person(&world, "usr_eve"), clinic(&world, "loopbio")] {
        let status = client.list_timeline(request()).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::NotFound, "PATIENT_NOT_FOUND")
        );
    }
    assert_eq!(
        clinic(&world, "loop").list_timeline(request()).await.unwrap().into_inner().total,
        5
    );
}

#[tokio::test]
async fn an_event_told_in_another_brand_is_not_on_the_timeline() {
    let (world, id) = told().await;
    let elsewhere = parsed("loopbio", &id, 1);
    deliver(&world, &elsewhere).await.unwrap();
    assert_eq!(applied(&world, std::slice::from_ref(&elsewhere)).await, [1]);
    assert_eq!(read(&world, &id, Default::default()).await.total, 5);
}
