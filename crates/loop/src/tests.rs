//! What each `service.yaml` says, held against the services as the program knows them.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::SERVICES;

fn services() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../services")
}

fn consumed(service: &str) -> Vec<String> {
    let path = services().join(service).join("service.yaml");
    let manifest: Value = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let names = manifest["contracts"]["events_consumed"].as_array().unwrap().iter();
    names.map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_manifest_lists_exactly_the_events_that_its_service_subscribes_to() {
    for service in SERVICES {
        let names = service.subscriptions.iter().map(|it| it.event.name.to_owned());
        let subscribed: Vec<_> = names.collect::<BTreeSet<_>>().into_iter().collect();
        assert_eq!(consumed(service.name), subscribed, "services/{}/service.yaml", service.name);
    }
}

#[test]
fn every_folder_of_services_is_a_service_of_the_program() {
    let folders = fs::read_dir(services()).unwrap().map(|it| it.unwrap().file_name());
    let folders: BTreeSet<_> = folders.map(|it| it.into_string().unwrap()).collect();
    let names: BTreeSet<_> = SERVICES.iter().map(|it| it.name.to_owned()).collect();
    assert_eq!(folders, names);
}
