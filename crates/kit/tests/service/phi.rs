//! Protected values do not print.

use clinical_contract::v1::{Biomarker, BiomarkerResult, BiomarkerStatus, ParseBiomarkersRequest};

#[test]
fn a_generated_message_shows_a_marker_for_each_protected_field() {
    let biomarker = Biomarker {
        id: "bio_1".into(),
        patient_id: "pat_secret".into(),
        biomarker_code: "albumin".into(),
        value: "4.2137".into(),
        status: BiomarkerStatus::Critical.into(),
        comparator: Some("<".into()),
        ..Default::default()
    };
    for text in [format!("{biomarker:?}"), format!("{biomarker:#?}")] {
        for open in ["bio_1", "albumin"] {
            assert!(text.contains(open), "{text}");
        }
        for protected in ["pat_secret", "4.2137", "Critical", "<"] {
            assert!(!text.contains(protected), "{protected} in {text}");
        }
        assert_eq!(text.matches("[phi]").count(), 4, "{text}");
    }
}

#[test]
fn a_protected_field_stays_hidden_within_the_message_around_it() {
    let result = BiomarkerResult { code: "tsh".into(), value: "9.1".into(), ..Default::default() };
    let request = ParseBiomarkersRequest { biomarkers: vec![result], ..Default::default() };
    let text = format!("{:?}", tonic::Request::new(request));
    assert!(text.contains("tsh") && text.contains("[phi]") && !text.contains("9.1"), "{text}");
}
