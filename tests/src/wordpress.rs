//! A WordPress of one's own, and the people who visit it over plain HTTP.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::Response;
use reqwest::header;
use reqwest::redirect::Policy;

use crate::mariadb::MariaDb;
use crate::process::{run, run_with_input};
use crate::web::WebServer;
use crate::{Handoff, Result, fixtures, ports};

/// A site on MariaDB, nginx and php-fpm with the plugin activated. Its administrator is [`ADMIN`].
#[derive(Debug)]
pub struct WordPress {
    url: String,
    folder: PathBuf,
    // Dropped in this order.
    web: WebServer,
    database: MariaDb,
}

/// The administrator's name.
pub const ADMIN: &str = "admin";
/// The administrator's password.
pub const PASSWORD: &str = "correct horse battery staple";
/// The administrator's e-mail address.
pub const ADMIN_EMAIL: &str = "admin@example.com";

/// Which WordPress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Release {
    /// 7.1.1, or what `GATEPASS_TEST_WORDPRESS` says, such as 6.1: so any test runs on any of them.
    #[default]
    Newest,
    /// 6.8, of Debian 13.
    V6_8,
    /// 6.1, of Debian 12: the oldest that the plugin works on.
    V6_1,
}

impl Release {
    /// All that tests run on.
    pub const ALL: [Self; 3] = [Self::Newest, Self::V6_8, Self::V6_1];

    fn in_cache(self) -> String {
        match self {
            // Nothing is the setup's own choice.
            Self::Newest => std::env::var("GATEPASS_TEST_WORDPRESS").unwrap_or_default(),
            Self::V6_8 => "6.8".to_owned(),
            Self::V6_1 => "6.1".to_owned(),
        }
    }
}

/// The path of the second blog of a network.
pub const SECOND_BLOG: &str = "/two";

impl WordPress {
    /// Starts one with its files in `folder`.
    pub fn start(folder: &Path) -> Result<Self> {
        Self::start_release(folder, Release::default())
    }

    /// Starts one of this release.
    pub fn start_release(folder: &Path, release: Release) -> Result<Self> {
        let database_folder = folder.join("mariadb");
        let port = ports::free_port()?;
        let url = format!("http://127.0.0.1:{port}");
        let mut new_site = Command::new(fixtures::script("new-site.sh"));
        new_site.arg(folder).args([&url, "mariadb"]).arg(MariaDb::socket_in(&database_folder));
        new_site
            .env("GATEPASS_CACHE", fixtures::cache())
            .env("GATEPASS_WORDPRESS_RELEASE", release.in_cache());
        let snapshot = run(&mut new_site)?;

        let database = MariaDb::start(&database_folder, Path::new(snapshot.trim()))?;
        let web = WebServer::start(&folder.join("web"), &folder.join("www"), port)?;
        let wordpress = Self { url, folder: folder.to_owned(), web, database };
        let password = format!("{PASSWORD}\n");
        run_with_input(php("prepare.php")?.arg(wordpress.www()), &password)?;
        Ok(wordpress)
    }

    /// Makes it a network by folders, where the plugin is active everywhere, with a second blog at [`SECOND_BLOG`].
    pub fn become_network(&self) -> Result {
        for _ in ["a network", "its second blog"] {
            run(php("network.php")?.arg(self.www()))?;
        }
        self.eval(
            "require_once ABSPATH . 'wp-admin/includes/plugin.php'; deactivate_plugins( 'gatepass/gatepass.php' ); \
             $done = activate_plugin( 'gatepass/gatepass.php', '', true ); if ( is_wp_error( $done ) ) { exit( $done->get_error_message() ); }",
        )?;
        Ok(())
    }

    /// Its origin, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// It is under another address from now on, at the same server.
    pub fn move_to(&mut self, url: &str) -> Result {
        let config = self.folder.join("lab.php");
        fs::write(&config, fs::read_to_string(&config)?.replace(&self.url, url))?;
        url.clone_into(&mut self.url);
        Ok(())
    }

    /// The folder that is served.
    pub fn www(&self) -> PathBuf {
        self.folder.join("www")
    }

    /// Pairs as the owner would: signs in, opens the settings page, pastes the code, presses the button.
    pub fn pair(&self, code: &str) -> Result<String> {
        self.pair_blog("", code)
    }

    /// The same on a blog of a network, by its path.
    pub fn pair_blog(&self, path: &str, code: &str) -> Result<String> {
        let mut pair = php("pair.php")?;
        run_with_input(pair.arg(format!("{}{path}", self.url)).arg(ADMIN), &format!("{PASSWORD}\n{code}\n"))
    }

    /// Runs PHP with WordPress loaded (0.2 s) and gives what it echoes.
    pub fn eval(&self, code: &str) -> Result<String> {
        run_with_input(php("eval.php")?.arg(self.www()), code)
    }

    /// Runs SQL (10 ms); one line a row, columns separated by tabs.
    pub fn query(&self, sql: &str) -> Result<String> {
        self.database.query(sql)
    }

