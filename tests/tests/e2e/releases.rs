//! Every WordPress that Gatepass promises to work on, alone and as a network of blogs: a member's whole life.

use gatepass_tests::api::PanelApi;
use gatepass_tests::wordpress::{Release, SECOND_BLOG, WordPress, new_attempt};
use gatepass_tests::{Handoff, Result, Stack, Visitor};
use reqwest::{Method, StatusCode};
use serde_json::json;

/// How long WordPress may take to follow, in seconds.
const WAIT: u64 = 10;

pub async fn a_member_lives_on_every_release() -> Result {
    for release in Release::ALL {
        let stack = Stack::on(release).await?;
        let told = live(&stack.wordpress, &stack.api, "").await;
        told.map_err(|error| format!("{release:?}: {error}"))?;
        says_nothing(&stack.wordpress, release)?;
    }
    Ok(())
}

/// Two blogs of one network are two sites of Gatepass: a customer of one is nobody on the other.
pub async fn each_blog_of_a_network_is_a_site_of_its_own() -> Result {
    for release in Release::ALL {
        let stack = Stack::on(release).await?;
        stack.wordpress.become_network()?;
        let blog = stack.gatepass.add_site(&format!("{}{SECOND_BLOG}", stack.wordpress.url()), &[])?;
        let paired = stack.wordpress.pair_blog(SECOND_BLOG, &blog.pairing_code);
        paired.map_err(|error| format!("{release:?}: {error}"))?;
        let key = stack.gatepass.add_client("second")?;
        let second = PanelApi::new(&stack.gatepass.url(), &blog.id, &key);
        let told = two_blogs(&stack.wordpress, &stack.api, &second).await;
        told.map_err(|error| format!("{release:?}: {error}"))?;
        says_nothing(&stack.wordpress, release)?;
    }
    Ok(())
}

async fn two_blogs(wordpress: &WordPress, first: &PanelApi, second: &PanelApi) -> Result {
    live(wordpress, first, "").await?;
    live(wordpress, second, SECOND_BLOG).await?;

    // One of each, signed in; what ends on one blog ends nothing on the other.
    let (here, there) =
        (first.put_status("here", "active").await?, second.put_status("there", "active").await?);
    let on_first = signed_in(wordpress, &first.issue("here").await?).await?;
    let handoff = second.issue("there").await?;
    assert!(handoff.endpoint().contains("/two/wp-admin/"), "{}", handoff.endpoint());
    let on_second = signed_in(wordpress, &handoff).await?;
    for (email, blog) in [(&here.email, 1), (&there.email, 2)] {
        assert_eq!(
            (belongs(wordpress, email, blog)?, belongs(wordpress, email, 3 - blog)?),
            (true, false),
            "{email}"
        );
    }
    let canceled = json!({ "status": "canceled" });
    let ended = second.waiting(Method::PATCH, "/members/there/membership", Some(&canceled), WAIT).await?;
    assert_eq!(ended.sync(), "synced", "{}", ended.body);
    assert!(!is_in(&on_second, SECOND_BLOG).await?, "the membership has ended there");
    assert!(is_in(&on_first, "").await?, "and here it has not");

    // A link of the one means nothing to the other.
    second.put_status("there", "active").await?;
    let foreign = second.issue("there").await?;
    let (endpoint, attempt) = (foreign.endpoint().replace("/two/", "/"), new_attempt()?);
    let form = [("token", foreign.token()), ("attempt", &attempt)];
    let answer = wordpress.visitor().post(&endpoint, &form, wordpress.url()).await?;
    assert!(answer.status().is_client_error(), "{}", answer.status());
    Ok(())
}

