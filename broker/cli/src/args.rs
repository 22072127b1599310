//! The command line.
#![expect(clippy::doc_markdown, reason = "clap shows these comments as they are")]

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use gatepass_core::change::SyncState;
use gatepass_core::client::Scope;
use gatepass_core::event::EventKind;
use gatepass_core::member::Status;
use gatepass_core::site::{InvalidOrigin, Origin, Site};
use gatepass_core::{ClientId, HandoffId, RequestId, SiteId, Subject, Tenant};
use gatepass_keys::KeyId;
use ipnet::IpNet;
use serde::Deserialize;
use url::Url;

use crate::when::{Span, When};

/// One click from a subscription panel into WordPress.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Every setting, as a flag, an environment variable or a line of gatepass.toml; in this order the first one given
/// counts. No `Debug`: the store's address may hold a password.
#[derive(Default, ClapArgs, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// File with settings [default: gatepass.toml, if there is one]
    #[arg(long, global = true, env = "GATEPASS_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,

    /// Folder for keys and data [default: gatepass-data]
    #[arg(long, global = true, env = "GATEPASS_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// sqlite, redis://[user:password@]host[:port][/db], or
    /// redis+sentinel://[user:password@]host[:port],host,host/NAME[/db]; with rediss instead of redis it is TLS
    /// [default: sqlite]
    #[arg(long, global = true, env = "GATEPASS_STORE", hide_env_values = true, value_name = "STORE")]
    pub(crate) store: Option<String>,

    /// File that holds what --store would say, for a URL with a password in it
    #[arg(long, global = true, env = "GATEPASS_STORE_FILE", value_name = "FILE")]
    pub(crate) store_file: Option<PathBuf>,

    /// PEM file with the CA of a rediss:// store's certificates [default: the system's CAs]
    #[arg(long, global = true, env = "GATEPASS_STORE_CA_FILE", value_name = "FILE")]
    pub(crate) store_ca_file: Option<PathBuf>,

    /// PEM file with the client certificate for a rediss:// store, and its chain
    #[arg(long, global = true, env = "GATEPASS_STORE_CERT_FILE", value_name = "FILE")]
    pub(crate) store_cert_file: Option<PathBuf>,

    /// PEM file with the private key of that certificate
    #[arg(long, global = true, env = "GATEPASS_STORE_KEY_FILE", value_name = "FILE")]
    pub(crate) store_key_file: Option<PathBuf>,

    /// How many Redis replicas must have a write that takes rights away before it is answered [default: 0, none]
    #[arg(long, global = true, env = "GATEPASS_WAIT_REPLICAS", value_name = "NUMBER")]
    pub(crate) wait_replicas: Option<u32>,

    /// Address to listen on [default: 127.0.0.1:8470]
    #[arg(long, global = true, env = "GATEPASS_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,

    /// Second address, for what WordPress sites call; then the first one serves only panels
    #[arg(long, global = true, env = "GATEPASS_BRIDGE_LISTEN", value_name = "ADDRESS")]
    pub(crate) bridge_listen: Option<SocketAddr>,

    /// Third address, for Prometheus: GET /metrics. It tells of load and outcomes to whoever can reach it, so keep it
    /// on loopback or in your own network [default: none]
    #[arg(long, global = true, env = "GATEPASS_METRICS_LISTEN", value_name = "ADDRESS")]
    pub(crate) metrics_listen: Option<SocketAddr>,

    /// Address under which panels reach Gatepass, and the issuer of its tokens: HTTPS, or HTTP on loopback
    /// [default: http://LISTEN, on loopback]
    #[arg(long, global = true, env = "GATEPASS_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<Url>,

    /// Address under which sites reach Gatepass [default: the public URL]
    #[arg(long, global = true, env = "GATEPASS_BRIDGE_URL", value_name = "URL")]
    pub(crate) bridge_url: Option<Url>,

    /// Where `gatepass bridge` fetches the issuer's public keys: HTTPS, or HTTP on loopback
    /// [default: the public URL with /.well-known/jwks.json]
    #[arg(long, global = true, env = "GATEPASS_JWKS_URL", value_name = "URL")]
    pub(crate) jwks_url: Option<Url>,

    /// What the private keys in the keyring are encrypted with, as `gatepass keys new-wrapping-key` prints it
    /// [default: none, they are kept readable to whoever may read their files]
    #[arg(long, global = true, env = "GATEPASS_KEYRING_KEY", hide_env_values = true, value_name = "KEY")]
    pub(crate) keyring_key: Option<String>,

    /// File that holds what --keyring-key would say. Of several lines the first one encrypts, and any decrypts
    #[arg(long, global = true, env = "GATEPASS_KEYRING_KEY_FILE", value_name = "FILE")]
    pub(crate) keyring_key_file: Option<PathBuf>,

    /// After how many days another key signs; 0 is by hand only [default: 30]
    #[arg(long, global = true, env = "GATEPASS_KEY_DAYS", value_name = "DAYS")]
    pub(crate) key_days: Option<u32>,

    /// Longest life of a token in seconds, 5 to 300; a site's policy beyond it is cut to it. The shorter, the sooner a
    /// key that signs no more is removed [default: 300]
    #[arg(long, global = true, env = "GATEPASS_MAX_TOKEN_LIFETIME", value_name = "SECONDS")]
    pub(crate) max_token_lifetime: Option<u32>,

    /// For how many seconds caches may keep the published keys: Cache-Control of /.well-known/jwks.json
    /// [default: 300]
    #[arg(long, global = true, env = "GATEPASS_JWKS_MAX_AGE", value_name = "SECONDS")]
    pub(crate) jwks_max_age: Option<u32>,

    /// How often in seconds a bridge fetches the published keys. Broker and bridges need the same: no key signs before
    /// every bridge must have it [default: 60]
    #[arg(long, global = true, env = "GATEPASS_JWKS_REFRESH", value_name = "SECONDS")]
    pub(crate) jwks_refresh: Option<NonZeroU32>,

    /// By how many seconds the clocks of your machines may differ [default: 60]
    #[arg(long, global = true, env = "GATEPASS_CLOCK_SKEW", value_name = "SECONDS")]
    pub(crate) clock_skew: Option<u32>,

    #[command(flatten)]
    pub(crate) limits: LimitSettings,

    /// How many days the audit trail is kept; 0 is for ever [default: 400]
    #[arg(long, global = true, env = "GATEPASS_TRAIL_DAYS", value_name = "DAYS")]
    pub(crate) trail_days: Option<u32>,

    /// How many events of each site's audit trail are kept; 0 is all [default: 100000]
    #[arg(long, global = true, env = "GATEPASS_TRAIL_EVENTS", value_name = "NUMBER")]
    pub(crate) trail_events: Option<u64>,

    /// Connections at a time; with more, of the client that has the most the idlest is closed [default: 1024]
    #[arg(long, global = true, env = "GATEPASS_MAX_CONNECTIONS", value_name = "NUMBER")]
    pub(crate) max_connections: Option<NonZeroUsize>,

    /// Requests at a time; more are answered 503 [default: 512]
    #[arg(long, global = true, env = "GATEPASS_MAX_REQUESTS", value_name = "NUMBER")]
    pub(crate) max_requests: Option<NonZeroUsize>,

    /// Seconds that a connection may be silent between two requests: more than your reverse proxy keeps it
    /// [default: 75]
    #[arg(long, global = true, env = "GATEPASS_KEEP_ALIVE", value_name = "SECONDS")]
    pub(crate) keep_alive: Option<NonZeroU32>,

    /// Network of reverse proxies, such as 10.0.0.0/24; once for each. Only they are believed what X-Forwarded-For or
    /// Forwarded says of a client's address [default: none; who connects is the client]
    #[arg(
        long = "trusted-proxy",
        global = true,
        env = "GATEPASS_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_name = "CIDR"
    )]
    pub(crate) trusted_proxies: Option<Vec<IpNet>>,

    /// Network of private addresses where sites may be, such as 10.1.0.0/16; once for each. Gatepass calls a
    /// site when it is paired, and refuses to call what is not public [default: none; 127.0.0.0/8 and ::1
    /// while the bridge URL is on loopback]
    #[arg(
        long = "allow-private-network",
        global = true,
        env = "GATEPASS_ALLOW_PRIVATE_NETWORKS",
        value_delimiter = ',',
        value_name = "CIDR"
    )]
    pub(crate) allow_private_networks: Option<Vec<IpNet>>,

    /// How the log is written, to stderr [default: text]
    #[arg(long, global = true, env = "GATEPASS_LOG_FORMAT", value_enum, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,

    /// What is logged: error, warn, info, debug [default: info]
    #[arg(long, global = true, env = "GATEPASS_LOG", value_name = "LEVEL")]
    pub(crate) log: Option<String>,

    /// Answer in JSON
    #[arg(long, global = true)]
    #[serde(skip)]
    pub(crate) json: bool,
}