    /// The id of the user with this login name or e-mail address.
    pub fn user_id(&self, name_or_email: &str) -> Result<Option<u64>> {
        let sql = format!(
            "SELECT ID FROM wp_users WHERE user_login = '{name_or_email}' OR user_email = '{name_or_email}'"
        );
        match self.query(&sql)?.trim() {
            "" => Ok(None),
            id => Ok(Some(id.parse()?)),
        }
    }

    /// How many users there are.
    pub fn user_count(&self) -> Result<usize> {
        Ok(self.query("SELECT COUNT(*) FROM wp_users")?.trim().parse()?)
    }

    /// How many sessions the user with this login name or e-mail address has; 0 if there is no such user.
    pub fn session_rows(&self, name_or_email: &str) -> Result<usize> {
        let stored = self.query(&format!(
            "SELECT meta_value FROM wp_usermeta JOIN wp_users ON ID = user_id WHERE meta_key = 'session_tokens' \
             AND '{name_or_email}' IN (user_login, user_email)"
        ))?;
        // A PHP array of sessions by the hash of their token; how many there are stands at its beginning.
        let mut rows = 0;
        for line in stored.lines() {
            let count = line.strip_prefix("a:").and_then(|rest| rest.split(':').next());
            rows += count
                .and_then(|count| count.parse::<usize>().ok())
                .ok_or(format!("not a list of sessions: {line}"))?;
        }
        Ok(rows)
    }

    /// A new visitor, not signed in.
    pub fn visitor(&self) -> Visitor {
        Visitor::new(&self.url)
    }

    /// All logs: nginx, php-fpm, and WordPress's own debug.log, where every PHP notice ends up.
    pub fn logs(&self) -> Vec<PathBuf> {
        let mut logs = self.web.logs();
        logs.push(self.debug_log());
        logs
    }

    /// WordPress's debug.log; there is none while nothing was wrong.
    pub fn debug_log(&self) -> PathBuf {
        self.folder.join("debug.log")
    }
}

fn php(script: &str) -> Result<Command> {
    let mut php = Command::new(fixtures::tool("php")?);
    php.arg(fixtures::script("wordpress").join(script));
    Ok(php)
}

/// Someone who visits the site with cookies but without a browser, and who follows no redirect.
#[derive(Debug, Clone)]
pub struct Visitor {
    http: reqwest::Client,
    origin: String,
}

impl Visitor {
    fn new(origin: &str) -> Self {
        let http = reqwest::Client::builder().cookie_store(true).redirect(Policy::none()).no_proxy();
        Self { http: http.build().unwrap_or_default(), origin: origin.to_owned() }
    }

    /// Gets a path of the site.
    pub async fn get(&self, path: &str) -> Result<Response> {
        Ok(self.http.get(format!("{}{path}", self.origin)).send().await?)
    }

    /// Signs in on wp-login.php.
    pub async fn log_in_with_password(&self, user: &str, password: &str) -> Result<Response> {
        let form = [("log", user), ("pwd", password), ("testcookie", "1")];
        self.get("/wp-login.php").await?;
        Ok(self.http.post(format!("{}/wp-login.php", self.origin)).form(&form).send().await?)
    }

    /// Begins a sign-in at the site's start, with more parameters (`&name=value`): where it leads, and the binding.
    pub async fn start(&self, more: &str) -> Result<(String, String)> {
        let answer = self.get(&format!("/wp-admin/admin-post.php?action=gatepass&start=1{more}")).await?;
        let to = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
        let url = url::Url::parse(to).map_err(|error| format!("the start leads to {to:?}: {error}"))?;
        let binding = url.query_pairs().find(|(name, _)| name == "binding");
        Ok((to.to_owned(), binding.ok_or_else(|| format!("no binding in {to}"))?.1.into_owned()))
    }

    /// Posts a token as the landing page's script does.
    pub async fn redeem(&self, handoff: &Handoff, attempt: &str) -> Result<Response> {
        self.post(handoff.endpoint(), &[("token", handoff.token()), ("attempt", attempt)], &self.origin).await
    }

    /// Posts any form with any `Origin`.
    pub async fn post(&self, url: &str, form: &[(&str, &str)], origin: &str) -> Result<Response> {
        Ok(self.http.post(url).header(header::ORIGIN, origin).form(form).send().await?)
    }

    /// Whether WordPress takes this visitor for somebody: the dashboard opens, or leads to wp-login.php.
    pub async fn is_signed_in(&self) -> Result<bool> {
        Ok(self.get("/wp-admin/profile.php").await?.status().is_success())
    }

    /// The underlying client.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }
}

/// A new attempt, as the landing page's script makes one: 128 random bits.
pub fn new_attempt() -> Result<String> {
    use std::io::Read as _;
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut random = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    // 22 digits of 6 bits hold 132; the first has only two bits of ours.
    let number = u128::from_be_bytes(random) >> 4;
    let digits =
        (0..22).map(|place| char::from(ALPHABET[usize::try_from((number >> (6 * place)) & 63).unwrap_or(0)]));
    Ok(digits.collect())
}
