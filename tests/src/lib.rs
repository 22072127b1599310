//! The harness of the end-to-end tests: every part is real, and started by the test that needs it.
//!
//! [`Stack::start`] gives a WordPress on MariaDB, nginx and php-fpm, a Redis, `gatepass serve` on it, the demo
//! panel, and a site that was paired through its settings page. Every part has a free port and a folder of its own
//! and is stopped, by process id, when its value is dropped. [`runner`] runs the tests: most share one stack and
//! meet it with a subject of their own; those that pause or restart something ask for their own.
//!
//! ```ignore
//! pub async fn the_click_logs_in(stack: &Stack) -> Result {
//!     let member = stack.member("mia").await?;                    // PUT, active
//!     let browser = stack.browser().await?;                       // a fresh Chromium
//!     browser.goto(&stack.api.issue(&member.subject).await?.login_url).await?;
//!     browser.wait_for_path("/").await?;
//!     assert_eq!(stack.wordpress.session_rows(&member.email)?, 1);
//!     Ok(())
//! }
//! ```
//!
//! What is fetched once (WordPress, PHP, MariaDB, snapshots) is prepared by `deploy/test.sh`.

pub mod api;
pub mod browser;
pub mod demo;
pub mod dice;
pub mod fake_jwks;
pub mod fake_landing;
pub mod fake_poke;
pub mod fake_site;
pub mod fixtures;
pub mod follower;
pub mod forge;
pub mod gatepass;
pub mod mariadb;
pub mod ports;
pub mod process;
pub mod raw;
pub mod redis;
pub mod runbook;
pub mod runner;
pub mod scrape;
pub mod script;
pub mod sentinel;
pub mod spoil;
pub mod stack;
pub mod tls_proxy;
pub mod web;
pub mod wire;
pub mod wordpress;

pub use api::{Handoff, Member, PanelApi};
pub use browser::Browser;
pub use stack::Stack;
pub use wordpress::{Visitor, WordPress};

/// What a test and its helpers return; any error ends the test with its text.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
