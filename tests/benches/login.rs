//! What a login by handoff costs in WordPress, beside wp-login.php's own POST, in one run on one real stack.
//!
//! `cargo test -p gatepass-tests --bench login [-- ROUNDS]` after `deploy/test.sh --only setup --only build`. Each round does
//! each thing once, so that a machine that gets slower gets slower for all; quote the ratios.

use std::time::{Duration, Instant};

use gatepass_tests::wordpress::{ADMIN, PASSWORD, new_attempt};
use gatepass_tests::{Result, Stack};

const DEFAULT_ROUNDS: usize = 40;
/// What the base of the ratios is called.
const BASE: &str = "POST wp-login.php (password)";

fn main() -> Result {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

async fn run() -> Result {
    let rounds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(DEFAULT_ROUNDS);
    // One customer is asked for again and again.
    let stack = Stack::start_with(&["--limit-member", "0"]).await?;
    let regular = stack.member("regular").await?;
    let mut readings: Vec<(&str, Vec<Duration>)> = Vec::new();
    let mut note = |name, took| match readings.iter_mut().find(|(known, _)| *known == name) {
        Some((_, times)) => times.push(took),
        None => readings.push((name, vec![took])),
    };
    for round in 0..=rounds {
        let visitor = stack.wordpress.visitor();
        visitor.get("/wp-login.php").await?;
        let began = Instant::now();
        let form = [("log", ADMIN), ("pwd", PASSWORD), ("testcookie", "1")];
        let url = format!("{}/wp-login.php", stack.wordpress.url());
        let answer = visitor.http().post(url).form(&form).send().await?;
        let password = began.elapsed();
        assert!(answer.status().is_redirection());

        let (visitor, attempt) = (stack.wordpress.visitor(), new_attempt()?);
        let began = Instant::now();
        let handoff = stack.api.issue(&regular.subject).await?;
        let issue = began.elapsed();
        let began = Instant::now();
        visitor.get("/wp-admin/admin-post.php?action=gatepass").await?;
        let landing = began.elapsed();
        let began = Instant::now();
        let answer = visitor.redeem(&handoff, &attempt).await?;
        let redeem = began.elapsed();
        assert!(answer.status().is_redirection());

        let newcomer = stack.handoff(&format!("newcomer-{round}")).await?.1;
        let began = Instant::now();
        stack.wordpress.visitor().redeem(&newcomer, &new_attempt()?).await?;
        let first = began.elapsed();

        let mut forged = newcomer.clone();
        forged.login_url.push('A');
        let began = Instant::now();
        stack.wordpress.visitor().redeem(&forged, &new_attempt()?).await?;
        let refusal = began.elapsed();

        // The first round warms everything up.
        if round > 0 {
            note(BASE, password);
            note("POST redeem, known customer", redeem);
            note("POST redeem, first time (makes the user)", first);
            note("POST of a forged token (refused by the site)", refusal);
            note("GET landing page", landing);
            note("POST /v1/sites/{site}/handoffs (issue)", issue);
        }
        // A user's sessions are one growing row; nobody has forty.
        stack.wordpress.query("DELETE FROM wp_usermeta WHERE meta_key = 'session_tokens'")?;
    }
    let base = median(&mut readings.first_mut().ok_or("no readings")?.1);
    println!("{:<46} {:>8} {:>8} {:>8}  ratio of medians", "ms", "min", "median", "max");
    for (name, times) in &mut readings {
        let middle = median(times);
        let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
        println!(
            "{name:<46} {:>8.1} {:>8.1} {:>8.1}  {:.2}",
            ms(times.first()),
            ms(Some(&middle)),
            ms(times.last()),
            middle.as_secs_f64() / base.as_secs_f64()
        );
    }
    Ok(())
}

/// The middle one; sorts.
fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
