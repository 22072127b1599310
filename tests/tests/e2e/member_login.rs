//! The login form that an owner puts on a page: as a block, and as a shortcode.

use gatepass_tests::wordpress::{ADMIN, PASSWORD};
use gatepass_tests::{Browser, Result, Stack};
use reqwest::{StatusCode, header};

use crate::gate::House;
use crate::pages::assert_usable;

const WRONG: &str = "do not go together";
const STYLE: &str = "blocks/login/style.css";

/// Publishes a page.
fn publish(house: &House, slug: &str, content: &str) -> Result<String> {
    house.eval(&format!(
        "echo wp_insert_post( array( 'post_type' => 'page', 'post_status' => 'publish', 'post_title' => 'Come in', 'post_name' => '{slug}', 'post_content' => '{content}' ) );"
    ))
}

async fn fill_in(browser: &Browser, name: &str, password: &str) -> Result {
    browser.control(".gatepass-login", "User name or e-mail address").await?.send_keys(name).await?;
    browser.control(".gatepass-login", "Password").await?.send_keys(password).await?;
    browser.click_in(".gatepass-login", "Log in").await
}

pub async fn members_log_in_on_a_page_of_the_owners() -> Result {
    let house = House::on(Stack::bound().await?)?;
    let id = publish(&house, "come-in", "<!-- wp:gatepass/login /-->")?;
    let second = publish(&house, "come-in-too", "[gatepass_login redirect_to=\"/hello-world/\"]")?;
    let (page, second) = (format!("/?page_id={id}"), format!("/?page_id={second}"));
    // Who comes by button needs a browser here, so the member is made by the functions that make one.
    let person = house.made("form-a")?;
    let browser = house.stack.browser().await?;

    browser.goto(&house.url(&page)).await?;
    assert_usable(&browser, "the form", ".gatepass-login").await?;
    browser.control(".gatepass-login", "Log in with your subscription").await?;
    fill_in(&browser, &person.login, "wrong").await?;
    browser.wait_for_text(WRONG).await?;
    assert!(!browser.current_url().await?.as_str().contains(&person.login));
    let focused = browser.active_element().await?.attr("name").await?;
    assert_eq!(focused.as_deref(), Some("log"), "whoever typed something wrong can go on typing");
    assert_usable(&browser, "the form with an error", ".gatepass-login").await?;
    // The same for somebody who does not exist.
    fill_in(&browser, "nobody-of-this-name", "wrong").await?;
    browser.wait_for_text(WRONG).await?;
    fill_in(&browser, &person.login, PASSWORD).await?;
    browser.wait_for_text("You are logged in as").await?;
    assert!(!browser.current_url().await?.as_str().contains("gatepass_login"));
    assert_usable(&browser, "who is logged in", ".gatepass-login").await?;
    browser.click_in(".gatepass-login", "Log out").await?;
    browser.control(".gatepass-login", "Password").await?;

    // The shortcode, and where it leads.
    browser.goto(&house.url(&second)).await?;
    assert_usable(&browser, "the shortcode", ".gatepass-login").await?;
    fill_in(&browser, &person.email, PASSWORD).await?;
    browser.wait_for_path("/hello-world/").await?;

    // A lapsed member: why, and where to renew; to wrong passwords it says what it says to everybody.
    house.stand(&person, 0)?;
    browser.forget_cookies().await?;
    browser.goto(&house.url(&page)).await?;
    fill_in(&browser, &person.login, "wrong").await?;
    browser.wait_for_text(WRONG).await?;
    fill_in(&browser, &person.login, PASSWORD).await?;
    browser.wait_for_text("Your membership is not active").await?;
    let link = browser.control(".gatepass-login-error", "Renew your membership").await?.attr("href").await?;
    assert!(link.is_some_and(|to| to.ends_with("#renew")));
    assert_usable(&browser, "the form for who has lapsed", ".gatepass-login").await?;
    Ok(())
}

pub async fn the_form_leads_nowhere_else_and_is_nowhere_else() -> Result {
    let house = House::new().await?;
    let person = house.member("form-b").await?;
    publish(&house, "come-in", "[gatepass_login redirect_to=\"https://evil.example/\"]")?;
    let visitor = house.stack.wordpress.visitor();
    let path = "/come-in/?redirect_to=https://evil.example/&gatepass_login=%22%3E%3Cscript%3E";
    let page = visitor.get(path).await?.text().await?;
    assert!(page.contains("name=\"log\"") && page.contains(STYLE));
    let form = page.split("<form").find(|form| form.contains("name=\"log\"")).unwrap_or_default();
    let target = form.split("name=\"redirect_to\" value=\"").nth(1).unwrap_or_default();
    assert!(target.starts_with(house.stack.wordpress.url()), "{form}");
    assert!(!page.contains("\"><script>") && !page.contains("Log in with your subscription"));
    // Elsewhere there is nothing of it.
    assert!(!visitor.get("/").await?.text().await?.contains("gatepass"));

    let post =
        async |login: &str, password: &str, page: &str| -> Result<(StatusCode, Option<String>, String)> {
            let form = [("log", login), ("pwd", password), ("gatepass_page", page)];
            let answer = house.post(&house.stack.wordpress.visitor(), "/wp-login.php", &form).await?;
            let to =
                answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
            Ok((answer.status(), to, answer.text().await?))
        };
    for page in [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "http://127.0.0.1:1/",
        "",
    ] {
        let (status, to, text) = post(&person.login, "wrong", page).await?;
        assert_eq!((status, to), (StatusCode::OK, None), "{page}");
        assert!(text.contains("is incorrect"), "{page}: WordPress's own page answers");
    }
    let (status, to, _) = post(&person.login, "wrong", "/?page_id=7&x=1#y").await?;
    assert_eq!(
        (status, to),
        (StatusCode::SEE_OTHER, Some(house.url("/?page_id=7&x=1&gatepass_login=failed")))
    );
    house.stand(&person, 0)?;
    let (_, to, _) = post(&person.login, PASSWORD, "/").await?;
    assert_eq!(to, Some(house.url("/?gatepass_login=inactive")));
    // What another plugin has to say is said by WordPress's own page.
    crate::support::install(
        &house.stack,
        "lock.php",
        "<?php add_filter( 'authenticate', function () { return new WP_Error( 'locked', 'Too many tries' ); }, 99 );",
    )?;
    let (status, _, text) = post(&person.login, PASSWORD, "/").await?;
    assert!(status == StatusCode::OK && text.contains("Too many tries"));
    Ok(())
}

pub async fn the_form_is_a_block_in_the_editor() -> Result {
    let house = House::new().await?;
    let id = publish(&house, "come-in", "<!-- wp:gatepass/login /-->")?;
    let browser = house.stack.browser().await?;
    browser.log_in_with_password(house.stack.wordpress.url(), ADMIN, PASSWORD).await?;
    browser.wait_for_path("/wp-admin/").await?;
    browser.goto(&house.url(&format!("/wp-admin/post.php?post={id}&action=edit"))).await?;
    let script = "const canvas = document.querySelector('iframe[name=editor-canvas]');
        const page = canvas ? canvas.contentDocument : document;
        return page && page.querySelector('[data-type=\"gatepass/login\"] input[name=log]') ? 'there' : null;";
    for _ in 0..200 {
        if browser.execute(script, Vec::new()).await? == "there" {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err(format!("the editor shows no form: {}", browser.text().await?).into())
}
