//! The plugin's side of the wire without WordPress: for what the real plugin never does, such as answering a
//! challenge with another key.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, web};
use data_encoding::BASE64URL_NOPAD;
use gatepass_core::clock::{Clock, System};
use gatepass_core::pairing::challenge_message;
use gatepass_keys::SigningKey;
use gatepass_keys::token::site::{SiteClaims, sign};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::Answer;
use crate::fake_landing::{self, Landing};
use crate::fake_poke::Pokes;
use crate::gatepass::Gatepass;
use crate::{Result, forge, ports};

/// How the site answers a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// As it should.
    Signed,
    /// With a key that is not the one in the request.
    SignedByAnother,
    /// By leading elsewhere, to somebody who would answer rightly.
    Redirected,
    /// With a page, as a cache or a security plugin would.
    Page,
    /// With more than anybody wants to read.
    Endless,
}

/// A site that speaks to the bridge.
#[derive(Debug)]
pub struct FakeSite {
    /// Its origin, without a slash at the end.
    pub url: String,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// Its key, to be taken into use by pairing.
    pub key: SigningKey,
    /// Its endpoint for pokes.
    pub pokes: Pokes,
    challenge: Arc<Mutex<Challenge>>,
    landing: Arc<Mutex<Landing>>,
    /// The key that answers challenges.
    pending: Arc<Mutex<Arc<SigningKey>>>,
    server: ServerHandle,
    http: reqwest::Client,
}

/// What stands in a pairing string.
#[derive(Debug, Clone, Deserialize)]
pub struct PairingCode {
    /// Where the bridge is.
    pub bridge: String,
    /// Which site it is for.
    pub site: String,
    /// The one-time secret.
    pub secret: String,
}

impl PairingCode {
    /// Reads one.
    pub fn read(code: &str) -> Result<Self> {
        let encoded = code.strip_prefix("gp_pair_").ok_or("no pairing code")?;
        Ok(serde_json::from_slice(&BASE64URL_NOPAD.decode(encoded.as_bytes())?)?)
    }
}

impl FakeSite {
    /// Starts one with a new key.
    pub fn start() -> Result<Self> {
        Self::start_at(ports::free_port()?)
    }

    /// Starts one, registers it with these options and pairs it.
    pub async fn paired_with(gatepass: &Gatepass, options: &[&str]) -> Result<(Self, PairingCode)> {
        let site = Self::start()?;
        let code = PairingCode::read(&gatepass.add_site(&site.url, options)?.pairing_code)?;
        site.pair(&code).await?.ok()?;
        Ok((site, code))
    }

    /// The same site after it lost its key: the same origin answers, with another key.
    pub async fn lose_key(&mut self) -> Result {
        self.server.stop(false).await;
        *self = Self::start_at(self.port)?;
        Ok(())
    }

