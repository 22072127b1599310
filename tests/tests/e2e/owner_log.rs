//! The owner's own log in WordPress: what is written into it and what is not, who may see it, what leaves it, and
//! what of it goes when a person, a site or the plugin goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatepass_tests::wordpress::{self, ADMIN, ADMIN_EMAIL, PASSWORD};
use gatepass_tests::{Handoff, Member, Result, Stack, Visitor, api, forge};
use reqwest::StatusCode;
use serde_json::{Value, json};

const SIGN_INS: &str = "/wp-admin/options-general.php?page=gatepass&tab=sign-ins";
const COLUMNS: &str = "result, cause, user_id, subject, ip, IF(identity = '', 'nobody', 'somebody')";

/// What the log says of a handoff, in order; nothing while there is no table, or half of one.
fn lines(stack: &Stack, handoff: &Handoff) -> Vec<String> {
    let sql = format!("SELECT {COLUMNS} FROM wp_gatepass_log WHERE handoff = '{}' ORDER BY id", handoff.id);
    let said = stack.wordpress.query(&sql).unwrap_or_default();
    said.lines().map(|line| line.replace('\t', "|")).collect()
}

/// The same, once there are so many: a line is written after the answer.
async fn wait_for_lines(stack: &Stack, handoff: &Handoff, count: usize) -> Result<Vec<String>> {
    let begun = Instant::now();
    loop {
        let lines = lines(stack, handoff);
        if lines.len() >= count || begun.elapsed() > Duration::from_secs(10) {
            assert_eq!(lines.len(), count, "{lines:?}");
            return Ok(lines);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// After this, what was done after an answer has been done.
async fn let_everything_be_written() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

async fn sign_in(stack: &Stack, subject: &str) -> Result<(Member, Handoff, u64)> {
    let mut wanted = api::member(subject);
    // An address must not begin with any sign, nor differ from another in upper case alone.
    let name =
        subject.trim_start_matches(['@', '-']).replace(|letter: char| letter.is_ascii_uppercase(), "up");
    let email = format!("{name}@example.com");
    wanted["email"] = json!(email);
    stack.api.put(subject, &wanted).await?.ok()?;
    let member = Member { subject: subject.to_owned(), email };
    let handoff = stack.api.issue(subject).await?;
    let answer = stack.wordpress.visitor().redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{subject}");
    wait_for_lines(stack, &handoff, 1).await?;
    let user = stack.wordpress.user_id(&member.email)?.ok_or("no user")?;
    Ok((member, handoff, user))
}

async fn owner(stack: &Stack) -> Result<Visitor> {
    let owner = stack.wordpress.visitor();
    owner.log_in_with_password(ADMIN, PASSWORD).await?;
    Ok(owner)
}

async fn page(visitor: &Visitor, path: &str) -> Result<String> {
    Ok(visitor.get(path).await?.text().await?)
}

/// How many lines of the log the page shows.
fn rows(page: &str) -> usize {
    page.matches("<time datetime=").count()
}

/// The path that the button "Export CSV" leads to.
fn export_path(page: &str) -> Result<String> {
    let link = page.split("href=\"").find(|link| link.contains("action=gatepass_export"));
    let link = link.and_then(|link| link.split('"').next()).ok_or("no button that exports")?;
    let path = link.find("/wp-admin/").and_then(|at| link.get(at..)).ok_or("it leads elsewhere")?;
    Ok(path.replace("&#038;", "&").replace("&amp;", "&"))
}

pub async fn a_login_and_a_refusal_write_a_line_each_and_repeats_none(stack: &Stack) -> Result {
    let (member, handoff) = stack.handoff("log-once").await?;
    let (visitor, attempt) = (stack.wordpress.visitor(), wordpress::new_attempt()?);
    for _ in 0..3 {
        assert_eq!(visitor.redeem(&handoff, &attempt).await?.status(), StatusCode::SEE_OTHER);
    }
    let user = stack.wordpress.user_id(&member.email)?.ok_or("no user")?;
    let signed_in = format!("signed_in||{user}|log-once|127.0.0.1|somebody");
    assert_eq!(wait_for_lines(stack, &handoff, 1).await?, [signed_in.as_str()]);

    let (stranger, attempt) = (stack.wordpress.visitor(), wordpress::new_attempt()?);
    let refused = stranger.redeem(&handoff, &attempt).await?.text().await?;
    stranger.redeem(&handoff, &attempt).await?;
    let expected = [signed_in, format!("refused|handoff_used|{user}|log-once|127.0.0.1|somebody")];
    assert_eq!(wait_for_lines(stack, &handoff, 2).await?, expected);
    let_everything_be_written().await;
    assert_eq!(lines(stack, &handoff), expected);

    let sql = format!(
        "SELECT reference FROM wp_gatepass_log WHERE handoff = '{}' AND result = 'refused'",
        handoff.id
    );
    let reference = stack.wordpress.query(&sql)?;
    assert!(
        refused.contains(reference.trim()) && reference.trim().len() == 9,
        "{reference} is not on {refused}"
    );
    Ok(())
}

/// Lines without the number of the user, who may be there by then or not: the site follows the panel by itself.
fn without_user(lines: &[String]) -> Vec<String> {
    let fields = |line: &String| line.splitn(4, '|').map(ToOwned::to_owned).collect::<Vec<_>>();
    let without = |line: &String| match &fields(line)[..] {
        [result, cause, _, rest] => format!("{result}|{cause}|{rest}"),
        _ => line.clone(),
    };
    lines.iter().map(without).collect()
}

pub async fn what_the_panel_or_the_owner_forbids_is_written_with_its_cause(stack: &Stack) -> Result {
    let (canceled, handoff) = stack.handoff("log-canceled").await?;
    stack.api.put_status(&canceled.subject, "canceled").await?;
    stack.wordpress.visitor().redeem(&handoff, &wordpress::new_attempt()?).await?;
    let expected = "refused|membership_inactive|log-canceled|127.0.0.1|somebody";
    assert_eq!(without_user(&wait_for_lines(stack, &handoff, 1).await?), [expected]);

    // Refused here, after the bridge's yes.
    let mut twin = api::member("log-twin");
    twin["email"] = json!(ADMIN_EMAIL);
    stack.api.put("log-twin", &twin).await?.ok()?;
    let handoff = stack.api.issue("log-twin").await?;
    stack.wordpress.visitor().redeem(&handoff, &wordpress::new_attempt()?).await?;
    let expected = "refused|email_taken|0|log-twin|127.0.0.1|somebody";
    assert_eq!(wait_for_lines(stack, &handoff, 1).await?, [expected]);

    // Asked first whether the one who is signed in wants it: the question is no line, its refusal is one.
    let (_, handoff) = stack.handoff("log-asked").await?;
    let owner = owner(stack).await?;
    let attempt = wordpress::new_attempt()?;
    assert_eq!(&owner.redeem(&handoff, &attempt).await?.headers()["x-gatepass-page"], "confirm");
    let_everything_be_written().await;
    assert!(lines(stack, &handoff).is_empty());
    stack.api.revoke(&handoff.id).await?;
    owner.redeem(&handoff, &attempt).await?;
    let expected = "refused|handoff_revoked|log-asked|127.0.0.1|somebody";
    assert_eq!(without_user(&wait_for_lines(stack, &handoff, 1).await?), [expected]);
    Ok(())
}

/// Brings a token as a browser does.
async fn bring(stack: &Stack, handoff: &Handoff, token: &str) -> Result {
    let form = [("token", token), ("attempt", &wordpress::new_attempt()?)];
    stack.wordpress.visitor().post(handoff.endpoint(), &form, stack.wordpress.url()).await?;
    Ok(())
}

pub async fn a_strangers_rubbish_is_not_written() -> Result {
    use gatepass_keys::token::handoff::sign;
    let mut stack = Stack::start().await?;
    let (_, handoff) = stack.handoff("log-rubbish").await?;
    let forged =
        sign(&forge::strange_key()?, &stack.forge().await?.claims("log-rubbish")?).expose().to_owned();
    let tampered = format!("{}A", handoff.token());
    // Of a key that is not pinned only the bridge can tell; it says no, or, with its store gone, nothing.
    for token in [forged.as_str(), &tampered, "x"] {
        bring(&stack, &handoff, token).await?;
    }
    stack.redis.pause()?;
    bring(&stack, &handoff, &forged).await?;
    stack.redis.resume()?;
    // And with the bridge gone. The token that is ours is written even so: it did not work.
    stack.gatepass.service().stop();
    bring(&stack, &handoff, &forged).await?;
    bring(&stack, &handoff, handoff.token()).await?;
    let expected = "failed|bridge_unreachable|log-rubbish|127.0.0.1|somebody";
    assert_eq!(without_user(&wait_for_lines(&stack, &handoff, 1).await?), [expected]);
    let_everything_be_written().await;
    assert_eq!(stack.wordpress.query("SELECT COUNT(*) FROM wp_gatepass_log")?.trim(), "1");
    Ok(())
}

pub async fn one_link_tried_again_and_again_pushes_nobody_out(stack: &Stack) -> Result {
    let (_, handoff) = stack.handoff("log-again").await?;
    // As if for each try another browser had come.
    let tries = format!(
        "$log = new Gatepass_Log(); $what = array( 'handoff' => '{}', 'cause' => 'binding_mismatch' ); \
         for ( $i = 0; $i < 30; $i++ ) {{ $log->record( 'refused', $what + array( 'attempt' => (string) $i ) ); }}",
        handoff.id
    );
    stack.wordpress.eval(&tries)?;
    wait_for_lines(stack, &handoff, 10).await?;
    // Who comes in at last is written all the same.
    stack.wordpress.visitor().redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert!(wait_for_lines(stack, &handoff, 11).await?[10].starts_with("signed_in|"));
    Ok(())
}

pub async fn one_customer_or_one_address_pushes_nobody_out(stack: &Stack) -> Result {
    // As if one link after the other had been used up; and then old links of many customers from one address.
    let record = |name: &str, count: usize, what: &str| {
        stack.wordpress.eval(&format!(
            "$log = new Gatepass_Log(); for ( $i = 0; $i < {count}; $i++ ) {{ $log->record( 'refused', {what} + array( \
             'handoff' => '{name}' . $i, 'subject' => '{name}', 'cause' => 'handoff_used' ) ); }}",
        ))
    };
    let count = |name: &str| -> Result<usize> {
        let sql = format!("SELECT COUNT(*) FROM wp_gatepass_log WHERE subject = '{name}'");
        Ok(stack.wordpress.query(&sql)?.trim().parse()?)
    };
    let of_a_customer = "array( 'identity' => md5( 'log-flood' ), 'ip' => '192.0.2.7' )";
    record("log-flood", 60, of_a_customer)?;
    record("log-other", 1, "array( 'identity' => md5( 'log-other' ), 'ip' => '192.0.2.7' )")?;
    assert_eq!((count("log-flood")?, count("log-other")?), (50, 1));
    let yesterday = "UPDATE wp_gatepass_log SET at = at - INTERVAL 1 DAY WHERE subject = 'log-flood'";
    stack.wordpress.query(yesterday)?;
    record("log-flood-later", 1, of_a_customer)?;
    assert_eq!(count("log-flood-later")?, 1);

    let late =
        |ip: &str| format!("array( 'cause' => 'token_expired', 'identity' => md5( $i ), 'ip' => '{ip}' )");
    record("log-late", 30, &late("192.0.2.8"))?;
    record("log-late-elsewhere", 1, &late("192.0.2.9"))?;
    assert_eq!((count("log-late")?, count("log-late-elsewhere")?), (20, 1));
    // Of other causes there is more to say.
    record("log-late-no-more", 1, "array( 'identity' => md5( 'no' ), 'ip' => '192.0.2.8' )")?;
    assert_eq!(count("log-late-no-more")?, 1);
    Ok(())
}

pub async fn a_broken_or_locked_log_stops_no_login_and_mends_itself() -> Result {
    let stack = Arc::new(Stack::start().await?);
    sign_in(&stack, "log-before").await?;
    let damages = ["ALTER TABLE wp_gatepass_log DROP COLUMN ip", "DROP TABLE wp_gatepass_log"];
    for (number, damage) in damages.iter().enumerate() {
        stack.wordpress.query(damage)?;
        sign_in(&stack, &format!("log-mended-{number}")).await?;
    }

    stack.wordpress.query("DROP TABLE wp_gatepass_log; CREATE VIEW wp_gatepass_log AS SELECT 1 AS x")?;
    let (_, lost) = stack.handoff("log-lost").await?;
    let visitor = stack.wordpress.visitor();
    assert_eq!(visitor.redeem(&lost, &wordpress::new_attempt()?).await?.status(), StatusCode::SEE_OTHER);
    assert!(visitor.is_signed_in().await?);
    let_everything_be_written().await;
    assert!(owner(&stack).await?.get(SIGN_INS).await?.status().is_success());
    let log = std::fs::read_to_string(stack.wordpress.debug_log())?;
    assert!(log.contains("the log of sign-ins does not work") && !log.contains("INSERT IGNORE"), "{log}");
    stack.wordpress.query("DROP VIEW wp_gatepass_log")?;
    sign_in(&stack, "log-restored").await?;

    let lock = "LOCK TABLES wp_gatepass_log WRITE; SELECT SLEEP(8)";
    let (_, handoff) = stack.handoff("log-locked").await?;
    let locked = Arc::clone(&stack);
    let held =
        tokio::task::spawn_blocking(move || locked.wordpress.query(lock).map_err(|error| error.to_string()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answer = stack.wordpress.visitor().redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert!(answer.status() == StatusCode::SEE_OTHER && !held.is_finished(), "it waited for the log");
    held.await??;
    wait_for_lines(&stack, &handoff, 1).await?;
    Ok(())
}

pub async fn lines_go_after_90_days_and_beyond_5000() -> Result {
    let stack = Stack::start().await?;
    let (_, first, _) = sign_in(&stack, "log-oldest").await?;
    let count = || -> Result<usize> {
        Ok(stack.wordpress.query("SELECT COUNT(*) FROM wp_gatepass_log")?.trim().parse()?)
    };
    stack.wordpress.query(
        "INSERT INTO wp_gatepass_log SELECT NULL, UTC_TIMESTAMP() - INTERVAL (5100 - seq) DAY, 'refused', 'busy', 0, 'many', '', \
         CONCAT('ho_', seq), '', '', '', '', '', MD5(seq) FROM seq_1_to_5100",
    )?;
    sign_in(&stack, "log-newest").await?;
    assert_eq!(count()?, 5000, "bounded when a line is written");
    assert!(lines(&stack, &first).is_empty());

    // Every hour by the heartbeat; a site that is unpaired has none, and cleans up daily.
    for hook in ["gatepass_heartbeat", "wp_scheduled_delete"] {
        stack.wordpress.query(
            "INSERT INTO wp_gatepass_log SELECT NULL, '2020-02-02', 'refused', 'busy', 0, '', '', '', '', '', '', '', '', 'old'",
        )?;
        stack.wordpress.eval(&format!(
            "_set_cron_array( array() ); wp_schedule_single_event( time() - 1, '{hook}' );"
        ))?;
        stack.wordpress.visitor().get("/wp-cron.php?doing_wp_cron").await?;
        let begun = Instant::now();
        while count()? > 91 && begun.elapsed() < Duration::from_secs(10) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(count()? <= 91, "{hook}");
    }
    // Of one line a day, those of the last 90, less the one that is just that old; and the sign-in.
    let left = count()?;
    assert!((90..=91).contains(&left), "{left}");
    let oldest = stack.wordpress.query("SELECT MAX(DATEDIFF(UTC_TIMESTAMP(), at)) FROM wp_gatepass_log")?;
    assert!(oldest.trim().parse::<u32>()? <= 90, "{oldest}");
    Ok(())
}

pub async fn the_owner_sees_filters_pages_and_exports_it() -> Result {
    let stack = Stack::start().await?;
    let owner = owner(&stack).await?;
    assert!(page(&owner, SIGN_INS).await?.contains("No sign-ins by button."), "before there is a table");

    let (_, handoff, user) = sign_in(&stack, "@SUM-1").await?;
    stack.wordpress.visitor().redeem(&handoff, &wordpress::new_attempt()?).await?;
    wait_for_lines(&stack, &handoff, 2).await?;
    let hostile = "=HYPERLINK(\"http://evil.example\")<script>alert(1)</script>";
    stack.wordpress.query(&format!("UPDATE wp_users SET display_name = '{hostile}' WHERE ID = {user}"))?;
    stack.wordpress.eval(
        "$log = new Gatepass_Log(); for ( $i = 0; $i < 24; $i++ ) { $log->record( 'signed_in', array( \
         'subject' => 'many', 'handoff' => 'ho_' . $i, 'ip' => '2001:db8::1', \
         'actor' => array( 'subject' => 'staff-7', 'name' => '<b>Sam\n</b>', 'reason' => \"\\t=1+1\" ) ) ); }",
    )?;

    let all = page(&owner, SIGN_INS).await?;
    assert_eq!(rows(&all), 20);
    assert!(
        all.contains("26 items") && all.contains("on their behalf: &lt;b&gt;Sam &lt;/b&gt; ( =1+1)"),
        "{all}"
    );
    let second = page(&owner, &format!("{SIGN_INS}&paged=2")).await?;
    assert_eq!(rows(&second), 6);
    for (path, expected) in [
        ("&who=many", 24),
        ("&who=@SUM-1", 2),
        ("&who=upupup-1%40example.com", 2),
        ("&who=many&result=refused", 0),
        ("&result=refused", 1),
        ("&who=nobody", 0),
        ("&who=%25' OR '1'='1", 0),
    ] {
        let found = page(&owner, &format!("{SIGN_INS}{path}")).await?;
        let items =
            if expected == 0 { "No sign-ins by button.".to_owned() } else { format!("{expected} item") };
        assert!(found.contains(&items), "{path}: {found}");
    }
    let mine = page(&owner, &format!("{SIGN_INS}&who=@SUM-1")).await?;
    assert!(!mine.contains("<script>alert") && mine.contains("&lt;script&gt;alert(1)"), "{mine}");
    assert!(
        mine.contains(&format!("user-edit.php?user_id={user}"))
            && mine.contains("The link had been used already.")
    );

    let answer = owner.get(&export_path(&mine)?).await?;
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    assert!(answer.headers()["cache-control"].to_str()?.contains("no-store"));
    let csv = answer.text().await?;
    let csv: Vec<&str> = csv.trim_end().split("\r\n").collect();
    assert_eq!(csv.len(), 3, "{csv:?}");
    assert!(
        csv[1].contains("\"refused\",\"handoff_used\"") && csv[2].contains("\"signed_in\",\"\""),
        "{csv:?}"
    );
    let guarded = r#""'=HYPERLINK(""http://evil.example"")<script>alert(1)</script>","'@SUM-1""#;
    assert!(csv[1].contains(guarded), "{csv:?}");
    let all = owner.get(&export_path(&all)?).await?.bytes().await?;
    assert!(all.starts_with(b"\xEF\xBB\xBF\"at\","));
    let all = String::from_utf8(all.to_vec())?;
    assert_eq!(all.matches("\r\n").count(), 27, "all lines, not those of one page");
    assert!(all.contains("\"staff-7\",\"<b>Sam </b>\",\"' =1+1\",\"2001:db8::1\""), "{all}");

    // Nobody else, and nobody's link.
    let path = export_path(&mine)?;
    let (start, _) = path.split_once("_wpnonce=").ok_or("no nonce")?;
    for nonce in ["", "_wpnonce=0123456789"] {
        let answer = owner.get(&format!("{start}{nonce}")).await?;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    }
    let customer = stack.wordpress.visitor();
    let (_, another) = stack.handoff("log-customer").await?;
    customer.redeem(&another, &wordpress::new_attempt()?).await?;
    let answer = customer.get(&path).await?;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.text().await?.contains("You may not see who signs in."));
    assert_eq!(customer.get(SIGN_INS).await?.status(), StatusCode::FORBIDDEN);
    assert_eq!(stack.wordpress.visitor().get(&path).await?.status(), StatusCode::BAD_REQUEST);

    // The user's screen says it too, to administrators.
    let says = "Signs in from the panel ";
    let profile = page(&owner, &format!("/wp-admin/user-edit.php?user_id={user}")).await?;
    assert!(
        profile.contains(says)
            && profile.contains("as customer @SUM-1.")
            && profile.contains("Last sign-in by button:")
    );
    assert!(!page(&customer, "/wp-admin/profile.php").await?.contains(says));
    assert!(!page(&owner, "/wp-admin/profile.php").await?.contains(says));
    let log = std::fs::read_to_string(stack.wordpress.debug_log()).unwrap_or_default();
    assert_eq!(log, "", "a page complains");
    Ok(())
}

/// What WP-CLI gives a command, as far as this one takes it; what it prints is JSON.
const WP_CLI: &str = r#"
namespace WP_CLI\Utils { function format_items( $format, $rows, $names ) {
	echo $format, ' ', json_encode( array_map( function ( $row ) use ( $names ) {
		return array_intersect_key( $row, array_flip( $names ) ); }, $rows ) );
} }
namespace { class WP_CLI { static function error( $message ) { echo "Error: $message"; } }
	$store = new Gatepass_Store();
	( new Gatepass_CLI( $store, new Gatepass_Pairing( $store, new Gatepass_Bridge( $store ) ) ) )->log( array(), json_decode( 'OPTIONS', true ) );
}"#;

pub async fn the_log_is_told_at_the_command_line(stack: &Stack) -> Result {
    let (_, handoff, _) = sign_in(stack, "-log-cli").await?;
    stack.wordpress.visitor().redeem(&handoff, &wordpress::new_attempt()?).await?;
    wait_for_lines(stack, &handoff, 2).await?;
    let log = |options: Value| stack.wordpress.eval(&WP_CLI.replace("OPTIONS", &options.to_string()));
    let told =
        |said: &str| -> Result<Value> { Ok(serde_json::from_str(said.split_once(' ').ok_or("nothing")?.1)?) };
    let all = told(&log(json!({ "who": "-log-cli", "format": "json", "limit": "20" }))?)?;
    let results: Vec<_> = all.as_array().into_iter().flatten().map(|line| line["result"].clone()).collect();
    assert_eq!(results, ["refused", "signed_in"]);
    assert_eq!(all[0]["explanation"], "The link had been used already.");
    assert_eq!((&all[1]["customer"], &all[1]["handoff"]), (&json!("-log-cli"), &json!(handoff.id)));
    let csv =
        told(&log(json!({ "who": "-log-cli", "result": "signed_in", "format": "csv", "limit": "20" }))?)?;
    assert_eq!((csv.as_array().map(Vec::len), &csv[0]["customer"]), (Some(1), &json!("'-log-cli")));
    let table = told(&log(json!({ "format": "table", "limit": "1" }))?)?;
    assert!(table.as_array().map(Vec::len) == Some(1) && table[0].get("handoff").is_none(), "{table}");
    assert!(log(json!({ "format": "json", "limit": "-1" }))?.starts_with("Error: --limit"));
    Ok(())
}

/// WordPress runs exporters and erasers one after another, and packs a file after the last, for which this PHP has no zip.
const LAST_EXPORTER: &str = r"<?php
add_filter( 'wp_privacy_personal_data_exporters', function ( $exporters ) {
	return $exporters + array( 'last' => array( 'exporter_friendly_name' => 'last', 'callback' => '__return_empty_array' ) );
}, 99 );
";

/// Makes a request for a person's data as the owner does, and asks our exporter or eraser as WordPress's script does.
async fn ask_privacy(stack: &Stack, owner: &Visitor, email: &str, erase: bool) -> Result<Value> {
    let (action, list, kind, what) = if erase {
        ("remove_personal_data", "erase-personal-data.php", "erase", "eraser")
    } else {
        ("export_personal_data", "export-personal-data.php", "export", "exporter")
    };
    let id = stack
        .wordpress
        .eval(&format!("echo wp_create_user_request( '{email}', '{action}', array(), 'confirmed' );"))?;
    let list = page(owner, &format!("/wp-admin/{list}")).await?;
    let request = format!("data-request-id=\"{id}\"");
    let row = list
        .split("<div class=\"")
        .find(|row| row.contains(&request))
        .ok_or("the request is not in the list")?;
    let value = |name: &str| row.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
    let nonce = value("data-nonce").ok_or("no nonce")?;
    let count: usize = value(&format!("data-{what}s-count")).ok_or("no count")?.parse()?;
    let url = format!("{}/wp-admin/admin-ajax.php", stack.wordpress.url());
    let ajax = format!("wp-privacy-{kind}-personal-data");
    for index in 1..=count {
        let index = index.to_string();
        let form = [
            ("action", ajax.as_str()),
            ("id", &id),
            (what, &index),
            ("page", "1"),
            ("security", nonce),
            ("sendAsEmail", "false"),
        ];
        let answer: Value = owner.post(&url, &form, stack.wordpress.url()).await?.json().await?;
        let ours = answer.to_string().contains("Gatepass")
            || answer["data"]["data"].to_string().contains("gatepass");
        if ours {
            return Ok(answer["data"].clone());
        }
    }
    Err(format!("none of {count} {what}s is ours").into())
}

pub async fn a_persons_data_is_exported_and_erased_by_wordpress_tools() -> Result {
    let stack = Stack::start().await?;
    let folder = stack.wordpress.www().join("wp-content/mu-plugins");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("last-exporter.php"), LAST_EXPORTER)?;
    crate::sync::keep_pokes_out(&stack)?;
    let owner = owner(&stack).await?;

    // A refusal from before there was an account is about the same person.
    let (member, early) = stack.handoff("log-person").await?;
    stack.api.revoke(&early.id).await?;
    stack.wordpress.visitor().redeem(&early, &wordpress::new_attempt()?).await?;
    assert!(wait_for_lines(&stack, &early, 1).await?[0].contains("|0|log-person|"));
    let (_, handoff, user) = sign_in(&stack, &member.subject).await?;
    let (_, other, _) = sign_in(&stack, "log-Person").await?;
    stack.wordpress.eval(&format!(
        "( new Gatepass_Log() )->record( 'signed_in', array( 'user_id' => {user}, 'handoff' => 'ho_staff', 'subject' => 'log-person', \
         'actor' => array( 'subject' => 'staff-7', 'name' => 'Sam Support', 'reason' => 'her <b>invoice</b>' ) ) );"
    ))?;

    let told = ask_privacy(&stack, &owner, &member.email, false).await?;
    let items = told["data"].as_array().ok_or("no data")?;
    let groups: Vec<_> = items.iter().filter_map(|item| item["group_id"].as_str()).collect();
    let log = ["gatepass_log"; 3];
    assert_eq!(groups, [&["gatepass", "gatepass_consent", "gatepass_sessions"], &log[..]].concat());
    let text = told["data"].to_string();
    for said in
        ["log-person", &handoff.id, &early.id, &stack.gatepass.url(), "127.0.0.1", "her &lt;b&gt;invoice"]
    {
        assert!(text.contains(said), "{said} is not in {text}");
    }
    for unsaid in [other.id.as_str(), "log-Person", "Sam Support", "staff-7"] {
        assert!(!text.contains(unsaid), "{unsaid} is in {text}");
    }

    let done = ask_privacy(&stack, &owner, &member.email, true).await?;
    assert_eq!(
        (&done["items_removed"], &done["items_retained"], &done["done"]),
        (&json!(true), &json!(true), &json!(true))
    );
    assert!(done["messages"].to_string().contains("would make a second account"), "{done}");
    let consent = "SELECT COUNT(*) FROM wp_usermeta WHERE (meta_key LIKE '%gatepass_consent' OR meta_key LIKE '%marketing%')";
    assert_eq!(stack.wordpress.query(&format!("{consent} AND user_id = {user}"))?.trim(), "0");
    let left = stack.wordpress.query(&format!(
        "SELECT {COLUMNS}, handoff, reference, actor_reason FROM wp_gatepass_log ORDER BY id"
    ))?;
    let erased: Vec<_> = left.lines().filter(|line| line.contains("nobody")).collect();
    assert_eq!(
        erased,
        [
            "refused\thandoff_revoked\t0\t\t\tnobody\t\t\t",
            "signed_in\t\t0\t\t\tnobody\t\t\t",
            "signed_in\t\t0\t\t\tnobody\t\t\t"
        ]
    );
    assert!(left.contains("log-Person"), "another one's lines stay: {left}");
    assert!(page(&owner, SIGN_INS).await?.contains("erased"));

    // The next click finds the same account.
    assert_eq!(sign_in(&stack, &member.subject).await?.2, user);
    assert!(
        page(&owner, "/wp-admin/options-privacy.php?tab=policyguide")
            .await?
            .contains("nobody else’s link signs you in")
    );
    Ok(())
}

/// Makes the site a network, whose first blog it is from now on.
pub fn make_network(stack: &Stack) -> Result {
    stack.wordpress.eval(
        "require_once ABSPATH . 'wp-admin/includes/upgrade.php'; require_once ABSPATH . 'wp-admin/includes/network.php'; \
         foreach ( $wpdb->tables( 'ms_global' ) as $name => $table ) { $wpdb->$name = $table; } install_network(); \
         $done = populate_network( 1, '127.0.0.1', 'admin@example.com', 'Network', '/' ); \
         if ( is_wp_error( $done ) ) { exit( $done->get_error_message() ); }",
    )?;
    let config = stack.wordpress.www().join("wp-config.php");
    let network = "define( 'MULTISITE', true );\ndefine( 'SUBDOMAIN_INSTALL', false );\ndefine( 'DOMAIN_CURRENT_SITE', '127.0.0.1' );\n\
         define( 'PATH_CURRENT_SITE', '/' );\ndefine( 'SITE_ID_CURRENT_SITE', 1 );\ndefine( 'BLOG_ID_CURRENT_SITE', 1 );\n\
         $_SERVER['HTTP_HOST'] = '127.0.0.1';\n";
    let text =
        std::fs::read_to_string(&config)?.replace("$table_prefix =", &format!("{network}$table_prefix ="));
    std::fs::write(&config, text)?;
    Ok(())
}

pub async fn each_blog_of_a_network_has_a_log_of_its_own() -> Result {
    let stack = Stack::start().await?;
    sign_in(&stack, "log-network").await?;
    make_network(&stack)?;

    let record = "( new Gatepass_Log() )->record( 'signed_in', array( 'handoff' => 'ho_2', 'subject' => 'of-blog-2' ) );";
    let blog = stack.wordpress.eval("$id = wpmu_create_blog( '127.0.0.1', '/two/', 'Two', 1 ); echo is_wp_error( $id ) ? $id->get_error_message() : $id;")?;
    assert_eq!(blog, "2");
    stack.wordpress.eval(&format!("switch_to_blog( 2 ); {record}"))?;
    let of = |table: &str| stack.wordpress.query(&format!("SELECT subject FROM {table}"));
    assert_eq!(
        (of("wp_gatepass_log")?.trim(), of("wp_2_gatepass_log")?.trim()),
        ("log-network", "of-blog-2")
    );
    let seen = "$all = Gatepass_Log_Query::of( '', '' ); echo $all->count(), $all->newest( 1 )[0]->text( 'subject' );";
    assert_eq!(stack.wordpress.eval(&format!("switch_to_blog( 2 ); {seen}"))?, "1of-blog-2");
    assert_eq!(stack.wordpress.eval(seen)?, "1log-network");

    stack
        .wordpress
        .eval("require_once ABSPATH . 'wp-admin/includes/admin.php'; wpmu_delete_blog( 2, true );")?;
    let tables = stack.wordpress.query("SHOW TABLES LIKE '%gatepass%'")?;
    assert_eq!(tables.trim(), "wp_gatepass_log", "a log goes with its blog");

    // A third one is there when the plugin goes.
    stack.wordpress.eval("wpmu_create_blog( '127.0.0.1', '/three/', 'Three', 1 );")?;
    stack.wordpress.eval(&format!("switch_to_blog( 3 ); {record}"))?;
    assert_eq!(of("wp_3_gatepass_log")?.trim(), "of-blog-2");
    uninstall(&stack)?;
    assert_eq!(stack.wordpress.query("SHOW TABLES LIKE '%gatepass%'")?, "");
    Ok(())
}

/// As WordPress does when the owner deletes the plugin.
fn uninstall(stack: &Stack) -> Result {
    stack.wordpress.eval(
        "require_once ABSPATH . 'wp-admin/includes/admin.php'; deactivate_plugins( 'gatepass/gatepass.php' ); \
         uninstall_plugin( 'gatepass/gatepass.php' );",
    )?;
    Ok(())
}

pub async fn nothing_stays_when_the_plugin_is_deleted() -> Result {
    let stack = Stack::start().await?;
    let (_, _, user) = sign_in(&stack, "log-uninstalled").await?;
    owner(&stack).await?.get(SIGN_INS).await?;
    // A fetch of the broker's keys, and a renewal of the site's that has not come to its end.
    stack.wordpress.eval(
        "$store = new Gatepass_Store(); ( new Gatepass_Key_Update( new Gatepass_Bridge( $store ) ) )->fetch( $store->connection() ); \
         Gatepass_Keys::change( $store->connection(), function ( $now, $keys ) { return $keys->with_pending( time() ); } );",
    )?;
    let keys = "SELECT option_name FROM wp_options WHERE option_name LIKE 'gatepass\\_keys%' ORDER BY 1";
    assert_eq!(
        stack.wordpress.query(keys)?.split_whitespace().collect::<Vec<_>>(),
        ["gatepass_keys", "gatepass_keys_asked"]
    );
    let left = "SELECT 'table', table_name FROM information_schema.tables WHERE table_name LIKE '%gatepass%' UNION \
         SELECT 'option', option_name FROM wp_options WHERE option_name LIKE '%gatepass%' OR option_value LIKE '%gatepass\\_%' UNION \
         SELECT 'meta', meta_key FROM wp_usermeta WHERE meta_key LIKE '%gatepass%' OR meta_value LIKE '%gatepass%'";
    for kind in ["table", "option", "meta"] {
        assert!(stack.wordpress.query(left)?.contains(kind), "there is nothing to remove");
    }
    uninstall(&stack)?;
    assert_eq!(stack.wordpress.query(left)?, "");
    assert_eq!(stack.wordpress.user_id("log-uninstalled@example.com")?, Some(user), "the customers stay");
    Ok(())
}
