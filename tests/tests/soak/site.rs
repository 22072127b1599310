//! The plugin's side of following, without WordPress: pull, apply, acknowledge, keep the cursor. It may die between any
//! two of these, as PHP may, and then knows what it had written and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use gatepass_tests::Result;
use gatepass_tests::dice::Dice;
use gatepass_tests::fake_site::{FakeSite, PairingCode};
use gatepass_tests::gatepass::Gatepass;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::panel::Wishes;

/// Begins the addresses that are somebody else's on every site.
pub const TAKEN: &str = "taken-";
/// How often a site pulls by itself, as by WP-Cron.
const CRON: Duration = Duration::from_secs(3);

/// One user of the site.
#[derive(Debug, Clone, Default, PartialEq)]
struct User {
    email: String,
    status: String,
    sessions_ended: u64,
    sessions: Vec<Instant>,
}

/// What the site's database holds: it survives every death.
#[derive(Debug, Default)]
struct Database {
    epoch: Option<String>,
    cursor: u64,
    users: BTreeMap<String, User>,
    /// Whom a full resync has listed so far.
    listed: BTreeSet<String>,
    /// The positions of this epoch that changed something.
    effective: BTreeSet<(String, u64)>,
    faults: Vec<String>,
}

pub struct Site {
    number: usize,
    plugin: FakeSite,
    code: PairingCode,
    port: u16,
    database: Mutex<Database>,
    dice: Mutex<Dice>,
    /// One pull at a time; whoever comes meanwhile has it go round again.
    pulling: tokio::sync::Mutex<()>,
    again: AtomicBool,
    server: Mutex<Option<ServerHandle>>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    falls: AtomicU64,
    deaths: AtomicU64,
    resyncs: AtomicU64,
    pokes: AtomicU64,
    effects: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// It died.
struct Death;

impl Site {
    /// Pairs one, and puts itself in its place.
    pub async fn start(gatepass: &Gatepass, number: usize, dice: Dice) -> Result<Self> {
        let (plugin, code) = FakeSite::paired_with(gatepass, &[]).await?;
        plugin.fall_silent().await;
        Ok(Self {
            number,
            port: plugin.port,
            plugin,
            code,
            database: Mutex::default(),
            dice: Mutex::new(dice),
            pulling: tokio::sync::Mutex::default(),
            again: AtomicBool::new(false),
            server: Mutex::default(),
            counts: Counts::default(),
        })
    }

    pub fn id(&self) -> &str {
        &self.code.site
    }

    pub const fn number(&self) -> usize {
        self.number
    }

    pub fn falls(&self) -> u64 {
        self.counts.falls.load(Ordering::Relaxed)
    }
    pub fn deaths(&self) -> u64 {
        self.counts.deaths.load(Ordering::Relaxed)
    }
    pub fn resyncs(&self) -> u64 {
        self.counts.resyncs.load(Ordering::Relaxed)
    }
    pub fn pokes(&self) -> u64 {
        self.counts.pokes.load(Ordering::Relaxed)
    }
    pub fn effects(&self) -> u64 {
        self.counts.effects.load(Ordering::Relaxed)
    }

    fn database(&self) -> MutexGuard<'_, Database> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn percent(&self, chance: usize) -> bool {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner).percent(chance)
    }

    /// Every third is behind a firewall that takes no pokes, and lives by WP-Cron alone.
    const fn takes_pokes(&self) -> bool {
        !self.number.is_multiple_of(3)
    }

    /// Every second one has a cron that runs.
    const fn has_cron(&self) -> bool {
        !self.takes_pokes() || self.number.is_multiple_of(2)
    }