/// Comes, signs in, changes, is canceled, comes back, goes: each time WordPress follows by itself.
async fn live(wordpress: &WordPress, api: &PanelApi, blog: &str) -> Result {
    let subject = format!("life{}", blog.replace('/', "-"));
    let email = |name: &str| format!("{name}{}@example.com", blog.replace('/', "."));
    let member = |name: &str, status: &str| json!({ "email": email(name), "display_name": "Lou", "locale": "", "membership": { "status": status } });
    let put = async |name: &str, status: &str| -> Result {
        let answer = api.put_and_wait(&subject, &member(name, status), WAIT).await?;
        assert_eq!(answer.sync(), "synced", "{name} {status}: {}", answer.body);
        Ok(())
    };

    put("first", "active").await?;
    let user = wordpress.user_id(&email("first"))?.ok_or("no user was made")?;
    let handoff = api.issue(&subject).await?;
    let visitor = signed_in(wordpress, &handoff).await?;
    assert!(is_in(&visitor, blog).await?, "signed in");
    assert_eq!(wordpress.session_rows(&email("first"))?, 1);
    let again = wordpress.visitor().redeem(&handoff, &new_attempt()?).await?;
    assert_eq!(again.status(), StatusCode::GONE, "a link works once");

    put("second", "active").await?;
    assert_eq!(wordpress.user_id(&email("second"))?, Some(user), "the same user");
    assert!(is_in(&visitor, blog).await?, "a new address signs nobody out");
    let sessions = api.site_call(Method::GET, &format!("/members/{subject}/sessions"), None).await?.ok()?;
    assert_eq!(sessions["sessions"][0]["handoff_id"], handoff.id, "{sessions}");

    put("second", "canceled").await?;
    assert!(!is_in(&visitor, blog).await?, "the membership has ended");
    assert_eq!(wordpress.session_rows(&email("second"))?, 0);
    put("second", "active").await?;
    let visitor = signed_in(wordpress, &api.issue(&subject).await?).await?;

    let ended = api.waiting(Method::DELETE, &format!("/members/{subject}/sessions"), None, WAIT).await?;
    assert_eq!(ended.sync(), "synced", "{}", ended.body);
    assert!(!is_in(&visitor, blog).await?, "signed out everywhere");

    let visitor = signed_in(wordpress, &api.issue(&subject).await?).await?;
    let gone = api.waiting(Method::DELETE, &format!("/members/{subject}"), None, WAIT).await?;
    assert_eq!(gone.sync(), "synced", "{}", gone.body);
    assert!(!is_in(&visitor, blog).await?, "removed");
    assert_eq!(wordpress.user_id(&email("second"))?, Some(user), "nothing is lost by default");
    Ok(())
}

async fn signed_in(wordpress: &WordPress, handoff: &Handoff) -> Result<Visitor> {
    let visitor = wordpress.visitor();
    let answer = visitor.redeem(handoff, &new_attempt()?).await?;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    Ok(visitor)
}

async fn is_in(visitor: &Visitor, blog: &str) -> Result<bool> {
    Ok(visitor.get(&format!("{blog}/wp-admin/profile.php")).await?.status().is_success())
}

/// Whether a user has a role on a blog.
fn belongs(wordpress: &WordPress, email: &str, blog: u8) -> Result<bool> {
    let meta = if blog == 1 { "wp_capabilities".to_owned() } else { format!("wp_{blog}_capabilities") };
    let sql = format!(
        "SELECT COUNT(*) FROM wp_usermeta JOIN wp_users ON ID = user_id \
         WHERE user_email = '{email}' AND meta_key = '{meta}'"
    );
    Ok(wordpress.query(&sql)?.trim() == "1")
}

/// Nothing of the plugin's is in WordPress's debug.log. Debian's 6.1 has notices of its own on PHP 8.2.
fn says_nothing(wordpress: &WordPress, release: Release) -> Result {
    let log = std::fs::read_to_string(wordpress.debug_log()).unwrap_or_default();
    let ours: Vec<_> = log.lines().filter(|line| line.contains("plugins/gatepass/")).collect();
    if ours.is_empty() { Ok(()) } else { Err(format!("{release:?}: {ours:#?}").into()) }
}
