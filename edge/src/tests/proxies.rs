//! The word of a trusted proxy counts, at pages and methods, and nobody else's does.

use http::Request;

use super::{
    door::{Door, Setting},
    pages,
};

fn behind(proxies: &[&str]) -> Setting {
    let mut setting = Setting::new();
    setting.config.trusted_proxies = proxies.iter().map(|it| it.parse().unwrap()).collect();
    setting
}

const CLAIMS: [(&str, &str); 3] = [
    ("x-forwarded-for", "6.6.6.6, 203.0.113.9"),
    ("x-forwarded-proto", "http"),
    ("x-forwarded-host", "asked.test:81"),
];

async fn get(door: &Door, path: &str, claims: &[(&str, &str)]) {
    let mut request = Request::get(path);
    if path.starts_with("/v1") {
        request = request.header("authorization", format!("Bearer {}", door.reader()));
    }
    for (name, value) in claims {
        request = request.header(*name, *value);
    }
    assert_eq!(door.send(request, "").await.status, 200);
}

fn shown(headers: &http::HeaderMap) -> [&str; 3] {
    ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"].map(|name| {
        assert_eq!(headers.get_all(name).iter().count(), 1, "{name}");
        headers[name].to_str().unwrap()
    })
}

#[tokio::test]
async fn services_and_pages_hear_whom_a_trusted_proxy_speaks_for() {
    let ignored = ["127.0.0.1", "https", "loop.test"];
    let believed = ["203.0.113.9", "http", "asked.test:81"];
    for (proxies, expected) in
        [(&[][..], ignored), (&["10.0.0.0/8"], ignored), (&["127.0.0.0/8"], believed)]
    {
        let (door, seen) = pages::door_of(behind(proxies)).await;
        get(&door, "/sign-in", &CLAIMS).await;
        let page = seen.lock().unwrap().clone();
        assert_eq!(shown(&page), expected, "{proxies:?}");
        get(&door, "/v1/biomarkers/bio_1", &CLAIMS).await;
        assert_eq!(shown(&door.clinical.last()), expected, "{proxies:?}");
        for headers in [page, door.clinical.last()] {
            assert!(!headers.contains_key("forwarded") && !headers.contains_key("x-real-ip"));
        }
    }
}

#[tokio::test]
async fn the_standard_header_is_believed_where_the_usual_ones_are_not_there() {
    let door = behind(&["127.0.0.1"]).open().await;
    let forwarded = ("forwarded", "for=6.6.6.6, for=\"[2001:db8::1]:80\";host=asked.test");
    get(&door, "/v1/biomarkers/bio_1", &[forwarded]).await;
    assert_eq!(shown(&door.clinical.last()), ["2001:db8::1", "https", "asked.test"]);
    get(&door, "/v1/biomarkers/bio_1", &[forwarded, ("x-forwarded-for", "192.0.2.1")]).await;
    assert_eq!(shown(&door.clinical.last()), ["192.0.2.1", "https", "loop.test"]);
}

#[tokio::test]
async fn each_caller_behind_a_proxy_is_counted_alone() {
    let mut setting = behind(&["127.0.0.1"]);
    setting.config.rates.authorize = 1;
    let (door, _) = pages::door_of(setting).await;
    let ask = async |address: &str| {
        let request = Request::get("/sign-in").header("x-forwarded-for", address);
        door.send(request, "").await.status
    };
    assert_eq!(ask("203.0.113.9").await, 200);
    assert_eq!(ask("6.6.6.6, 203.0.113.9").await, 429);
    assert_eq!(ask("203.0.113.10").await, 200);
    // IPv6 subscribers have a network each.
    assert_eq!(ask("2001:db8::1").await, 200);
    assert_eq!(ask("[2001:db8::2]:4711").await, 429);
}