/// How often something may be asked for in a minute; 0 is no limit.
#[derive(Debug, Clone, Copy, Default, ClapArgs, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitSettings {
    /// Members put and handoffs asked for by one API key on one site, a minute; 0 is no limit [default: 60000]
    #[arg(
        long = "limit-api-key",
        id = "limit_api_key",
        global = true,
        env = "GATEPASS_LIMIT_API_KEY",
        value_name = "TIMES"
    )]
    pub(crate) api_key: Option<u32>,

    /// Handoffs asked for one member, a minute; 0 is no limit [default: 30]
    #[arg(
        long = "limit-member",
        id = "limit_member",
        global = true,
        env = "GATEPASS_LIMIT_MEMBER",
        value_name = "TIMES"
    )]
    pub(crate) member: Option<u32>,

    /// Fruitless redemptions of one token, repeats of its redemption, and previews, each a minute; 0 is no limit
    /// [default: 20]
    #[arg(
        long = "limit-token",
        id = "limit_token",
        global = true,
        env = "GATEPASS_LIMIT_TOKEN",
        value_name = "TIMES"
    )]
    pub(crate) token: Option<u32>,

    /// Fruitless redemptions from one address on one site, a minute; 0 is no limit [default: 120]
    #[arg(
        long = "limit-address",
        id = "limit_address",
        global = true,
        env = "GATEPASS_LIMIT_ADDRESS",
        value_name = "TIMES"
    )]
    pub(crate) address: Option<u32>,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs, one object a line.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve panels and sites
    Serve,
    /// Serve panels only, with the private keys; needs Redis
    Broker,
    /// Serve sites only, with public keys, which it fetches from the broker; needs Redis
    Bridge,
    /// API keys of panels
    #[command(subcommand)]
    Client(ClientCommand),
    /// WordPress sites
    #[command(subcommand)]
    Site(SiteCommand),
    /// Signing keys: their state, rotation, revocation, and taking them elsewhere
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Members: what WordPress is to know of customers, and what it made of it. A running Gatepass tells the sites of
    /// changes within seconds
    #[command(subcommand)]
    Member(MemberCommand),
    /// The store as a whole: a backup of it, and its way from SQLite to Redis
    #[command(subcommand)]
    Store(StoreCommand),
    /// Check this deployment and its sites from the outside, and say what to do about what is not well; status 1 if
    /// something failed
    Doctor(DoctorArgs),
    /// The audit trail: what happened, and why somebody could not log in
    #[command(subcommand)]
    Audit(AuditCommand),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DoctorArgs {
    /// Sites, by id or URL [default: all that are paired]
    #[arg(value_name = "SITE_ID|URL")]
    pub(crate) sites: Vec<String>,
    /// Whose sites
    #[arg(long, default_value = "default")]
    pub(crate) tenant: Tenant,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// The last events of all sites; with --json one object a line
    Tail(TailArgs),
    /// The whole story of a login, the exact cause in words, and what to do about it
    Show {
        /// The reference that the customer reads out, such as 7K3M-Q2ZD; a request id; or a handoff, ho_…
        #[arg(value_name = "REF")]
        reference: Option<String>,
        #[command(flatten)]
        sought: Sought,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TailArgs {
    /// How many
    #[arg(short = 'n', long, default_value = "20", value_name = "NUMBER")]
    pub(crate) lines: usize,
    /// Go on with those that come
    #[arg(short, long)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) sought: Sought,
    /// Only of this handoff
    #[arg(long, value_name = "HANDOFF")]
    pub(crate) handoff: Option<HandoffId>,
    /// Only of this kind, such as handoff.refused
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<EventKind>,
    /// Only of this request
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<RequestId>,
    /// Only with this cause, such as used
    #[arg(long, value_name = "CAUSE")]
    pub(crate) cause: Option<String>,
}

/// Where, who and when.
#[derive(Debug, ClapArgs)]
pub(crate) struct Sought {
    /// Only of this site: its id or URL
    #[arg(long, value_name = "SITE")]
    pub(crate) site: Option<Place>,
    /// Only of this tenant
    #[arg(long, value_name = "TENANT")]
    pub(crate) tenant: Option<Tenant>,
    /// Only of this customer
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) subject: Option<Subject>,
    /// From then on: 2h (ago), 3d, 2026-11-17 (in UTC), or 2026-11-17T08:30:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<When>,
    /// Before then, likewise
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<When>,
}

/// A site as people name it.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Id(SiteId),
    Url(Origin),
}

