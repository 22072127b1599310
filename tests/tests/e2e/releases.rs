//! Every WordPress that Gatepass promises to work on, alone and as a network of blogs.

use gatepass_tests::api::PanelApi;
use gatepass_tests::wordpress::{Release, SECOND_BLOG, new_attempt};
use gatepass_tests::{Result, Stack};
use reqwest::StatusCode;

/// A customer who is let in, knows the site as its user, and is not let in again by the same link.
pub async fn a_customer_is_signed_in_on_every_release() -> Result {
    for release in Release::ALL {
        let stack = Stack::on(release).await?;
        let (member, handoff) = stack.handoff("release").await?;
        let visitor = stack.wordpress.visitor();
        let answer = visitor.redeem(&handoff, &new_attempt()?).await?;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{release:?}");
        assert!(visitor.is_signed_in().await?, "{release:?}");
        assert_eq!(stack.wordpress.session_rows(&member.email)?, 1, "{release:?}");
        let thief = stack.wordpress.visitor();
        assert_eq!(thief.redeem(&handoff, &new_attempt()?).await?.status(), StatusCode::GONE, "{release:?}");
        let log = std::fs::read_to_string(stack.wordpress.debug_log()).unwrap_or_default();
        // Debian's 6.1 has notices of its own on PHP 8.2.
        let ours = log.lines().filter(|line| line.contains("plugins/gatepass/"));
        assert_eq!(ours.count(), 0, "{release:?}: {log}");
    }
    Ok(())
}

/// Two blogs of one network are two sites of Gatepass: a customer of one is nobody on the other.
pub async fn each_blog_of_a_network_is_a_site_of_its_own() -> Result {
    for release in Release::ALL {
        let stack = Stack::on(release).await?;
        stack.wordpress.become_network()?;
        let blog = stack.gatepass.add_site(&format!("{}{SECOND_BLOG}", stack.wordpress.url()), &[])?;
        stack
            .wordpress
            .pair_blog(SECOND_BLOG, &blog.pairing_code)
            .map_err(|error| format!("{release:?}: {error}"))?;
        let key = stack.gatepass.add_client("second")?;
        let second = PanelApi::new(&stack.gatepass.url(), &blog.id, &key);

        let (first_member, first) = stack.handoff("network").await?;
        let visitor = stack.wordpress.visitor();
        assert_eq!(
            visitor.redeem(&first, &new_attempt()?).await?.status(),
            StatusCode::SEE_OTHER,
            "{release:?}"
        );
        let belongs = |email: &str, blog: u8| {
            let sql = format!(
                "SELECT COUNT(*) FROM wp_usermeta JOIN wp_users ON ID = user_id WHERE user_email = '{email}' AND meta_key = '{}'",
                if blog == 1 { "wp_capabilities".to_owned() } else { format!("wp_{blog}_capabilities") }
            );
            stack.wordpress.query(&sql).map(|count| count.trim() == "1")
        };
        assert!(belongs(&first_member.email, 1)? && !belongs(&first_member.email, 2)?, "{release:?}");

        let member = second.put_status("network-2", "active").await?;
        let handoff = second.issue("network-2").await?;
        assert!(handoff.endpoint().contains("/two/wp-admin/"), "{}", handoff.endpoint());
        let visitor = stack.wordpress.visitor();
        assert_eq!(
            visitor.redeem(&handoff, &new_attempt()?).await?.status(),
            StatusCode::SEE_OTHER,
            "{release:?}"
        );
        assert!(belongs(&member.email, 2)? && !belongs(&member.email, 1)?, "{release:?}");

        // A link of the one means nothing to the other.
        let foreign = second.issue("network-2").await?;
        let endpoint = foreign.endpoint().replace("/two/", "/");
        let form = [("token", foreign.token()), ("attempt", &new_attempt()?)];
        let answer = stack.wordpress.visitor().post(&endpoint, &form, stack.wordpress.url()).await?;
        assert!(answer.status().is_client_error(), "{release:?}: {}", answer.status());
    }
    Ok(())
}
