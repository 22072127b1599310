//! The pages and what their buttons do.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, guard, post, web};
use askama::Template;
use serde::Deserialize;

use crate::account::{self, Account, Subscription};
use crate::gatepass::{Error, Gatepass, Session, Standing, Status, SyncState};
use crate::notice::Notice;

/// Where a reader arrives on the site.
const ARRIVAL: &str = "/wp-admin/profile.php";

/// Styles are in the page, and nothing is loaded but the panel's own script. There is no `form-action`: Chromium applies it to the
/// redirect that follows a form too, and ours leads to another site, as it must.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src data:; \
     base-uri 'none'; frame-ancestors 'none'";

/// What every handler needs; made once, shared by all workers.
pub(crate) struct Panel {
    pub account: Account,
    pub gatepass: Gatepass,
    /// The origins under which this panel is opened in a browser.
    pub origins: Vec<String>,
}

type State = web::Data<Arc<Panel>>;

pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config.service(overview).service(start).service(healthz).service(live).service(site).service(
        web::scope("/subscriptions/{name}")
            .guard(guard::Post())
            .service(log_in)
            .service(renew)
            .service(cancel)
            .service(save)
            .service(end_sessions),
    );
    config.default_service(web::to(not_found));
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    subscriptions: &'a [Subscription],
    notice: Option<Notice>,
    about: Option<&'a Subscription>,
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message<'a> {
    title: &'a str,
    text: &'a str,
}

#[derive(Deserialize)]
struct Said {
    notice: Option<Notice>,
    about: Option<String>,
}

#[get("/")]
async fn overview(panel: State, said: Option<web::Query<Said>>) -> HttpResponse {
    let (notice, about) = said.map_or((None, None), |said| {
        let web::Query(Said { notice, about }) = said;
        (notice, about)
    });
    let about = about.and_then(|plan| panel.account.by_name(&plan));
    page(HttpResponse::Ok(), &Overview { subscriptions: panel.account.subscriptions(), notice, about })
}

/// The button leads to the site, which binds the sign-in to this browser and sends it back to [`start`].
#[post("/log-in")]
async fn log_in(request: HttpRequest, panel: State, name: web::Path<String>) -> HttpResponse {
    with_subscription(&request, &panel, &name, async |subscription| {
        match panel.gatepass.start_url(subscription.subject).await {
            Ok(Some(start_url)) => see_other(&start_url),
            Ok(None) => back(Notice::NotYet, subscription),
            Err(error) => refused(&error, subscription),
        }
    })
    .await
}

#[derive(Deserialize)]
struct Start {
    /// Hash of the cookie that the site has given this browser.
    binding: String,
    /// Who wants to log in: what the button said, or who was refused for want of a cookie. Anybody can write it into
    /// a link, so it only chooses among the readers of whoever is signed in to this panel.
    login_hint: Option<String>,
}

/// The panel's start page: the site sends the browser here, from the button of either of them. A real panel asks
/// for its own login first.
#[get("/gatepass/start")]
async fn start(panel: State, asked: web::Query<Start>) -> HttpResponse {
    let web::Query(Start { binding, login_hint }) = asked;
    let Some(subscription) = panel.account.reader(login_hint.as_deref()) else {
        return see_other("/");
    };
    match panel.gatepass.log_in(subscription.subject, &binding, ARRIVAL).await {
        Ok(login_url) => see_other(&login_url),
        Err(error) => refused(&error, subscription),
    }
}

/// The error holds a code and no secret.
fn refused(error: &Error, subscription: &Subscription) -> HttpResponse {
    eprintln!("log in of {}: {error}", subscription.subject);
    back(notice_for(error), subscription)
}

#[post("/renew")]
async fn renew(request: HttpRequest, panel: State, name: web::Path<String>) -> HttpResponse {
    with_subscription(&request, &panel, &name, async |subscription| {
        let state = account::State { status: Status::Active, ..subscription.state() };
        change(&panel.gatepass, subscription, state, Notice::Renewed).await
    })
    .await
}