impl Place {
    pub(crate) fn is(&self, site: &Site) -> bool {
        match self {
            Self::Id(id) => site.id == *id,
            Self::Url(origin) => site.origin == *origin,
        }
    }
}

impl FromStr for Place {
    type Err = InvalidOrigin;
    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        text.parse().map(Self::Id).or_else(|_| text.parse().map(Self::Url))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Each key's state and age, and what happens next and when
    List,
    /// Let the next key sign: at once if every verifier can have it, else as soon as that is so
    Rotate {
        /// Wait until it does
        #[arg(long, conflicts_with = "emergency")]
        wait: bool,
        /// Make a new key sign at once, and refuse all that the present ones have signed: logins under way fail
        #[arg(long, requires = "reason")]
        emergency: bool,
        /// Why, for the trail
        #[arg(long, value_name = "TEXT", requires = "emergency")]
        reason: Option<String>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Refuse all that a key has signed, from now on and everywhere; status 1 names the sites that could not be told
    Revoke {
        /// As `keys list` shows it
        #[arg(value_name = "KID", allow_hyphen_values = true)]
        kid: KeyId,
        /// Why, for the trail
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Write the keyring, encrypted, to a new file
    Export {
        /// Where to
        file: PathBuf,
        /// File whose first line is the passphrase, of at least 12 characters
        #[arg(long, value_name = "FILE")]
        passphrase_file: PathBuf,
    },
    /// Bring back what export has written
    Import {
        /// Where from
        file: PathBuf,
        /// File whose first line is the passphrase
        #[arg(long, value_name = "FILE")]
        passphrase_file: PathBuf,
        /// Put it in the place of a keyring that is there
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        consent: Consent,
    },
    /// Check permissions, states, thumbprints, that every private key opens, and that the store knows no newer keyring
    Verify,
    /// Encrypt every private key under the first line of the wrapping key; before, another line may have wrapped it
    Rewrap,
    /// Make a wrapping key, the only line on stdout, for keyring_key or keyring_key_file
    NewWrappingKey,
    /// Make a keyring
    Init {
        /// Also if one is there, or the store knows of one: for a keyring that is lost. Every site has to pair again
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        consent: Consent,
    },
}

/// What is asked before something ends logins.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub(crate) struct Consent {
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Make an API key; it is shown this once, as the only line on stdout
    Add {
        /// A name for people, such as shop-panel
        name: String,
        /// Whose it is: the key sees only this tenant's sites
        #[arg(long, default_value = "default")]
        tenant: Tenant,
        /// What the key may do: handoffs, handoffs:on_behalf (support staff acts for customers), members:read,
        /// members:write, sites, events [default: all but handoffs:on_behalf]
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<Scope>,
    },
    /// List API keys, without the keys
    List,
    /// Make a new API key for the same panel, the only line on stdout; the old one is good for a while yet
    Roll {
        /// As `client list` shows it
        id: ClientId,
        /// For how long the old key is good yet: 30m, 24h or 7d; 0m ends it at once
        #[arg(long, default_value = "24h", value_name = "TIME")]
        overlap: Span,
    },
    /// Revoke an API key
    Revoke {
        /// As `client list` shows it
        id: ClientId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SiteCommand {
    /// Register a site and make its pairing code, the only line on stdout
    Add {
        /// Scheme, host and port of the site, such as https://example.com; and its folder if it is a blog of a network
        /// by folders: https://example.com/blog
        url: Origin,
        /// Whose it is
        #[arg(long, default_value = "default")]
        tenant: Tenant,
        #[command(flatten)]
        policy: Box<PolicyArgs>,
    },
    /// List sites
    List {
        /// Whose
        #[arg(long, default_value = "default")]
        tenant: Tenant,
    },
    /// Show one site
    Show {
        /// As `site list` shows it
        id: SiteId,
    },
    /// Change what is decided for a site; what is not named stays
    Set {
        /// As `site list` shows it
        id: SiteId,
        #[command(flatten)]
        policy: Box<PolicyArgs>,
    },
    /// Make a new pairing code, the only line on stdout; the one before is void
    PairingCode {
        /// As `site list` shows it
        id: SiteId,
        /// Let it replace a pairing whose key the site has lost
        #[arg(long)]
        replace: bool,
    },
    /// Give a site that has moved its new address, and make its new pairing code, the only line on stdout. Members, trail
    /// and WordPress users stay what they are; until it is paired again nobody logs in by button
    Move {
        /// As `site list` shows it
        id: SiteId,
        /// Where it is now, such as https://new.example.com
        url: Origin,
        /// Do it without asking
        #[arg(long)]
        yes: bool,
    },
    /// End the key of a site at once, and every login that was issued for it; the site pairs again
    RevokeKey {
        /// As `site list` shows it
        id: SiteId,
        /// Why, for the trail
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Do it without asking
        #[arg(long)]
        yes: bool,
    },
    /// Remove a site with its members and its trail
    Remove {
        /// As `site list` shows it
        id: SiteId,
        /// Do it without asking
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum MemberCommand {
    /// Put many members, one JSON object a line: the body of PUT with the subject in it. A line that is no good is told
    /// by its number and stops nothing else; the same file again changes nothing. Status 1 if a line is no good
    Import {
        #[command(flatten)]
        site: OfSite,
        /// The file, or - for stdin
        file: PathBuf,
    },
    /// Write all members to stdout, as lines for import
    Export {
        #[command(flatten)]
        site: OfSite,
    },
    /// List members in the order of their last changes
    List {
        #[command(flatten)]
        site: OfSite,
        /// Only with this membership: active, trialing, past_due, paused, canceled or expired
        #[arg(long, value_name = "STATUS")]
        status: Option<Status>,
        /// Only where WordPress stands so: synced, pending or failed
        #[arg(long, value_name = "STATE")]
        sync: Option<SyncState>,
    },
    /// Show one member, and where WordPress stands with it
    Show {
        #[command(flatten)]
        member: OneMember,
    },
    /// Remove a member; WordPress does with the user what the site's owner has chosen
    Remove {
        #[command(flatten)]
        member: OneMember,
    },
    /// Have WordPress try again what it refused
    Sync {
        #[command(flatten)]
        member: OneMember,
    },
    /// Ask WordPress which sessions a member has; needs a running Gatepass
    Sessions {
        #[command(flatten)]
        member: OneMember,
    },
    /// End all sessions that a member has in WordPress now
    EndSessions {
        #[command(flatten)]
        member: OneMember,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Write all that is in a store on SQLite into a new file, beside a running Gatepass
    Backup {
        /// Where to
        file: PathBuf,
    },
    /// Copy a store on SQLite into an empty Redis, while Gatepass is stopped; nothing in it changes
    Copy(CopyArgs),
}

/// From where to where. No `Debug` of the address: it may hold a password.
#[derive(ClapArgs)]
pub(crate) struct CopyArgs {
    /// The Redis, as --store would name it; the files for TLS are those of the settings
    #[arg(long, value_name = "URL", required_unless_present = "to_file", conflicts_with = "to_file")]
    pub(crate) to: Option<String>,
    /// File that holds what --to would say, for a URL with a password in it
    #[arg(long, value_name = "FILE")]
    pub(crate) to_file: Option<PathBuf>,
    /// The store's file [default: gatepass.db in the data folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// Only say what would be copied, and whether it could be
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl std::fmt::Debug for CopyArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CopyArgs").field("from", &self.from).finish_non_exhaustive()
    }
}

/// On which site.
#[derive(Debug, ClapArgs)]
pub(crate) struct OfSite {
    /// The site, by id or URL
    #[arg(value_name = "SITE_ID|URL")]
    pub(crate) site: Place,
    /// Whose the URL is
    #[arg(long, default_value = "default")]
    pub(crate) tenant: Tenant,
}

/// Which member.
#[derive(Debug, ClapArgs)]
pub(crate) struct OneMember {
    #[command(flatten)]
    pub(crate) site: OfSite,
    /// The panel's number for the customer
    pub(crate) subject: Subject,
}

/// What is decided for a site.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct PolicyArgs {
    /// The panel's page that a refused customer is led back to, or none
    #[arg(long, value_name = "URL")]
    pub(crate) panel_url: Option<OrNone<Url>>,
    /// Where the panel starts a handoff that is bound to the browser, or none; with it, every handoff must be bound
    #[arg(long, value_name = "URL")]
    pub(crate) panel_start_url: Option<OrNone<Url>>,
    /// Where the panel is asked at every issue whether the membership is in force, or none; no answer, no login
    #[arg(long, value_name = "URL")]
    pub(crate) membership_url: Option<OrNone<Url>>,
    /// Where a lapsed customer renews, or none
    #[arg(long, value_name = "URL")]
    pub(crate) renew_url: Option<OrNone<Url>>,
    /// Where a login lands that names no place itself, such as /my-account/, or none
    #[arg(long, value_name = "PATH")]
    pub(crate) default_redirect: Option<OrNone<String>>,
    /// Whether every handoff must be bound to the browser although there is no --panel-start-url: true or false
    #[arg(long, value_name = "BOOL")]
    pub(crate) require_binding: Option<bool>,
    /// Life of a handoff token, 5 to 300 seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) token_lifetime: Option<u32>,
    /// A WordPress role that members may be given; once for each [default: subscriber customer]
    #[arg(long = "allow-role", value_name = "ROLE")]
    pub(crate) allowed_roles: Vec<String>,
}

/// What a setting is from now on; the word `none` takes it away.
#[derive(Debug, Clone)]
pub(crate) struct OrNone<T>(pub(crate) Option<T>);

impl<T: FromStr> FromStr for OrNone<T> {
    type Err = T::Err;
    fn from_str(text: &str) -> Result<Self, T::Err> {
        if text == "none" { Ok(Self(None)) } else { text.parse().map(Some).map(Self) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_may_begin_with_a_hyphen() {
        let kid = format!("-F{}", "A".repeat(41));
        let args = Args::try_parse_from(["gatepass", "keys", "revoke", &kid, "--reason", "stolen", "--yes"]);
        let command = args.unwrap().command;
        let Command::Keys(KeysCommand::Revoke { kid: read, .. }) = command else { panic!("{command:?}") };
        assert_eq!(read.as_str(), kid);
    }
}
