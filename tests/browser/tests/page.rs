//! A page in headless Chromium: opened, read, typed into, looked at.

use std::{
    collections::BTreeSet,
    env,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStdout, Command, Stdio},
};

use fantoccini::{
    Client, ClientBuilder, Locator,
    actions::{InputSource as _, KeyAction, KeyActions},
    elements::Element,
    wd::WebDriverCompatibleCommand,
};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use kit_test::eventually;
use serde_json::{Map, Value, json};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, SemaphorePermit},
    task::block_in_place,
};
use url::{ParseError, Url};

use crate::platform::{Platform, platform};

/// One browser at a time: each is as heavy as the whole platform.
static TURN: Semaphore = Semaphore::const_new(1);

/// A browser with one tab. When dropped the session ends, which blocks the thread, so a test's
/// runtime needs another one; then what drives it.
pub struct Page {
    driver: Client,
    _chromedriver: Chromedriver,
    pub platform: &'static Platform,
    _turn: SemaphorePermit<'static>,
}

/// A command of chromedriver that WebDriver does not have, below the session's address.
#[derive(Debug)]
struct Own {
    path: &'static str,
    body: Value,
}

/// The process that drives Chromium; killed when dropped.
struct Chromedriver {
    child: Child,
    // Kept open: whoever writes to a closed pipe dies.
    output: BufReader<ChildStdout>,
}

impl Page {
    /// A browser that can reach this machine only. `None`, said aloud, where there is no
    /// Chromium and nobody insists on it.
    pub async fn new() -> Option<Self> {
        if !["chromium", "chromedriver"].iter().all(|it| is_installed(it)) {
            assert!(env::var_os("CI").is_none(), "chromium and chromedriver are not installed");
            eprintln!("SKIPPED: no chromium or chromedriver; `make test` installs both");
            return None;
        }
        let turn = TURN.acquire().await.unwrap();
        let (chromedriver, address) = Chromedriver::start();
        let driver = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities())
            .connect(&address)
            .await
            .unwrap();
        Some(Self { driver, _chromedriver: chromedriver, platform: platform(), _turn: turn })
    }

    /// Opens the reference at an operation, or at its beginning.
    pub async fn open(&self, operation: &str) {
        // From elsewhere, so that nothing of an earlier visit but its storage is left.
        self.driver.goto("about:blank").await.unwrap();
        let address = format!("{}/reference#{operation}", self.platform.url);
        self.driver.goto(&address).await.unwrap();
        self.find("main h1").await;
    }

    /// Opens any address.
    pub async fn visit(&self, address: &str) {
        self.driver.goto(address).await.unwrap();
    }

    /// The first element that a selector finds, as soon as it is there and seen.
    pub async fn find(&self, selector: &str) -> Element {
        eventually(selector, || async {
            let found = self.driver.find(Locator::Css(selector)).await.ok()?;
            found.is_displayed().await.ok()?.then_some(found)
        })
        .await
    }

    pub async fn click(&self, selector: &str) {
        self.find(selector).await.click().await.unwrap();
    }

    /// Puts text into an empty or filled field.
    pub async fn fill(&self, selector: &str, text: &str) {
        let field = self.find(selector).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses a key, wherever the focus is.
    pub async fn press(&self, key: impl Into<char>) {
        let value = key.into();
        let keys = KeyActions::new("keyboard".to_owned());
        let keys = keys.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        self.driver.perform_actions(keys).await.unwrap();
    }

    /// Waits until an element's text has a part.
    pub async fn says(&self, selector: &str, part: &str) {
        eventually(&format!("{selector} to say {part:?}"), || async {
            let element = self.driver.find(Locator::Css(selector)).await.ok()?;
            element.text().await.ok()?.contains(part).then_some(())
        })
        .await;
    }

    /// The value of a JavaScript function's body.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.driver.execute(script, arguments).await.unwrap()
    }

    pub async fn address(&self) -> String {
        self.driver.current_url().await.unwrap().to_string()
    }

    /// A window of this size, light or dark, as people's systems have it.
    pub async fn look(&self, width: u32, height: u32, scheme: &str) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// A command of the Chrome DevTools Protocol.
    pub async fn devtools(&self, method: &str, parameters: Value) {
        let body = json!({"cmd": method, "params": parameters});
        self.driver.issue_cmd(Own { path: "goog/cdp/execute", body }).await.unwrap();
    }

    /// What the console was told, without Chromium's own lines about answers of 4xx and 5xx.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.log("browser").await;
        let own = entries.into_iter().filter(|it| it["source"] != "network");
        own.map(|it| it["message"].to_string()).collect()
    }

    /// The origins that anything was asked of since the last look.
    pub async fn origins(&self) -> BTreeSet<String> {
        let entries = self.log("performance").await;
        let messages = entries.iter().filter_map(|it| it["message"].as_str());
        let messages = messages.filter_map(|it| serde_json::from_str(it).ok());
        messages.filter_map(|it: Value| requested(&it)).collect()
    }

    /// What one of the browser's logs says since the last look.
    async fn log(&self, kind: &str) -> Vec<Value> {
        let command = Own { path: "se/log", body: json!({"type": kind}) };
        let Value::Array(entries) = self.driver.issue_cmd(command).await.unwrap() else {
            panic!("the log {kind} is no list");
        };
        entries
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let closing = self.driver.clone().close();
        let _ = block_in_place(|| Handle::current().block_on(closing));
    }
}

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

/// The origin of a request that the browser's log tells of.
fn requested(entry: &Value) -> Option<String> {
    let message = &entry["message"];
    let url = message["params"]["request"]["url"].as_str()?;
    (message["method"] == "Network.requestWillBeSent").then(|| {
        let origin: Vec<_> = url.splitn(4, '/').take(3).collect();
        origin.join("/")
    })
}

impl Chromedriver {
    /// Starts it on a free port. It ends at once when the port that is free on IPv4 is taken on
    /// IPv6, and is then started anew.
    fn start() -> (Self, String) {
        let started = (0..5).find_map(|_| Self::try_start());
        started.expect("chromedriver starts and names its port")
    }

    fn try_start() -> Option<(Self, String)> {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut started = Self { child, output };
        let address = started.address()?;
        Some((started, address))
    }

    /// Where it listens, as it tells. `None` when it ends without a word of it.
    fn address(&mut self) -> Option<String> {
        let lines = self.output.by_ref().lines().map_while(Result::ok);
        let mut told = lines.filter(|it| it.contains("successfully"));
        let port = told.find_map(|it| Some(it.split_once(" on port ")?.1.to_owned()))?;
        Some(format!("http://127.0.0.1:{}", port.trim().trim_end_matches('.')))
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn capabilities() -> Map<String, Value> {
    let arguments = [
        "--headless=new",
        "--window-size=1280,900",
        // Chromium refuses to be root inside its sandbox, and containers have a small /dev/shm.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ];
    Map::from_iter([
        ("goog:chromeOptions".to_owned(), json!({"args": arguments})),
        ("goog:loggingPrefs".to_owned(), json!({"browser": "ALL", "performance": "ALL"})),
    ])
}

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|it| it.join(program).is_file())
}