#[post("/cancel")]
async fn cancel(request: HttpRequest, panel: State, name: web::Path<String>) -> HttpResponse {
    with_subscription(&request, &panel, &name, async |subscription| {
        let state = account::State { status: Status::Canceled, ..subscription.state() };
        change(&panel.gatepass, subscription, state, Notice::Canceled).await
    })
    .await
}

#[derive(Deserialize)]
struct Changes {
    email: String,
    plan: String,
}

#[post("/change")]
async fn save(
    request: HttpRequest,
    panel: State,
    name: web::Path<String>,
    form: web::Form<Changes>,
) -> HttpResponse {
    with_subscription(&request, &panel, &name, async |subscription| {
        let Some(plan) = subscription.plan(&form.plan) else { return back(Notice::Failed, subscription) };
        let email = form.email.trim().to_owned();
        let state = account::State { email, plan: plan.id, ..subscription.state() };
        change(&panel.gatepass, subscription, state, Notice::Saved).await
    })
    .await
}

#[post("/end-sessions")]
async fn end_sessions(request: HttpRequest, panel: State, name: web::Path<String>) -> HttpResponse {
    with_subscription(&request, &panel, &name, async |subscription| {
        match panel.gatepass.end_sessions(subscription.subject).await {
            Ok(()) => back(Notice::SignedOut, subscription),
            Err(error) => not_changed(&error, subscription),
        }
    })
    .await
}

/// The panel's own records change only after Gatepass knows: whoever has canceled must not be let in any more.
async fn change(
    gatepass: &Gatepass,
    subscription: &Subscription,
    state: account::State,
    done: Notice,
) -> HttpResponse {
    match gatepass.put_member(subscription.subject, &subscription.member(&state)).await {
        Ok(_) => {
            subscription.set_state(state);
            back(done, subscription)
        }
        Err(error) => not_changed(&error, subscription),
    }
}

fn not_changed(error: &Error, subscription: &Subscription) -> HttpResponse {
    eprintln!("change of {}: {error}", subscription.subject);
    let notice = match error {
        Error::Refused { code, .. } if code == "validation_failed" => Notice::NotValid,
        error if error.is_temporary() => Notice::TryAgain,
        _ => Notice::Failed,
    };
    back(notice, subscription)
}

/// What WordPress has of a reader, a part of the page that `live.js` keeps fresh.
#[derive(Template)]
#[template(path = "site.html")]
struct InWordPress {
    /// None when Gatepass does not answer.
    standing: Option<Standing>,
    /// None when WordPress does not.
    sessions: Option<Vec<Session>>,
}

#[get("/subscriptions/{name}/site")]
async fn site(panel: State, name: web::Path<String>) -> HttpResponse {
    let Some(subscription) = panel.account.by_name(&name) else { return not_found().await };
    let gatepass = &panel.gatepass;
    let standing = gatepass.standing(subscription.subject).await;
    let sessions = gatepass.sessions(subscription.subject).await;
    let part = InWordPress { standing: standing.ok(), sessions: sessions.ok() };
    page(HttpResponse::Ok(), &part)
}

#[get("/live.js")]
async fn live() -> HttpResponse {
    HttpResponse::Ok().content_type("text/javascript").body(include_str!("../templates/live.js"))
}

fn notice_for(error: &Error) -> Notice {
    match error {
        _ if error.is_inactive_membership() => Notice::Ended,
        _ if error.is_temporary() => Notice::TryAgain,
        Error::Refused { code, .. } if code == "site_not_paired" => Notice::NotYet,
        _ => Notice::Failed,
    }
}

/// For every button: the form must have been sent by a page of this panel, and be about something it sells.
/// Browsers put `Origin` on every POST, and no other site can choose it.
async fn with_subscription(
    request: &HttpRequest,
    panel: &Panel,
    name: &str,
    handle: impl AsyncFnOnce(&Subscription) -> HttpResponse,
) -> HttpResponse {
    let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    if !origin.is_some_and(|origin| panel.origins.iter().any(|own| own == origin)) {
        let text = "This request came from another site. Please use the buttons on our own page.";
        return page(HttpResponse::Forbidden(), &Message { title: "Not from here", text });
    }
    match panel.account.by_name(name) {
        Some(subscription) => handle(subscription).await,
        None => not_found().await,
    }
}