    fn start_at(port: u16) -> Result<Self> {
        let key = forge::strange_key()?;
        let pending = Arc::new(Mutex::new(Arc::new(SigningKey::from_pkcs8_pem(&key.to_pkcs8_pem()?)?)));
        let answers = Arc::clone(&pending);
        let stranger = Arc::new(forge::strange_key()?);
        let challenge = Arc::new(Mutex::new(Challenge::Signed));
        let landing = Arc::new(Mutex::new(Landing::Whole));
        let (behaviour, spoiled) = (Arc::clone(&challenge), Arc::clone(&landing));
        let pokes = Pokes::default();
        let endpoint = pokes.clone();
        let server = HttpServer::new(move || {
            let (key, stranger) = (Arc::clone(&answers), Arc::clone(&stranger));
            let (behaviour, spoiled) = (Arc::clone(&behaviour), Arc::clone(&spoiled));
            let endpoint = endpoint.clone();
            App::new().default_service(web::to(
                move |request: HttpRequest, query: web::Query<Asked>, form: String| {
                    let endpoint = endpoint.clone();
                    let key = Arc::clone(&key.lock().unwrap_or_else(PoisonError::into_inner));
                    let landing = *spoiled.lock().unwrap_or_else(PoisonError::into_inner);
                    let challenge = *behaviour.lock().unwrap_or_else(PoisonError::into_inner);
                    let answer = if query.action == "gatepass" {
                        fake_landing::answer(landing, &request, &query.site)
                    } else {
                        answer(challenge, &query, &key, &stranger)
                    };
                    async move {
                        match (query.poke.as_str(), query.action.as_str()) {
                            ("1", _) => endpoint.take(&form).await,
                            (_, "poked_elsewhere") => endpoint.elsewhere(),
                            _ => answer,
                        }
                    }
                },
            ))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", port))?
        .run();
        let handle = server.handle();
        std::thread::spawn(move || actix_web::rt::System::new().block_on(server));
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self {
            url: format!("http://127.0.0.1:{port}"),
            port,
            key,
            pokes,
            challenge,
            landing,
            pending,
            server: handle,
            http,
        })
    }

    /// Nobody answers at its address from now on; whoever likes may listen there.
    pub async fn fall_silent(&self) {
        self.server.stop(false).await;
    }

    /// How it answers from now on.
    pub fn answers(&self, challenge: Challenge) {
        *self.challenge.lock().unwrap_or_else(PoisonError::into_inner) = challenge;
    }

    /// Which key answers challenges from now on.
    pub fn answers_by(&self, key: SigningKey) {
        *self.pending.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
    }

    /// How its login endpoint answers browsers from now on.
    pub fn lands(&self, landing: Landing) {
        *self.landing.lock().unwrap_or_else(PoisonError::into_inner) = landing;
    }

    /// Calls the bridge from another address of this machine from now on, such as 127.0.0.2.
    pub fn call_from(&mut self, address: IpAddr) -> Result {
        self.http = reqwest::Client::builder().no_proxy().local_address(address).build()?;
        Ok(())
    }

    /// What the plugin would post, to be varied.
    pub fn pairing(&self, code: &PairingCode) -> Value {
        json!({
            "site_id": code.site,
            "secret": code.secret,
            "url": self.url,
            // The site's id is in it only for ourselves: it comes back with the challenge.
            "landing_url": format!("{}/landing?action=gatepass&site={}", self.url, code.site),
            "public_key": { "kty": "OKP", "crv": "Ed25519", "x": self.key.public().x() },
            "versions": { "plugin": "0", "wordpress": "0", "php": "0" },
        })
    }

    /// A proof of being `site`, good for a minute, to be varied.
    pub fn claims(&self, code: &PairingCode) -> SiteClaims {
        let now = System.now().secs();
        SiteClaims {
            site: code.site.clone(),
            audience: code.bridge.clone(),
            issued_at: now,
            expires_at: now + 60,
        }
    }

    /// Signs a proof with its key.
    pub fn proof(&self, claims: &SiteClaims) -> String {
        sign(&self.key, claims).expose().to_owned()
    }

    /// Posts to the bridge, with a proof or without.
    pub async fn post(
        &self,
        code: &PairingCode,
        path: &str,
        proof: Option<&str>,
        body: &Value,
    ) -> Result<Answer> {
        let mut request = self.http.request(Method::POST, format!("{}{path}", code.bridge)).json(body);
        if let Some(proof) = proof {
            request = request.bearer_auth(proof);
        }
        Answer::read(request.send().await?).await
    }

    /// Reads from the bridge, with a proof or without.
    pub async fn get(&self, code: &PairingCode, path: &str, proof: Option<&str>) -> Result<Answer> {
        let mut request = self.http.request(Method::GET, format!("{}{path}", code.bridge));
        if let Some(proof) = proof {
            request = request.bearer_auth(proof);
        }
        Answer::read(request.send().await?).await
    }

    /// What lies behind a cursor, which is of this epoch.
    pub async fn changes(&self, code: &PairingCode, after: u64, epoch: Option<&str>) -> Result<Answer> {
        let epoch = epoch.map(|epoch| format!("&epoch={epoch}")).unwrap_or_default();
        let path = format!("/wp/v1/changes?after={after}{epoch}");
        self.get(code, &path, Some(&self.proof(&self.claims(code)))).await
    }

    /// Says what it has applied.
    pub async fn acknowledge(&self, code: &PairingCode, epoch: &str, acks: &Value) -> Result<Answer> {
        self.ask(code, "/wp/v1/changes/acks", &json!({ "epoch": epoch, "acks": acks })).await
    }

    /// Posts to the bridge with a good proof.
    pub async fn ask(&self, code: &PairingCode, path: &str, body: &Value) -> Result<Answer> {
        self.post(code, path, Some(&self.proof(&self.claims(code))), body).await
    }

    /// Pairs as the plugin does.
    pub async fn pair(&self, code: &PairingCode) -> Result<Answer> {
        self.post(code, "/wp/v1/pairings", None, &self.pairing(code)).await
    }
}

impl Drop for FakeSite {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    action: String,
    #[serde(default)]
    nonce: String,
    #[serde(default)]
    site: String,
    #[serde(default)]
    poke: String,
}

fn answer(challenge: Challenge, asked: &Asked, key: &SigningKey, stranger: &SigningKey) -> HttpResponse {
    let signed = |by: &SigningKey| {
        let Ok(site) = asked.site.parse() else { return HttpResponse::BadRequest().finish() };
        let signature = by.sign(challenge_message(site, &asked.nonce).as_bytes());
        HttpResponse::Ok().json(json!({
            "site_id": asked.site,
            "public_key": by.public().x(),
            "signature": BASE64URL_NOPAD.encode(&signature),
        }))
    };
    match challenge {
        Challenge::Signed if asked.action == "gatepass_challenge" => signed(key),
        Challenge::Signed => HttpResponse::NotFound().finish(),
        Challenge::SignedByAnother => signed(stranger),
        Challenge::Redirected if asked.action == "gatepass_challenge" => {
            let there = format!("/?action=elsewhere&nonce={}&site={}", asked.nonce, asked.site);
            HttpResponse::Found().insert_header(("Location", there)).finish()
        }
        Challenge::Redirected => signed(key),
        Challenge::Page => HttpResponse::Ok().content_type("text/html").body("<p>Please wait…</p>"),
        Challenge::Endless => HttpResponse::Ok().body("x".repeat(10_000_000)),
    }
}
