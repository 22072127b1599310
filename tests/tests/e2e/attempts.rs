//! The same attempt again is not an error and makes no second session; another attempt never gets in.

use gatepass_tests::{Result, Stack, wordpress};
use reqwest::StatusCode;

use crate::refusals::{ASK_AGAIN, assert_page};

pub async fn the_same_attempt_again_is_no_error_and_makes_no_second_row(stack: &Stack) -> Result {
    let (member, handoff) = stack.handoff("reload").await?;
    let (visitor, attempt) = (stack.wordpress.visitor(), wordpress::new_attempt()?);
    for _ in 0..3 {
        let answer = visitor.redeem(&handoff, &attempt).await?;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert!(visitor.is_signed_in().await?);
        assert_eq!(stack.wordpress.session_rows(&member.email)?, 1);
    }
    Ok(())
}

pub async fn two_racing_posts_of_one_attempt_make_one_user_and_one_row(stack: &Stack) -> Result {
    for round in 0..5 {
        let (member, handoff) = stack.handoff(&format!("racing-{round}")).await?;
        let attempt = wordpress::new_attempt()?;
        let (a, b) = (stack.wordpress.visitor(), stack.wordpress.visitor());
        let (first, second) = tokio::join!(a.redeem(&handoff, &attempt), b.redeem(&handoff, &attempt));
        assert_eq!((first?.status(), second?.status()), (StatusCode::SEE_OTHER, StatusCode::SEE_OTHER));
        assert!(a.is_signed_in().await? && b.is_signed_in().await?);
        assert_eq!(stack.wordpress.session_rows(&member.email)?, 1);
        let users = format!("SELECT COUNT(*) FROM wp_users WHERE user_email = '{}'", member.email);
        assert_eq!(stack.wordpress.query(&users)?.trim(), "1");
    }
    Ok(())
}

pub async fn of_racing_attempts_exactly_one_is_signed_in(stack: &Stack) -> Result {
    for round in 0..5 {
        let (member, handoff) = stack.handoff(&format!("thieves-{round}")).await?;
        let visitors: Vec<_> = (0..4).map(|_| stack.wordpress.visitor()).collect();
        let attempts = (0..4).map(|_| wordpress::new_attempt()).collect::<Result<Vec<_>>>()?;
        let (a, b, c, d) = tokio::join!(
            visitors[0].redeem(&handoff, &attempts[0]),
            visitors[1].redeem(&handoff, &attempts[1]),
            visitors[2].redeem(&handoff, &attempts[2]),
            visitors[3].redeem(&handoff, &attempts[3]),
        );
        let statuses = [a?.status(), b?.status(), c?.status(), d?.status()];
        assert_eq!(
            statuses.iter().filter(|status| **status == StatusCode::SEE_OTHER).count(),
            1,
            "{statuses:?}"
        );
        assert_eq!(statuses.iter().filter(|status| **status == StatusCode::GONE).count(), 3, "{statuses:?}");
        let mut signed_in = 0;
        for visitor in &visitors {
            signed_in += usize::from(visitor.is_signed_in().await?);
        }
        assert_eq!((signed_in, stack.wordpress.session_rows(&member.email)?), (1, 1));
    }
    Ok(())
}

pub async fn a_session_that_was_logged_out_is_not_brought_back(stack: &Stack) -> Result {
    let (member, handoff) = stack.handoff("logged-out-attempt").await?;
    let (visitor, attempt) = (stack.wordpress.visitor(), wordpress::new_attempt()?);
    assert_eq!(visitor.redeem(&handoff, &attempt).await?.status(), StatusCode::SEE_OTHER);
    let id = stack.wordpress.user_id(&member.email)?.ok_or("no user")?;
    stack.wordpress.eval(&format!("WP_Session_Tokens::get_instance( {id} )->destroy_all();"))?;
    assert!(!visitor.is_signed_in().await?);

    let again = stack.wordpress.visitor();
    let answer = again.redeem(&handoff, &attempt).await?;
    assert_page(&again, answer, StatusCode::GONE, ASK_AGAIN).await?;
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 0);
    Ok(())
}

pub async fn another_session_of_the_same_customer_stays(stack: &Stack) -> Result {
    let (member, first) = stack.handoff("two-devices").await?;
    let (phone, laptop) = (stack.wordpress.visitor(), stack.wordpress.visitor());
    phone.redeem(&first, &wordpress::new_attempt()?).await?;
    let second = stack.api.issue(&member.subject).await?;
    laptop.redeem(&second, &wordpress::new_attempt()?).await?;
    assert!(phone.is_signed_in().await? && laptop.is_signed_in().await?);
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 2);
    Ok(())
}

pub async fn the_used_link_again_in_the_browser_says_so_and_ends_nothing(stack: &Stack) -> Result {
    let browser = stack.browser().await?;
    let (member, handoff) = stack.handoff("used-link-again").await?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_login(stack.wordpress.url()).await?;
    browser.goto("about:blank").await?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_text(ASK_AGAIN).await?;
    browser.goto(stack.wordpress.url()).await?;
    assert!(browser.signed_in_as().await?.is_some());
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 1);
    Ok(())
}

pub async fn a_new_click_in_the_tab_that_shows_a_refusal_works(stack: &Stack) -> Result {
    let browser = stack.browser().await?;
    let (member, revoked) = stack.handoff("second-try").await?;
    stack.api.revoke(&revoked.id).await?;
    browser.goto(&revoked.login_url).await?;
    browser.wait_for_text(ASK_AGAIN).await?;
    // Straight from one to the other: only a new address makes the browser load the page again.
    browser.goto(&stack.api.issue(&member.subject).await?.login_url).await?;
    browser.wait_for_login(stack.wordpress.url()).await?;
    assert!(browser.signed_in_as().await?.is_some());
    Ok(())
}