/// Answers once the panel serves: its readers are known to Gatepass by then.
#[get("/healthz")]
async fn healthz() -> &'static str {
    "ok\n"
}

async fn not_found() -> HttpResponse {
    page(
        HttpResponse::NotFound(),
        &Message { title: "No such page", text: "There is nothing at this address." },
    )
}

fn back(notice: Notice, subscription: &Subscription) -> HttpResponse {
    see_other(&format!("/?notice={}&about={}", notice.name(), subscription.name))
}

/// 303: the browser goes on with GET, and a reload does not send the form again.
fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, location))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .finish()
}

fn page(mut response: actix_web::HttpResponseBuilder, template: &impl Template) -> HttpResponse {
    let Ok(html) = template.render() else {
        return HttpResponse::InternalServerError().finish();
    };
    response
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Not `no-referrer`: the browser would then send `Origin: null` with the forms.
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .body(html)
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::{App, test};

    use super::{Account, Arc, Gatepass, Panel, Status, configure, header, web};

    const OWN: &str = "http://127.0.0.1:8480";

    fn panel() -> web::Data<Arc<Panel>> {
        // Nobody listens on port 1.
        let nowhere = "http://127.0.0.1:1".parse().unwrap();
        let gatepass = Gatepass::new(&nowhere, "site_x", "gpk_x".to_owned()).unwrap();
        web::Data::new(Arc::new(Panel { account: Account::demo(), gatepass, origins: vec![OWN.to_owned()] }))
    }

    async fn post(path: &str, origin: Option<&str>) -> (StatusCode, String) {
        let app = test::init_service(App::new().app_data(panel()).configure(configure)).await;
        let mut request = test::TestRequest::post().uri(path);
        if let Some(origin) = origin {
            request = request.insert_header((header::ORIGIN, origin));
        }
        let answer = test::call_service(&app, request.to_request()).await;
        let location = answer.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
        (answer.status(), location.unwrap_or_default())
    }

    #[actix_web::test]
    async fn a_button_of_another_site_does_nothing() {
        for origin in [None, Some("null"), Some("http://127.0.0.1:8481"), Some("https://evil.example")] {
            let (status, _) = post("/subscriptions/paper/cancel", origin).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{origin:?}");
        }
    }

    #[actix_web::test]
    async fn gatepass_out_of_reach_is_a_notice_and_no_error_page() {
        let (status, location) = post("/subscriptions/paper/log-in", Some(OWN)).await;
        assert_eq!((status, location.as_str()), (StatusCode::SEE_OTHER, "/?notice=try_again&about=paper"));
    }

    #[actix_web::test]
    async fn a_cancellation_that_gatepass_did_not_hear_of_has_not_happened() {
        let panel = panel();
        let app = test::init_service(App::new().app_data(panel.clone()).configure(configure)).await;
        let request =
            test::TestRequest::post().uri("/subscriptions/paper/cancel").insert_header((header::ORIGIN, OWN));
        assert_eq!(test::call_service(&app, request.to_request()).await.status(), StatusCode::SEE_OTHER);
        assert_eq!(panel.account.by_name("paper").unwrap().state().status, Status::Active);
    }

    #[actix_web::test]
    async fn a_hint_chooses_only_among_the_readers_of_this_account() {
        let account = Account::demo();
        let reader = |hint| account.reader(hint).map(|subscription| subscription.subject);
        assert_eq!(reader(Some("cust-1002")), Some("cust-1002"));
        assert_eq!(reader(None), Some("cust-1001"), "the only one with an active subscription");
        assert_eq!(reader(Some("cust-9999")), Some("cust-1001"));
    }

    #[actix_web::test]
    async fn the_page_holds_a_button_for_every_subscription() {
        let app = test::init_service(App::new().app_data(panel()).configure(configure)).await;
        let request = test::TestRequest::get().uri("/?notice=ended&about=%3Cscript%3E").to_request();
        let html = String::from_utf8(test::call_and_read_body(&app, request).await.to_vec()).unwrap();
        assert_eq!(html.matches(">Log in to site</button>").count(), 2);
        assert!(html.contains("Your subscription has ended") && !html.contains("<script>"));
    }
}
