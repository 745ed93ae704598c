//! Everything below the path of the public URL, and nothing outside.

use http::Request;

use super::door::{Door, Setting};

async fn below(path: &str) -> Door {
    let mut setting = Setting::new();
    setting.config.public_url = format!("https://loop.test{path}").into();
    setting.openapi = include_bytes!("../../openapi.json");
    setting.open().await
}

#[tokio::test]
async fn what_is_below_the_prefix_is_what_was_at_the_root() {
    let door = below("/loop").await;
    let token = door.reader();
    assert_eq!(door.get("/loop/v1/biomarkers/bio_1", &token).await.status, 200);
    assert_eq!(door.get("/loop/healthz", "").await.status, 200);
    let call = "/loop/loop.clinical.v1.ClinicalService/GetBiomarker";
    assert_eq!(door.post(call, &token, r#"{"id":"bio_1"}"#).await.status, 200);
    let asked = Request::get("/loop/v1/biomarkers/bio_1").header("host", "clinical.loop.test");
    let asked = asked.header("authorization", format!("Bearer {token}"));
    assert_eq!(door.send(asked, "").await.status, 200);
    for path in ["/v1/biomarkers/bio_1", "/healthz", "/", "/loops", "/loop%2Fhealthz", "//loop/"] {
        let answer = door.get(path, &token).await;
        assert_eq!((answer.status, &*answer.error()), (404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn links_of_the_gateways_own_pages_follow_the_prefix() {
    let door = below("/loop").await;
    let answer = door.get("/loop", "").await;
    assert_eq!((answer.status, answer.header("location")), (308, "/loop/"));
    let servers = door.get("/loop/openapi.json", "").await.json()["servers"].clone();
    assert_eq!(servers[0]["url"], "/loop");
    for (page, base) in [("/loop/", "/loop/"), ("/loop/reference", "/loop/")] {
        let html = String::from_utf8(door.get(page, "").await.body.to_vec()).unwrap();
        let links = html.split("href=\"").chain(html.split("src=\"")).skip(1);
        let mut followed = 0;
        for link in links.filter_map(|it| it.split('"').next()).filter(|it| !it.contains('<')) {
            assert!(!link.starts_with('/'), "{page} leaves the prefix by {link}");
            let path = link.split('#').next().unwrap();
            if !path.is_empty() && !path.starts_with(".well-known") {
                let status = door.get(&format!("{base}{path}"), "").await.status;
                assert_eq!(status, 200, "{page} leads to {path}");
                followed += 1;
            }
        }
        assert!(followed > 2, "{page}");
    }
}

#[tokio::test]
async fn the_metadata_of_the_issuer_are_where_the_standard_says() {
    let door = below("/loop").await;
    for (path, found) in [
        ("/.well-known/oauth-authorization-server/loop", true),
        ("/loop/.well-known/oauth-authorization-server", true),
        ("/.well-known/oauth-authorization-server", false),
    ] {
        assert_eq!(door.get(path, "").await.status != 404, found, "{path}");
    }
}
