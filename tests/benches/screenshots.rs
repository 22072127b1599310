//! Pictures of every page that a person sees, to be looked at.
//!
//! `cargo test -p gatepass-tests --bench screenshots -- FOLDER` after `deploy/test.sh --only setup --only build`.

use std::path::PathBuf;

use gatepass_tests::wordpress::{ADMIN, PASSWORD};
use gatepass_tests::{Browser, Result, Stack};
use serde_json::json;

fn main() -> Result {
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let folder =
        PathBuf::from(folder.ok_or("name the folder for the pictures: … --bench screenshots -- FOLDER")?);
    std::fs::create_dir_all(&folder)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(&folder))
}

async fn run(folder: &std::path::Path) -> Result {
    let save = async |browser: &Browser, name: &str| {
        for (size, width, height) in [("desktop", 1200, 900), ("phone", 390, 844)] {
            browser.set_window_size(width, height).await?;
            for (colours, dark) in [("light", false), ("dark", true)] {
                browser.prefer_dark(dark).await?;
                browser.save_screenshot(&folder.join(format!("{name}-{size}-{colours}.png"))).await?;
            }
            browser.prefer_dark(false).await?;
        }
        browser.set_window_size(1200, 900).await?;
        println!("{name}");
        Result::Ok(())
    };
    of_the_bound_start(&save).await?;
    of_logins(&save).await?;
    of_the_gate(&save).await
}

async fn of_the_gate(save: &impl AsyncFn(&Browser, &str) -> Result) -> Result {
    let stack = Stack::bound().await?;
    let site = stack.wordpress.url();
    stack.wordpress.eval(&format!(
        "$c = ( new Gatepass_Store() )->connection(); $i = new Gatepass_Identity( $c->issuer(), $c->site_id(), 'mia' ); \
         $id = wp_insert_user( array( 'user_login' => 'mia', 'user_pass' => '{PASSWORD}', 'user_email' => 'mia@example.com', \
         'role' => 'subscriber', 'display_name' => 'Mia Lindqvist', 'meta_input' => array( $i->meta_key() => $i->readable() ) ) ); \
         Gatepass_Standing::from_array( array( 'allowed_until' => PHP_INT_MAX ) )->save( $id, $i ); \
         wp_insert_post( array( 'post_type' => 'page', 'post_status' => 'publish', 'post_title' => 'Members', 'post_name' => 'members', \
         'post_content' => '<!-- wp:gatepass/login /-->' ) );"
    ))?;
    let page = format!("{site}/members/");
    let fill_in = async |browser: &Browser, password: &str| {
        browser.control(".gatepass-login", "User name or e-mail address").await?.send_keys("mia").await?;
        browser.control(".gatepass-login", "Password").await?.send_keys(password).await?;
        browser.click_in(".gatepass-login", "Log in").await
    };
    let browser = stack.browser().await?;
    browser.goto(&page).await?;
    save(&browser, "member-login").await?;
    let dark = "document.body.style.cssText = 'background:#14161c;color:#eceef4'";
    browser.execute(dark, Vec::new()).await?;
    save(&browser, "member-login-on-a-dark-theme").await?;
    browser.refresh().await?;
    fill_in(&browser, "wrong").await?;
    browser.wait_for_text("do not go together").await?;
    save(&browser, "member-login-wrong").await?;
    fill_in(&browser, PASSWORD).await?;
    browser.wait_for_text("You are logged in as").await?;
    save(&browser, "member-logged-in").await?;

    stack.wordpress.eval(
        "$id = get_user_by( 'login', 'mia' )->ID; \
         Gatepass_Standing::from_array( array() )->save( $id, Gatepass_Identity::of_user( $id, ( new Gatepass_Store() )->connection() ) );",
    )?;
    browser.goto(&page).await?;
    browser.wait_for_text("Your membership is not active").await?;
    save(&browser, "membership-ended").await?;
    browser.goto(&page).await?;
    fill_in(&browser, PASSWORD).await?;
    browser.wait_for_text("Your membership is not active").await?;
    save(&browser, "member-login-lapsed").await?;
    browser.log_in_with_password(site, "mia", PASSWORD).await?;
    browser.wait_for_text("Your membership is not active").await?;
    save(&browser, "wp-login-lapsed").await
}

