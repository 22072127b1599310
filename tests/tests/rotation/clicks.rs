//! Customers who click, and what a thief has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use gatepass_tests::api::{Answer, member};
use gatepass_tests::dice::Dice;
use gatepass_tests::wordpress::new_attempt;
use gatepass_tests::{PanelApi, Result};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::world::World;

/// Browsers that log in to WordPress.
const IN_WORDPRESS: u64 = 3;
/// Those that are handed straight to a bridge.
const AT_BRIDGES: u64 = 6;
/// The longest that somebody holds on to a token, which lives for five seconds.
const DAWDLING_MILLIS: u64 = 4000;
/// How long a change may take to reach WordPress while keys are rotated.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(40);
/// How many tokens a thief would have when the theft is noticed.
const STOLEN: usize = 200;

/// All who click.
pub struct Clicks {
    stop: Arc<AtomicBool>,
    running: Vec<JoinHandle<Result>>,
}

impl Clicks {
    pub async fn end(self) -> Result {
        self.stop.store(true, Ordering::Relaxed);
        for click in self.running {
            click.await??;
        }
        Ok(())
    }
}

pub fn begin(world: &Arc<World>) -> Clicks {
    let stop = Arc::new(AtomicBool::new(false));
    let mut running = Vec::new();
    for number in 0..IN_WORDPRESS {
        running.push(tokio::spawn(in_wordpress(Arc::clone(world), Arc::clone(&stop), number)));
    }
    for number in 0..AT_BRIDGES {
        running.push(tokio::spawn(at_bridges(Arc::clone(world), Arc::clone(&stop), number)));
    }
    running.push(tokio::spawn(followed(Arc::clone(world), Arc::clone(&stop))));
    Clicks { stop, running }
}

/// Logs in to the real WordPress, again and again, through either broker.
async fn in_wordpress(world: Arc<World>, stop: Arc<AtomicBool>, number: u64) -> Result {
    let (subject, mut dice) = (format!("reader-{number}"), Dice::new(number));
    world.api(0).put_status(&subject, "active").await?;
    while !stop.load(Ordering::Relaxed) {
        let api = world.api(dice.below(2));
        let handoff = match api.issue(&subject).await {
            Ok(handoff) => handoff,
            Err(error) => {
                world.tally.failed(format!("not issued for WordPress: {error}"));
                continue;
            }
        };
        dawdle(&mut dice).await;
        let answer = world.wordpress.visitor().redeem(&handoff, &new_attempt()?).await?;
        if answer.status() == StatusCode::SEE_OTHER {
            world.tally.opened_by(kid_of(handoff.token()));
            world.tally.done("logins in WordPress");
        } else {
            let (status, page) = (answer.status(), answer.text().await?);
            world.tally.failed(format!(
                "WordPress answered {status}: {}",
                page.chars().take(600).collect::<String>()
            ));
        }
    }
    Ok(())
}

/// Redeems at either bridge what either broker has issued.
async fn at_bridges(world: Arc<World>, stop: Arc<AtomicBool>, number: u64) -> Result {
    let (subject, mut dice) = (format!("customer-{number}"), Dice::new(100 + number));
    let http = Client::builder().no_proxy().timeout(Duration::from_secs(8)).build()?;
    world.plain_api(0).put_status(&subject, "active").await?;
    while !stop.load(Ordering::Relaxed) {
        let token = match token(&world.plain_api(dice.below(2)), &subject).await {
            Ok(token) => token,
            Err(error) => {
                world.tally.failed(format!("not issued: {error}"));
                continue;
            }
        };
        dawdle(&mut dice).await;
        let answer = redeem(&world, &http, dice.below(2), &token).await?;
        if answer.status.is_success() {
            world.tally.opened_by(kid_of(&token));
            world.tally.done("redemptions at the bridges");
        } else {
            world.tally.failed(format!("a bridge answered {}: {}", answer.status, answer.body));
        }
    }
    Ok(())
}

