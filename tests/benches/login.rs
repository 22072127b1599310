//! What a login by handoff costs in WordPress, beside wp-login.php's own POST, and how long a click takes in Chromium,
//! beside a login with a password; each in one run on a real stack.
//!
//! `cargo test -p gatepass-tests --bench login [-- ROUNDS]` after `deploy/test.sh --only setup --only build`. Each round does
//! each thing once, so that a machine that gets slower gets slower for all; quote the ratios.

use std::time::{Duration, Instant};

use gatepass_tests::wordpress::{ADMIN, PASSWORD, new_attempt};
use gatepass_tests::{Browser, Result, Stack};

const DEFAULT_ROUNDS: usize = 40;
/// Where a click ends: something small, for it is not the page that is measured.
const ARRIVAL: &str = "/wp-includes/images/blank.gif";

fn main() -> Result {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let rounds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(DEFAULT_ROUNDS);
        requests(rounds).await?;
        clicks(rounds).await
    })
}

/// Times by the name of what took them; the first is what the others are compared with.
#[derive(Default)]
struct Readings(Vec<(&'static str, Vec<Duration>)>);

impl Readings {
    fn note(&mut self, name: &'static str, took: Duration) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, times)) => times.push(took),
            None => self.0.push((name, vec![took])),
        }
    }

    fn print(mut self) {
        let base = self.0.first_mut().map(|(_, times)| median(times)).unwrap_or_default();
        println!("{:<46} {:>8} {:>8} {:>8}  ratio of medians", "ms", "min", "median", "max");
        for (name, times) in &mut self.0 {
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
    }
}

async fn requests(rounds: usize) -> Result {
    // One customer is asked for again and again.
    let stack = Stack::start_with(&["--limit-member", "0"]).await?;
    let regular = stack.member("regular").await?;
    let mut readings = Readings::default();
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
            readings.note("POST wp-login.php (password)", password);
            readings.note("POST redeem, known customer", redeem);
            readings.note("POST redeem, first time (makes the user)", first);
            readings.note("POST of a forged token (refused by the site)", refusal);
            readings.note("GET landing page", landing);
            readings.note("POST /v1/sites/{site}/handoffs (issue)", issue);
        }
        // A user's sessions are one growing row; nobody has forty.
        stack.wordpress.query("DELETE FROM wp_usermeta WHERE meta_key = 'session_tokens'")?;
    }
    readings.print();
    Ok(())
}

/// The same click in a browser, from the moment that it is let go to the moment that the customer has arrived.
async fn clicks(rounds: usize) -> Result {
    let (bound, unbound) = (Stack::bound().await?, Stack::start_with(&["--limit-member", "0"]).await?);
    let member = unbound.member("regular").await?;
    let browser = bound.browser().await?;
    let mut readings = Readings::default();
    for round in 0..=rounds {
        browser.forget_cookies().await?;
        browser.goto(&format!("{}/wp-login.php?redirect_to={ARRIVAL}", unbound.wordpress.url())).await?;
        let script = "document.getElementById('user_login').value = arguments[0];
            document.getElementById('user_pass').value = arguments[1];";
        browser.execute(script, vec![ADMIN.into(), PASSWORD.into()]).await?;
        let began = Instant::now();
        // Not by a click of the driver's, which would wait for the page.
        browser.execute("document.getElementById('loginform').submit()", Vec::new()).await?;
        let password = arrived(&browser, began).await?;

        browser.forget_cookies().await?;
        browser.goto("about:blank").await?;
        let began = Instant::now();
        let handoff = unbound.api.issue_to(&member.subject, ARRIVAL).await?;
        browser.goto(&handoff.login_url).await?;
        let direct = arrived(&browser, began).await?;

        let start = format!(
            "{}/wp-admin/admin-post.php?action=gatepass&start=1&login_hint=cust-1001&redirect_to={ARRIVAL}",
            bound.wordpress.url()
        );
        browser.forget_cookies().await?;
        browser.goto("about:blank").await?;
        let began = Instant::now();
        browser.goto(&start).await?;
        let through_the_start = arrived(&browser, began).await?;

        if round > 0 {
            readings.note("wp-login.php, its form sent (nobody types)", password);
            readings.note("a click, not bound", direct);
            readings.note("a click, bound: start, panel, landing", through_the_start);
        }
        for stack in [&bound, &unbound] {
            stack.wordpress.query("DELETE FROM wp_usermeta WHERE meta_key = 'session_tokens'")?;
        }
    }
    readings.print();
    Ok(())
}

async fn arrived(browser: &Browser, began: Instant) -> Result<Duration> {
    while browser.current_url().await?.path() != ARRIVAL {
        if began.elapsed() > Duration::from_secs(20) {
            return Err(format!("the click ended at {}", browser.current_url().await?).into());
        }
    }
    Ok(began.elapsed())
}

/// The middle one; sorts.
fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
