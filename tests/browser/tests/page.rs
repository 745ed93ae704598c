//! A page in headless Chromium: opened, read, typed into, looked at.

use std::{
    collections::BTreeSet,
    env,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStdout, Command, Stdio},
};

use kit_test::eventually;
use serde_json::{Value, json};
use thirtyfour::{
    By, ChromeCapabilities, ChromiumLikeCapabilities as _, LoggingPrefsLogLevel, TypingData,
    WebDriver, WebElement,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::platform::{Platform, platform};

/// One browser at a time: each is as heavy as the whole platform.
static TURN: Semaphore = Semaphore::const_new(1);

/// A browser with one tab. Dropped in this order: the session ends, then what drives it. Ending
/// a session blocks its thread, so a test's runtime needs another one.
pub struct Page {
    driver: WebDriver,
    _chromedriver: Chromedriver,
    pub platform: &'static Platform,
    _turn: SemaphorePermit<'static>,
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
        let driver = WebDriver::new(&address, capabilities()).await.unwrap();
        Some(Self { driver, _chromedriver: chromedriver, platform: platform(), _turn: turn })
    }

    /// Opens the reference at an operation, or at its beginning.
    pub async fn open(&self, operation: &str) {
        // From elsewhere, so that nothing of an earlier visit but its storage is left.
        self.driver.goto("about:blank").await.unwrap();
        self.driver.goto(format!("{}/reference#{operation}", self.platform.url)).await.unwrap();
        self.find("main h1").await;
    }

    /// Opens any address.
    pub async fn visit(&self, address: &str) {
        self.driver.goto(address).await.unwrap();
    }

    /// The first element that a selector finds, as soon as it is there and seen.
    pub async fn find(&self, selector: &str) -> WebElement {
        eventually(selector, || async {
            let found = self.driver.find(By::Css(selector)).await.ok()?;
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
    pub async fn press(&self, key: impl Into<TypingData>) {
        self.driver.action_chain().send_keys(key).perform().await.unwrap();
    }

    /// Waits until an element's text has a part.
    pub async fn says(&self, selector: &str, part: &str) {
        eventually(&format!("{selector} to say {part:?}"), || async {
            let element = self.driver.find(By::Css(selector)).await.ok()?;
            element.text().await.ok()?.contains(part).then_some(())
        })
        .await;
    }

    /// The value of a JavaScript function's body.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.driver.execute(script, arguments).await.unwrap().json().clone()
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
        self.driver.cdp().send_raw(method, parameters).await.unwrap();
    }

    /// What the console was told, without Chromium's own lines about answers of 4xx and 5xx.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.driver.browser_log().await.unwrap();
        let own = entries.into_iter().filter(|it| it.source.as_deref() != Some("network"));
        own.map(|it| it.message).collect()
    }

    /// The origins that anything was asked of since the last look.
    pub async fn origins(&self) -> BTreeSet<String> {
        let entries = self.driver.get_log("performance").await.unwrap();
        let messages = entries.iter().filter_map(|it| serde_json::from_str(&it.message).ok());
        messages.filter_map(|it: Value| requested(&it)).collect()
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

fn capabilities() -> ChromeCapabilities {
    let mut capabilities = ChromeCapabilities::new();
    for argument in [
        "--headless=new",
        "--window-size=1280,900",
        // Chromium refuses to be root inside its sandbox, and containers have a small /dev/shm.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ] {
        capabilities.add_arg(argument).unwrap();
    }
    capabilities.set_logging_prefs("browser", LoggingPrefsLogLevel::All).unwrap();
    capabilities.set_logging_prefs("performance", LoggingPrefsLogLevel::All).unwrap();
    capabilities
}

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|it| it.join(program).is_file())
}