/// Changes a member all the while: the site is poked by whatever key signs now, and pulls.
async fn followed(world: Arc<World>, stop: Arc<AtomicBool>) -> Result {
    let mut plan = 0;
    while !stop.load(Ordering::Relaxed) {
        plan += 1;
        let mut wanted = member("follower");
        wanted["membership"]["plan"] = json!(format!("plan-{plan}"));
        let api = world.api(plan % 2);
        let mut answer = api.put_and_wait("follower", &wanted, 8).await?;
        let since = Instant::now();
        // A site looks for new keys once in ten seconds, and here they are rotated more often: then the next poke serves it.
        while answer.sync() != "synced" && since.elapsed() < FOLLOWED_WITHIN {
            tokio::time::sleep(Duration::from_secs(1)).await;
            answer = api.member("follower").await?;
        }
        if answer.sync() == "synced" {
            world.tally.done("changes followed after a poke");
        } else {
            world.tally.failed(format!("WordPress has not followed: {}", answer.body));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    Ok(())
}

/// What an emergency came to.
pub struct Emergency {
    pub voided: usize,
    pub command: Duration,
    pub until_refused: Duration,
    pub faults: Vec<String>,
}

/// Replaces all keys while a thief redeems at the second bridge, one token after the other.
pub async fn replace_all_keys(world: &Arc<World>) -> Result<Emergency> {
    let http = Client::builder().no_proxy().timeout(Duration::from_secs(8)).build()?;
    world.plain_api(0).put_status("victim", "active").await?;
    let mut tokens = Vec::new();
    for _ in 0..STOLEN {
        tokens.push(token(&world.plain_api(0), "victim").await?);
    }
    let (began, refused_after) = (Instant::now(), Arc::new(AtomicU64::new(u64::MAX)));
    let spent_meanwhile: Vec<String> = tokens.split_off(STOLEN / 2);
    let thief = {
        let (world, http, refused_after) = (Arc::clone(world), http.clone(), Arc::clone(&refused_after));
        tokio::spawn(async move {
            for token in spent_meanwhile {
                let answer = redeem(&world, &http, 1, &token).await?;
                if !answer.status.is_success() {
                    let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                    refused_after.store(millis, Ordering::Relaxed);
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Result::Ok(())
        })
    };
    world.command(&["keys", "rotate", "--emergency", "--yes", "--reason", "stolen"]).await?;
    let command = began.elapsed();
    let mut faults = Vec::new();
    for (number, token) in tokens.iter().enumerate() {
        let answer = redeem(world, &http, number % 2, token).await?;
        if answer.status.is_success() {
            faults
                .push(format!("a token by a key that was replaced let somebody in at bridge {}", number % 2));
        }
    }
    // Those tokens live for five seconds: were they refused for being late, this would have shown nothing.
    if began.elapsed() > Duration::from_secs(4) {
        faults.push("too slow to tell a void token from a late one".to_owned());
    }
    thief.await??;
    let millis = refused_after.load(Ordering::Relaxed);
    if millis == u64::MAX {
        faults.push("the second bridge refused nothing while the keys were replaced".to_owned());
    }
    // And the button works at once, with the new key, through either broker and either bridge.
    for number in 0..4 {
        let token = token(&world.plain_api(number % 2), "victim").await?;
        let answer = redeem(world, &http, number / 2, &token).await?;
        if !answer.status.is_success() {
            faults.push(format!("after the emergency bridge {} answered {}", number / 2, answer.body));
        }
    }
    let handoff = world.api(1).issue("reader-0").await?;
    let answer = world.wordpress.visitor().redeem(&handoff, &new_attempt()?).await?;
    if answer.status() != StatusCode::SEE_OTHER {
        faults.push(format!("after the emergency WordPress answered {}", answer.status()));
    }
    if let Some(fault) = world.pinned_is_behind().await? {
        faults.push(fault);
    }
    let until_refused = Duration::from_millis(millis.min(u64::from(u32::MAX)));
    Ok(Emergency { voided: tokens.len(), command, until_refused, faults })
}

async fn token(api: &PanelApi, subject: &str) -> Result<String> {
    Ok(api.issue(subject).await?.token().to_owned())
}

async fn redeem(world: &World, http: &Client, bridge: usize, token: &str) -> Result<Answer> {
    let url = format!("{}/wp/v1/redemptions", world.bridges[bridge].address());
    let proof = world.site.proof(&world.site.claims(&world.code));
    let body = json!({ "token": token, "attempt": new_attempt()?, "client_ip": "203.0.113.7", "user_agent": "rotation" });
    Answer::read(http.post(url).bearer_auth(proof).json(&body).send().await?).await
}

/// Most click on at once; some take nearly as long as the token lives, and so past a rotation.
async fn dawdle(dice: &mut Dice) {
    if dice.percent(40) {
        tokio::time::sleep(Duration::from_millis(dice.roll() % DAWDLING_MILLIS)).await;
    }
}

/// The key id in a token's header.
fn kid_of(token: &str) -> String {
    let header = token.split('.').next().unwrap_or_default();
    let header: Value = BASE64URL_NOPAD
        .decode(header.as_bytes())
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok())
        .unwrap_or_default();
    header["kid"].as_str().unwrap_or_default().to_owned()
}
