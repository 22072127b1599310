//! What everything else stands on.

use gatepass_tests::wordpress::{self, WordPress};
use gatepass_tests::{Browser, Result};

pub async fn wordpress_boots_and_an_administrator_logs_in_with_a_password() -> Result {
    let folder = tempfile::tempdir()?;
    let site = WordPress::start(folder.path())?;
    assert_eq!(site.eval("echo get_bloginfo( 'version' );")?, "7.1.1");

    let browser = Browser::start().await?;
    browser.log_in_with_password(site.url(), wordpress::ADMIN, wordpress::PASSWORD).await?;
    browser.wait_for_path("/wp-admin/").await?;

    assert_eq!(browser.signed_in_as().await?.as_deref(), Some(wordpress::ADMIN));
    assert_eq!(site.session_rows(wordpress::ADMIN)?, 1);
    Ok(())
}
