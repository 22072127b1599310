//! Pictures of every page that a person sees, to be looked at.
//!
//! `cargo test -p gatepass-tests --bench screenshots -- FOLDER` after `deploy/test.sh --only setup --only build`.

use std::path::PathBuf;

use gatepass_tests::wordpress::{ADMIN, PASSWORD};
use gatepass_tests::{Browser, Result, Stack};

fn main() -> Result {
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let folder =
        PathBuf::from(folder.ok_or("name the folder for the pictures: … --bench screenshots -- FOLDER")?);
    std::fs::create_dir_all(&folder)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(&folder))
}

async fn run(folder: &std::path::Path) -> Result {
    let mut stack = Stack::start().await?;
    let browser = stack.browser().await?;
    let save = async |browser: &Browser, name: &str| {
        for (size, width, height) in [("desktop", 1200, 900), ("phone", 390, 844)] {
            browser.set_window_size(width, height).await?;
            browser.save_screenshot(&folder.join(format!("{name}-{size}.png"))).await?;
        }
        browser.set_window_size(1200, 900).await?;
        println!("{name}");
        Result::Ok(())
    };

    browser.goto(&stack.demo.url()).await?;
    save(&browser, "panel").await?;

    let (_, handoff) = stack.handoff("pictured").await?;
    browser.goto(handoff.endpoint()).await?;
    browser.wait_for_text("press the button again").await?;
    save(&browser, "landing-without-token").await?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_login(stack.wordpress.url()).await?;
    save(&browser, "arrived").await?;
    browser.goto("about:blank").await?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_text("press the button again").await?;
    save(&browser, "ask-again").await?;

    let (member, handoff) = stack.handoff("lapsed").await?;
    stack.api.put_status(&member.subject, "canceled").await?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_text("membership is not active").await?;
    save(&browser, "membership").await?;

    let owner = stack.browser().await?;
    owner.log_in_with_password(stack.wordpress.url(), ADMIN, PASSWORD).await?;
    owner.wait_for_path("/wp-admin/").await?;
    let settings = format!("{}/wp-admin/options-general.php?page=gatepass", stack.wordpress.url());
    owner.goto(&settings).await?;
    save(&owner, "settings").await?;

    let (_, handoff) = stack.handoff("unlucky").await?;
    stack.gatepass.service().kill()?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_text("does not work right now").await?;
    save(&browser, "temporary").await
}