    /// Goes up and down, and makes sessions, until it is told to stop.
    pub async fn live(self: Arc<Self>, stop: Arc<AtomicBool>) {
        let mut cron = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let is_up = self.server.lock().unwrap_or_else(PoisonError::into_inner).is_some();
            if !is_up && self.percent(30) {
                let _ = self.come_up();
            } else if is_up && self.percent(4) {
                self.go_down().await;
            }
            if is_up && cron.elapsed() > CRON {
                cron = Instant::now();
                self.cron(5).await;
            }
            self.sign_somebody_in();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What WP-Cron does, where it runs.
    pub async fn cron(&self, deadly: usize) {
        if self.has_cron() {
            self.pull(deadly).await;
        }
    }

    fn sign_somebody_in(&self) {
        let mut database = self.database();
        let active = database.users.values_mut().filter(|user| user.status == "active");
        if let Some(user) = active.max_by_key(|user| std::cmp::Reverse(user.sessions.len())) {
            user.sessions.push(Instant::now());
        }
    }

    /// Listens for pokes from now on.
    pub fn come_up(self: &Arc<Self>) -> Result {
        let mut place = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if place.is_some() {
            return Ok(());
        }
        let site = Arc::clone(self);
        let server = HttpServer::new(move || {
            let site = Arc::clone(&site);
            App::new().default_service(web::to(move |request: HttpRequest| {
                let site = Arc::clone(&site);
                async move { site.answer(&request).await }
            }))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", self.port))?
        .run();
        *place = Some(server.handle());
        std::thread::spawn(move || actix_web::rt::System::new().block_on(server));
        Ok(())
    }

    async fn go_down(&self) {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            count(&self.counts.falls);
            server.stop(false).await;
        }
    }

    async fn answer(&self, request: &HttpRequest) -> HttpResponse {
        if !self.takes_pokes() || !request.query_string().split('&').any(|pair| pair == "poke=1") {
            return HttpResponse::Forbidden().finish();
        }
        count(&self.counts.pokes);
        self.pull(5).await;
        HttpResponse::Ok().json(json!({ "code": "pulled", "position": self.database().cursor }))
    }

    /// Pulls until there is nothing more. It dies in so many of a hundred steps.
    async fn pull(&self, deadly: usize) {
        self.again.store(true, Ordering::SeqCst);
        while self.again.load(Ordering::SeqCst) {
            let Ok(_alone) = self.pulling.try_lock() else { return };
            while self.again.swap(false, Ordering::SeqCst) {
                match self.follow(deadly).await {
                    Ok(Ok(())) => {}
                    Ok(Err(Death)) => count(&self.counts.deaths),
                    // Gatepass is away: the next poke or cron tries again.
                    Err(_) => return,
                }
            }
        }
    }

    async fn follow(&self, deadly: usize) -> Result<std::result::Result<(), Death>> {
        loop {
            let (epoch, cursor) = {
                let database = self.database();
                (database.epoch.clone(), database.cursor)
            };
            let answer = self.plugin.changes(&self.code, cursor, epoch.as_deref()).await?;
            let page = answer.ok()?;
            if self.percent(deadly) {
                return Ok(Err(Death));
            }
            let acks = self.apply(&page);
            if self.percent(deadly) {
                return Ok(Err(Death));
            }
            if !acks.is_empty() {
                let body = json!({ "epoch": page["epoch"], "acks": acks });
                let answer = self.plugin.ask(&self.code, "/wp/v1/changes/acks", &body).await?;
                if answer.status == StatusCode::CONFLICT {
                    continue;
                }
                answer.ok()?;
            }
            if self.percent(deadly) {
                return Ok(Err(Death));
            }
            self.keep_cursor(&page);
            if page["more"] != true {
                return Ok(Ok(()));
            }
        }
    }

    /// Makes the users as the page says, and says what came of it.
    fn apply(&self, page: &Value) -> Vec<Value> {
        let mut database = self.database();
        let epoch = page["epoch"].as_str().map(ToOwned::to_owned);
        if database.epoch != epoch {
            count(&self.counts.resyncs);
            *database = Database {
                epoch,
                users: std::mem::take(&mut database.users),
                faults: std::mem::take(&mut database.faults),
                ..Database::default()
            };
        }
        let changes = page["members"].as_array().cloned().unwrap_or_default();
        changes.iter().map(|change| self.apply_one(&mut database, change)).collect()
    }

    fn apply_one(&self, database: &mut Database, change: &Value) -> Value {
        let subject = change["subject"].as_str().unwrap_or_default().to_owned();
        let position = change["position"].as_u64().unwrap_or_default();
        database.listed.insert(subject.clone());
        let before = database.users.get(&subject).cloned();
        let email = change["member"]["email"].as_str().unwrap_or_default();
        let taken = email.starts_with(TAKEN);
        let wants_user = !(change["member"].is_null() || taken && before.is_none());
        let after = wants_user.then(|| {
            let mut user = before.clone().unwrap_or_default();
            // An address that is somebody else's stays as it was; the membership counts all the same.
            if !taken {
                email.clone_into(&mut user.email);
            }
            change["membership"]["status"].as_str().unwrap_or_default().clone_into(&mut user.status);
            let ended = change["sessions_ended"].as_u64().unwrap_or_default();
            if user.status != "active" || ended > user.sessions_ended {
                user.sessions.clear();
            }
            user.sessions_ended = ended;
            user
        });
        let without_sessions =
            |user: &Option<User>| user.clone().map(|user| User { sessions: Vec::new(), ..user });
        if without_sessions(&before) != without_sessions(&after) {
            count(&self.counts.effects);
            if !database.effective.insert((subject.clone(), position)) {
                database
                    .faults
                    .push(format!("site {}: {subject} at {position} had an effect twice", self.number));
            }
        }
        match after {
            Some(user) => database.users.insert(subject.clone(), user),
            None => database.users.remove(&subject),
        };
        if taken {
            let error = json!({ "code": "email_taken", "message": "Another account has this address." });
            return json!({ "subject": subject, "position": position, "result": "failed", "error": error });
        }
        json!({ "subject": subject, "position": position, "result": "synced", "wordpress_user_id": 7 })
    }

    fn keep_cursor(&self, page: &Value) {
        let mut database = self.database();
        if database.epoch.as_deref() != page["epoch"].as_str() {
            return;
        }
        let was_complete = database.cursor > 0;
        database.cursor = page["next"].as_u64().unwrap_or_default();
        if page["more"] != true && !was_complete {
            // The end of a full resync: whoever was not listed is nobody's customer.
            let Database { users, listed, .. } = &mut *database;
            users.retain(|subject, _| listed.contains(subject));
        }
    }

    /// How the site differs from what its panel wants.
    pub fn differences(&self, wanted: &Wishes) -> Vec<String> {
        let database = self.database();
        let mut differences = Vec::new();
        for (subject, wish) in wanted {
            let user = database.users.get(subject);
            let taken = wish.email.starts_with(TAKEN);
            match user {
                None if taken => {}
                None => differences.push(format!("{subject} is missing")),
                Some(user) if (user.email != wish.email && !taken) || user.status != wish.status => {
                    differences.push(format!("{subject} is {user:?}, wanted {wish:?}"));
                }
                Some(user) => {
                    let outlived =
                        |began: &Instant| wish.sessions_ended_at.is_some_and(|ended| *began < ended);
                    if wish.status != "active" && !user.sessions.is_empty()
                        || user.sessions.iter().any(outlived)
                    {
                        differences.push(format!("{subject} is still signed in"));
                    }
                }
            }
        }
        let gone = database.users.keys().filter(|subject| !wanted.contains_key(*subject));
        differences.extend(gone.map(|subject| format!("{subject} is still there")));
        differences
    }

    /// What should never have happened.
    pub fn faults(&self) -> Vec<String> {
        self.database().faults.clone()
    }
}
