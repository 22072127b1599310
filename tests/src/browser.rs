//! A real Chromium.

use std::fs;
use std::io::Write as _;
use std::ops::Deref;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use fantoccini::elements::{Element, ElementRef};
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Service;
use crate::{Result, fixtures, ports};

/// The tabulator key (WebDriver, section 17.4.2).
pub const TAB: char = '\u{e004}';
/// The enter key.
pub const ENTER: char = '\u{e007}';

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A browser with a fresh profile. Everything of [`fantoccini::Client`] is there by dereference.
pub struct Browser {
    client: Client,
    // Chromium goes with its driver, and the profile after both.
    _driver: Service,
    _profile: TempDir,
}

impl Deref for Browser {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Browser {
    /// Starts one.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("gatepass-browser.").tempdir()?;
        let port = ports::free_port()?;
        let mut command = Command::new(fixtures::installed("chromedriver")?);
        command.arg(format!("--port={port}")).env("TMPDIR", folder.path()).env("HOME", folder.path());
        let mut driver = Service::start("chromedriver", &command, &folder.path().join("chromedriver.log"))?;
        driver.wait_until(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())?;

        let profile = folder.path().join("profile");
        let options = json!({ "goog:chromeOptions": { "binary": launcher(&folder)?, "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-breakpad", "--disable-crash-reporter",
            "--no-proxy-server",
            "--window-size=1200,900", format!("--user-data-dir={}", profile.display()),
        ] } });
        let Value::Object(capabilities) = options else { return Err("not an object".into()) };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await?;
        Ok(Self { client, _driver: driver, _profile: folder })
    }

    /// Clicks the first visible control with exactly this accessible name.
    pub async fn click(&self, name: &str) -> Result {
        self.click_in("body", name).await
    }

    /// The same, below the element that a CSS selector finds.
    pub async fn click_in(&self, selector: &str, name: &str) -> Result {
        self.control(selector, name).await?.click().await?;
        Ok(())
    }

    /// The first visible control (button, link, field) with exactly this accessible name. Waits for it.
    pub async fn control(&self, selector: &str, name: &str) -> Result<Element> {
        self.controls(selector, name).await?.into_iter().next().ok_or_else(|| format!("no {name:?}").into())
    }

    /// All of them, at least one.
    pub async fn controls(&self, selector: &str, name: &str) -> Result<Vec<Element>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut named = Vec::new();
            let scope = format!("{selector} :is(a, button, input, select, textarea, [role=button])");
            for element in self.client.find_all(Locator::Css(&scope)).await? {
                // A page that changes under us loses its elements: then it is looked at again.
                if let Ok(label) = self.client.issue_cmd(ComputedLabel(element.element_id())).await
                    && label == name
                    && element.is_displayed().await.unwrap_or(false)
                {
                    named.push(element);
                }
            }
            if !named.is_empty() {
                return Ok(named);
            }
            if Instant::now() > deadline {
                let url = self.client.current_url().await?;
                let text = self.text().await.unwrap_or_default();
                return Err(format!("no control named {name:?} at {url}, which says:\n{text}").into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Where the browser is.
    pub async fn url(&self) -> Result<String> {
        Ok(self.client.current_url().await?.into())
    }

    /// Waits until the browser is at this path (with its query, if there is one).
    pub async fn wait_for_path(&self, path: &str) -> Result {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let url = self.client.current_url().await?;
            let seen = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
            if seen == path {
                return Ok(());
            }
            if Instant::now() > deadline {
                let text = self.text().await.unwrap_or_default();
                return Err(
                    format!("expected {path}, but the browser is at {url}, which says:\n{text}").into()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the browser is on this origin and no longer at the login endpoint: what a login ends with.
    pub async fn wait_for_login(&self, origin: &str) -> Result {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let url = self.client.current_url().await?;
            if url.origin().ascii_serialization() == origin && !url.path().ends_with("/admin-post.php") {
                return Ok(());
            }
            if Instant::now() > deadline {
                let text = self.text().await.unwrap_or_default();
                return Err(format!("the login ended at {url}, which says:\n{text}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the page says this.
    pub async fn wait_for_text(&self, wanted: &str) -> Result {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.text().await.unwrap_or_default();
            if text.contains(wanted) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let url = self.client.current_url().await?;
                return Err(format!("expected {wanted:?} at {url}, which says:\n{text}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What a reader sees of the page.
    pub async fn text(&self) -> Result<String> {
        let text =
            self.client.execute("return document.body ? document.body.innerText : ''", Vec::new()).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// The login name of the user that the site takes this browser for; `None` if nobody is signed in. To be asked
    /// on a page of the site; leaves that page.
    pub async fn signed_in_as(&self) -> Result<Option<String>> {
        // A page without a policy that would forbid the script its request; the profile itself, opened in the
        // browser, loads three megabytes of scripts.
        self.client
            .goto(self.client.current_url().await?.join("/wp-includes/images/blank.gif")?.as_str())
            .await?;
        let script = "const answer = arguments[0];
            fetch('/wp-admin/profile.php').then(response => response.text()).then(html => {
                const page = new DOMParser().parseFromString(html, 'text/html');
                const name = page.querySelector('#your-profile #user_login');
                answer(name ? name.value : null);
            }, error => answer({ error: String(error) + ' at ' + location.href }));";
        match self.client.execute_async(script, Vec::new()).await? {
            Value::String(name) => Ok(Some(name)),
            Value::Null => Ok(None),
            other => Err(format!("the profile could not be asked for: {other}").into()),
        }
    }

    /// Signs in on wp-login.php of the site at this origin.
    pub async fn log_in_with_password(&self, origin: &str, user: &str, password: &str) -> Result {
        self.client.goto(&format!("{origin}/wp-login.php")).await?;
        // The page's script takes the focus to the user name a moment after it has come, and with it what is being typed.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let fields = [("user_login", user), ("user_pass", password)];
            for (id, text) in fields {
                let field = self.client.find(Locator::Id(id)).await?;
                field.clear().await?;
                field.send_keys(text).await?;
            }
            let mut typed = true;
            for (id, text) in fields {
                typed &=
                    self.client.find(Locator::Id(id)).await?.prop("value").await?.as_deref() == Some(text);
            }
            if typed {
                break;
            }
            if Instant::now() > deadline {
                return Err("nothing can be typed into wp-login.php's form".into());
            }
        }
        self.client.find(Locator::Id("wp-submit")).await?.click().await?;
        Ok(())
    }

    /// Whether pages see somebody who prefers dark colours.
    pub async fn prefer_dark(&self, dark: bool) -> Result {
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.dev_tools("Emulation.setEmulatedMedia", json!({ "features": features })).await
    }

    /// Forgets every cookie. WebDriver's own command forgets only those that go with the page at hand.
    pub async fn forget_cookies(&self) -> Result {
        self.dev_tools("Network.clearBrowserCookies", json!({})).await
    }

    async fn dev_tools(&self, command: &str, parameters: Value) -> Result {
        self.client.issue_cmd(DevTools(json!({ "cmd": command, "params": parameters }))).await?;
        Ok(())
    }

    /// What axe-core finds on the page that breaks WCAG 2.2, level AA, or good practice, below the element that a CSS
    /// selector finds: one line a finding.
    pub async fn accessibility_findings(&self, selector: &str) -> Result<Vec<String>> {
        let axe = fs::read_to_string(fixtures::cache().join("axe-core-4/axe.min.js"))
            .map_err(|error| format!("axe-core: {error}; run deploy/test.sh, which gets it"))?;
        self.client.execute(&axe, Vec::new()).await?;
        let script = "const [selector, answer] = arguments;
            axe.run(selector, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
                .then(found => answer(found.violations.flatMap(rule => rule.nodes.map(node =>
                    rule.id + ': ' + rule.help + ' at ' + node.target + ' ' + node.failureSummary))),
                error => answer(['axe-core failed: ' + error]));";
        let found = self.client.execute_async(script, vec![json!(selector)]).await?;
        Ok(serde_json::from_value(found)?)
    }

    /// Presses a key, wherever the focus is: a Unicode private-use code of WebDriver's, such as [`TAB`] or [`ENTER`].
    pub async fn press(&self, key: char) -> Result {
        self.client.active_element().await?.send_keys(&key.to_string()).await?;
        Ok(())
    }

    /// Writes a picture of the page, for looking at.
    pub async fn save_screenshot(&self, file: &std::path::Path) -> Result {
        fs::write(file, self.client.screenshot().await?)?;
        Ok(())
    }
}

impl std::fmt::Debug for Browser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Browser").finish_non_exhaustive()
    }
}

/// Chromium, tied to its driver: were the driver killed, Chromium would stay behind.
fn launcher(folder: &TempDir) -> Result<String> {
    let file = folder.path().join("chromium");
    let chromium = fixtures::installed("chromium")?;
    let mut script = fs::File::options().create_new(true).write(true).mode(0o755).open(&file)?;
    writeln!(script, "#!/bin/sh\nexec setpriv --pdeathsig KILL -- {} \"$@\"", chromium.display())?;
    Ok(file.display().to_string())
}

/// WebDriver's "Get Computed Label": the accessible name as the browser itself computes it.
#[derive(Debug)]
struct ComputedLabel(ElementRef);

impl WebDriverCompatibleCommand for ComputedLabel {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> std::result::Result<url::Url, url::ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/element/{}/computedlabel", self.0.as_ref()))
    }

    fn method_and_body(&self, _: &url::Url) -> (reqwest::Method, Option<String>) {
        (reqwest::Method::GET, None)
    }
}

/// A command of Chromium's own protocol, by chromedriver's "Execute CDP command".
#[derive(Debug)]
struct DevTools(Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> std::result::Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (reqwest::Method, Option<String>) {
        (reqwest::Method::POST, Some(self.0.to_string()))
    }
}