async fn of_the_bound_start(save: &impl AsyncFn(&Browser, &str) -> Result) -> Result {
    let stack = Stack::bound().await?;
    let site = stack.wordpress.url();
    let browser = stack.browser().await?;
    browser.goto(&stack.demo.url()).await?;
    save(&browser, "panel").await?;
    browser.click_in("[data-plan=kitchen]", "Log in to site").await?;
    browser.wait_for_text("Your subscription has ended").await?;
    save(&browser, "panel-ended").await?;

    browser.goto(&format!("{site}/wp-login.php")).await?;
    save(&browser, "wp-login").await?;

    let attacker = stack.wordpress.visitor();
    let (_, binding) = attacker.start("").await?;
    stack.member("attacker").await?;
    let link = stack.api.issue_bound("attacker", &binding).await?;
    browser.forget_cookies().await?;
    browser.goto(&link.login_url).await?;
    browser.wait_for_text("belongs to another browser").await?;
    save(&browser, "another-browser").await?;

    let owner = stack.browser().await?;
    owner.log_in_with_password(site, ADMIN, PASSWORD).await?;
    owner.wait_for_path("/wp-admin/").await?;
    owner.goto(&stack.demo.url()).await?;
    owner.click_in("[data-plan=paper]", "Log in to site").await?;
    owner.wait_for_text("Continue as Mia Lindqvist?").await?;
    save(&owner, "someone-else").await?;
    owner.click(&format!("Stay signed in as {ADMIN}")).await?;
    owner.goto(&format!("{site}/wp-admin/options-general.php?page=gatepass")).await?;
    save(&owner, "settings").await?;
    owner
        .execute("document.querySelector('#gatepass-exempt').scrollIntoView({ block: 'center' })", Vec::new())
        .await?;
    save(&owner, "settings-gate").await?;
    let to_keys = "[...document.querySelectorAll('.gatepass-card h2')].find( h => h.textContent.startsWith('Keys') ).scrollIntoView()";
    owner.execute(to_keys, Vec::new()).await?;
    save(&owner, "settings-keys").await?;
    for (state, name) in
        [("with_refused_at( 1 )", "key-unknown"), ("with_followed( null, 1, 99 )", "keys-lost")]
    {
        stack.wordpress.eval(&format!(
            "Gatepass_Keys::change( ( new Gatepass_Store() )->connection(), function ( $now, $keys ) {{ \
             return $keys->with_refused_at( 0 )->{state}; }} );"
        ))?;
        owner.refresh().await?;
        save(&owner, &format!("settings-{name}")).await?;
        owner.execute(to_keys, Vec::new()).await?;
        save(&owner, &format!("settings-{name}-card")).await?;
    }
    owner.goto(&format!("{site}/wp-admin/site-health.php")).await?;
    owner.wait_for_text("lost track").await?;
    save(&owner, "site-health-keys").await
}

async fn of_logins(save: &impl AsyncFn(&Browser, &str) -> Result) -> Result {
    let mut stack = Stack::start().await?;
    let browser = stack.browser().await?;
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
    owner
        .goto(&format!("{}/wp-admin/options-general.php?page=gatepass&tab=sign-ins", stack.wordpress.url()))
        .await?;
    save(&owner, "sign-ins").await?;

    let key = stack.gatepass.command(&[
        "client",
        "add",
        "helpdesk",
        "--scope",
        "handoffs",
        "--scope",
        "handoffs:on_behalf",
    ])?;
    let actor =
        json!({ "subject": "staff-7", "name": "Sam Support", "reason": "Ticket 4711: the menu is gone" });
    let asked = json!({ "subject": "pictured", "actor": actor });
    let support = stack.api.with_key(key.trim()).issue_with(&asked).await?;
    let staff = stack.browser().await?;
    staff.goto(&support.login_url).await?;
    staff.wait_for_login(stack.wordpress.url()).await?;
    save(&staff, "support-front").await?;
    staff.goto(&format!("{}/wp-admin/profile.php", stack.wordpress.url())).await?;
    save(&staff, "support-profile").await?;

    let (_, handoff) = stack.handoff("unlucky").await?;
    stack.gatepass.service().kill()?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_text("does not work right now").await?;
    save(&browser, "temporary").await?;

    // The landing page itself lives for a moment only: without its script it stays.
    let landing =
        stack.wordpress.visitor().get("/wp-admin/admin-post.php?action=gatepass").await?.text().await?;
    let (before, rest) = landing.split_once("<script>").ok_or("no script")?;
    let still = format!("{before}{}", rest.split_once("</script>").map_or("", |(_, after)| after));
    let page = url::form_urlencoded::byte_serialize(still.as_bytes()).collect::<String>().replace('+', "%20");
    browser.goto(&format!("data:text/html;charset=utf-8,{page}")).await?;
    save(&browser, "landing").await
}
