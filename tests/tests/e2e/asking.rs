//! A panel that is asked whether a membership is in force, instead of telling: the page of the README, in real PHP.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gatepass_tests::api::{Answer, PanelApi};
use gatepass_tests::fake_site::{FakeSite, PairingCode};
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::process::Service;
use gatepass_tests::wordpress::new_attempt;
use gatepass_tests::{Handoff, Result, fixtures, ports};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// The panel's page, and what it says of each customer.
struct Panel {
    url: String,
    folder: PathBuf,
    service: Service,
}

impl Panel {
    fn start(folder: &Path, gatepass: &Gatepass) -> Result<Self> {
        let folder = folder.join("panel");
        fs::create_dir(&folder)?;
        let port = ports::free_port()?;
        let url = format!("http://127.0.0.1:{port}/membership.php");
        let page = page_of_the_readme()?
            .replace("https://login.example.com", &gatepass.url())
            .replace("https://panel.example.com/gatepass/membership", &url);
        let membership_of = "function membership_of( $customer ) { return json_decode( (string) @file_get_contents( __DIR__ . \"/$customer.json\" ), true ); }";
        let slow = "usleep( 1000 * (int) @file_get_contents( __DIR__ . '/slow' ) );";
        fs::write(folder.join("membership.php"), format!("<?php\n{membership_of}\n{slow}\n{page}"))?;
        let mut php = Command::new(fixtures::tool("php")?);
        php.args(["-S", &format!("127.0.0.1:{port}"), "-t"]).arg(&folder);
        let mut service = Service::start("the panel's PHP", &php, &folder.join("php.log"))?;
        service.wait_until(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        Ok(Self { url, folder, service })
    }

    /// From now on it says this of a customer.
    fn says(&self, subject: &str, membership: &Value) -> Result {
        Ok(fs::write(self.folder.join(format!("{subject}.json")), membership.to_string())?)
    }
}

fn page_of_the_readme() -> Result<String> {
    let readme = fs::read_to_string(fixtures::repository().join("README.md"))?;
    let page = readme.split("```php\n").skip(1).find(|block| block.contains("gatepass-membership+jwt"));
    let page = page.and_then(|block| block.split("```").next()).ok_or("the README has no such page")?;
    Ok(page.to_owned())
}

struct Scene {
    panel: Panel,
    api: PanelApi,
    site: FakeSite,
    code: PairingCode,
    gatepass: Gatepass,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let gatepass = Gatepass::start(folder.path(), "sqlite")?;
        let panel = Panel::start(folder.path(), &gatepass)?;
        let (site, code) = FakeSite::paired_with(&gatepass, &["--membership-url", &panel.url]).await?;
        let api = PanelApi::new(&gatepass.url(), &code.site, &gatepass.add_client("panel")?);
        Ok(Self { panel, api, site, code, gatepass, _folder: folder })
    }

    async fn issue(&self) -> Result<Answer> {
        self.api.try_issue(&json!({ "subject": "mia" })).await
    }

    async fn redeem(&self, issued: Answer) -> Result<Answer> {
        let handoff: Handoff = serde_json::from_value(issued.ok()?)?;
        let body = json!({ "token": handoff.token(), "attempt": new_attempt()?, "client_ip": null });
        let proof = self.site.proof(&self.site.claims(&self.code));
        self.site.post(&self.code, "/wp/v1/redemptions", Some(&proof), &body).await
    }
}

pub async fn a_panel_that_is_asked_decides_at_every_login() -> Result {
    let scene = Scene::start().await?;
    assert_eq!(scene.issue().await?.code(), "member_not_found", "nobody knows her");

    // She is told of once, as canceled; from then on the panel's answer counts.
    scene.api.put_status("mia", "canceled").await?;
    scene.panel.says("mia", &json!({ "status": "active", "plan": "gold" }))?;
    let issued = scene.issue().await?;
    scene.redeem(issued).await?.ok()?;
    let known = scene.api.site_call(reqwest::Method::GET, "/members/mia", None).await?.ok()?;
    assert_eq!(
        known["membership"],
        json!({ "status": "active", "plan": "gold", "valid_until": null, "grace_until": null })
    );

    scene.panel.says("mia", &json!({ "status": "paused" }))?;
    assert_eq!(scene.issue().await?.code(), "membership_inactive");
    fs::remove_file(scene.panel.folder.join("mia.json"))?;
    assert_eq!(scene.issue().await?.code(), "membership_inactive", "the panel does not know her any more");

    // A 404 of anybody else's says nothing of her.
    scene.panel.says("mia", &json!({ "status": "active" }))?;
    scene.issue().await?.ok()?;
    let page = scene.panel.folder.join("membership.php");
    fs::rename(&page, page.with_extension("away"))?;
    assert_eq!(scene.issue().await?.code(), "membership_unknown");
    let known = scene.api.site_call(reqwest::Method::GET, "/members/mia", None).await?.ok()?;
    assert_eq!(known["membership"]["status"], "active");
    fs::rename(page.with_extension("away"), &page)?;

    // Canceled in between, by a call: the redemption looks at that, whatever was answered before.
    scene.panel.says("mia", &json!({ "status": "active" }))?;
    let issued = scene.issue().await?;
    scene.api.put_status("mia", "canceled").await?;
    assert_eq!(scene.redeem(issued).await?.code(), "membership_inactive");
    Ok(())
}

