//! `deploy/demo.sh`, as its first user meets it.

use std::net::TcpListener;

use gatepass_tests::process::is_alive;
use gatepass_tests::script::DemoScript;
use gatepass_tests::{Browser, Result, ports};

gatepass_tests::run! {
    shared: [],
    alone: [
        the_demo_works_in_a_browser_and_ctrl_c_leaves_nothing_behind,
        the_demo_killed_outright_leaves_nothing_running,
        a_taken_port_is_a_clear_message,
        an_unknown_option_shows_the_usage,
    ],
}

const BUTTON: &str = "Log in to site";

async fn the_demo_works_in_a_browser_and_ctrl_c_leaves_nothing_behind() -> Result {
    let port = ports::free_port_with_room()?.to_string();
    let mut demo = DemoScript::start(&["--port", &port])?;
    let panel = demo.panel_url().unwrap_or_default();
    assert_eq!(panel, format!("http://127.0.0.1:{port}/"));

    let browser = Browser::start().await?;
    browser.goto(&panel).await?;
    assert_eq!(browser.controls("body", BUTTON).await?.len(), 2, "one for each subscription");

    browser.click_in("[data-plan=kitchen]", BUTTON).await?;
    browser.wait_for_text("Your subscription has ended").await?;
    browser.click("Renew").await?;
    browser.wait_for_text("Welcome back").await?;
    browser.click_in("[data-plan=kitchen]", BUTTON).await?;
    browser.wait_for_path("/wp-admin/profile.php").await?;
    assert!(browser.text().await?.contains("Leo Lindqvist"));
    let wordpress = browser.url().await?;

    // The panel shows by itself that WordPress has followed, and where he is signed in.
    browser.goto(&panel).await?;
    browser.wait_for_text("Up to date.").await?;
    browser.wait_for_text("By button").await?;
    browser.click_in("[data-plan=kitchen]", "Cancel subscription").await?;
    browser.wait_for_text("Your subscription is canceled").await?;
    // The next click in WordPress, with the cookie of before.
    browser.goto(&wordpress).await?;
    browser.wait_for_text("Renew").await?;
    browser.goto(&panel).await?;
    browser.click_in("[data-plan=paper]", BUTTON).await?;
    // Nobody is signed in any more who would have to be asked.
    browser.wait_for_path("/wp-admin/profile.php").await?;
    assert!(browser.text().await?.contains("Mia Lindqvist"));

    let parts = demo.parts();
    assert!(parts.len() >= 3, "Gatepass, WordPress and the panel run");
    demo.interrupt()?;
    assert!(!parts.iter().any(|pid| is_alive(*pid)), "something still runs:\n{}", demo.said());
    assert_eq!(demo.left_behind()?, Vec::<String>::new());
    assert!(
        demo.output().lines().last().is_some_and(|line| line.starts_with("Panel: ")),
        "nothing follows that line"
    );
    Ok(())
}

async fn the_demo_killed_outright_leaves_nothing_running() -> Result {
    let mut demo = DemoScript::start(&["--port", &ports::free_port_with_room()?.to_string()])?;
    let parts = demo.parts();
    demo.kill()?;
    // The kernel tells the parts, and they stop by themselves.
    for _ in 0..100 {
        if !parts.iter().any(|pid| is_alive(*pid)) {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Err("something still runs".into())
}

async fn a_taken_port_is_a_clear_message() -> Result {
    let taken = TcpListener::bind(("127.0.0.1", ports::free_port()?))?;
    let port = taken.local_addr()?.port().to_string();
    let mut demo = DemoScript::launch(&["--port", &port])?;
    assert_eq!(demo.wait()?.code(), Some(1));
    assert!(demo.said().contains(&format!("Port {port} is taken")), "{}", demo.said());
    assert!(demo.said().contains("--port"), "it says what to do: {}", demo.said());
    assert_eq!(demo.output(), "");
    Ok(())
}

async fn an_unknown_option_shows_the_usage() -> Result {
    let mut demo = DemoScript::launch(&["--prot", "1"])?;
    assert_eq!(demo.wait()?.code(), Some(2));
    assert!(demo.said().contains("Usage: deploy/demo.sh"), "{}", demo.said());
    Ok(())
}