pub async fn without_an_answer_of_the_panel_nobody_is_let_in() -> Result {
    let mut scene = Scene::start().await?;
    scene.api.put_status("mia", "active").await?;
    let unknown = |answer: Answer| {
        assert_eq!((answer.status, answer.code()), (StatusCode::SERVICE_UNAVAILABLE, "membership_unknown"));
    };

    for nonsense in [
        json!({ "status": "what the panel should not have said" }),
        json!("active"),
        json!({ "status": "active", "admin": true }),
    ] {
        scene.panel.says("mia", &nonsense)?;
        unknown(scene.issue().await?);
    }
    scene.panel.says("mia", &json!({ "status": "active" }))?;
    fs::write(scene.panel.folder.join("slow"), "4000")?;
    unknown(scene.issue().await?);
    fs::remove_file(scene.panel.folder.join("slow"))?;
    // PHP's server is still busy with the slow one.
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    scene.issue().await?.ok()?;
    scene.panel.service.stop();
    unknown(scene.issue().await?);
    let told = scene.api.site_call(reqwest::Method::GET, "/events", None).await?.ok()?;
    let secret = "what the panel should not have said";
    assert!(!told.to_string().contains(secret), "{told}");
    let causes = told["events"].as_array().ok_or("no events")?.iter();
    let causes = causes.filter(|event| event["cause"] == "membership_unknown");
    assert_eq!(causes.count(), 5, "{told}");
    Ok(())
}

/// Nobody but Gatepass gets an answer out of the README's page.
pub async fn a_question_that_gatepass_did_not_sign_is_not_answered() -> Result {
    let scene = Scene::start().await?;
    scene.panel.says("mia", &json!({ "status": "active" }))?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let claims =
        json!({ "iss": "x", "aud": scene.panel.url, "sub": "mia", "iat": 0, "exp": 9_999_999_999_u64 });
    let encode = |value: &Value| data_encoding::BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let keys: Value = http.get(scene.gatepass.url() + "/.well-known/jwks.json").send().await?.json().await?;
    let forged = |kid: &Value| {
        let header = json!({ "alg": "EdDSA", "typ": "gatepass-membership+jwt", "kid": kid });
        format!("{}.{}.{}", encode(&header), encode(&claims), "A".repeat(86))
    };
    let (unknown, known) = (forged(&json!("x")), forged(&keys["keys"][0]["kid"]));
    // The site's own proof is signed well, by a key that is none of the broker's; a handoff by that key, for another use.
    let proof = scene.site.proof(&scene.site.claims(&scene.code));
    scene.api.put_status("mia", "active").await?;
    let handoff: Handoff = serde_json::from_value(scene.issue().await?.ok()?)?;
    for token in ["", "x", &unknown, &known, &proof, handoff.token()] {
        let answer = http.post(&scene.panel.url).bearer_auth(token).send().await?;
        assert!(
            answer.status().is_client_error() || answer.status().is_server_error(),
            "{token}: {}",
            answer.status()
        );
        assert!(!answer.text().await?.contains("active"), "{token}");
    }
    Ok(())
}

/// A panel that takes connections and says nothing holds up its own customers, and nobody else's.
pub async fn a_silent_panel_takes_nobody_elses_place() -> Result {
    let scene = Scene::start().await?;
    scene.api.put_status("mia", "active").await?;
    fs::write(scene.panel.folder.join("slow"), "60000")?;
    let ask = json!({ "subject": "mia" });
    let asked = futures_of(600, || scene.api.try_issue(&ask));
    let (answers, others) = tokio::join!(asked, async {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        let mut others = Vec::new();
        for _ in 0..5 {
            others.push(scene.api.site_call(reqwest::Method::GET, "/members/mia", None).await?.status);
        }
        Result::Ok(others)
    });
    assert!(others?.iter().all(StatusCode::is_success), "whoever asks for something else is answered");
    for answer in answers {
        assert!(["membership_unknown", "overloaded", "rate_limited"].contains(&answer?.code()));
    }
    let told = scene.api.site_call(reqwest::Method::GET, "/events", None).await?.ok()?;
    let told = told["events"].as_array().map_or(0, Vec::len);
    assert!(told < 60, "the trail is not filled by it: {told}");
    Ok(())
}

async fn futures_of<F: Future<Output = Result<Answer>>>(
    count: usize,
    make: impl Fn() -> F,
) -> Vec<Result<Answer>> {
    let mut all: Vec<_> = (0..count).map(|_| Box::pin(make())).collect();
    let mut answers = Vec::new();
    std::future::poll_fn(|context| {
        all.retain_mut(|asked| match asked.as_mut().poll(context) {
            std::task::Poll::Ready(answer) => {
                answers.push(answer);
                false
            }
            std::task::Poll::Pending => true,
        });
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    answers
}
