//! TLS to Redis, and who is let in: with certificates made here, against a real server and real sentinels.

use std::path::{Path, PathBuf};

use gatepass_core::Store;
use gatepass_core::member::Status;
use gatepass_core::store::redis::{Options, Redis};
use gatepass_core::store::{Members, Sites};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

use crate::faults::wait;
use crate::stage::{RedisServer, T0, context, deployed, free_port, new_site, wanted};

/// A CA, what it signed, and the files of both.
struct Ca {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    fn new() -> Self {
        let (folder, key) = (tempfile::tempdir().unwrap(), KeyPair::generate().unwrap());
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "a CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        std::fs::write(folder.path().join("ca.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes `NAME.crt` and `NAME.key`.
    fn sign(&self, name: &str, of: &str, vary: impl FnOnce(&mut CertificateParams)) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![of.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, of);
        vary(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.file(&format!("{name}.crt")), certificate.pem()).unwrap();
        std::fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    /// What Redis needs to speak TLS with the certificate of this name, besides its plain port, on another one.
    fn arguments(&self, name: &str, port: u16) -> Vec<String> {
        let file = |name: &str| self.file(name).display().to_string();
        let arguments = [
            ["--tls-port", &port.to_string()],
            ["--tls-cert-file", &file(&format!("{name}.crt"))],
            ["--tls-key-file", &file(&format!("{name}.key"))],
            ["--tls-ca-cert-file", &file("ca.crt")],
            ["--tls-replication", "yes"],
        ];
        arguments.concat().into_iter().map(str::to_owned).collect()
    }

    /// A client of this CA that shows the certificate of this name.
    fn options(&self, client: Option<&str>) -> Options {
        let file = |kind: &str| client.map(|name| self.file(&format!("{name}.{kind}")));
        let ca_file = Some(self.file("ca.crt"));
        Options { ca_file, cert_file: file("crt"), key_file: file("key"), wait_replicas: 0 }
    }
}

fn start(arguments: &[String]) -> RedisServer {
    RedisServer::start_with(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

async fn refused(url: &str, options: &Options) -> String {
    let error = Redis::connect(url, options).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(!text.contains("hunter2"), "{text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_both_sides_are_verified_and_what_is_wrong_is_named() {
    let (ca, stranger) = (Ca::new(), Ca::new());
    ca.sign("server", "127.0.0.1", |_| {});
    ca.sign("client", "gatepass", |_| {});
    ca.sign("expired", "127.0.0.1", |params| params.not_after = date_time_ymd(2020, 1, 1));
    stranger.sign("client", "gatepass", |_| {});
    let (port, expired_port) = (free_port(), free_port());
    let server = start(&ca.arguments("server", port));
    let expired = start(&ca.arguments("expired", expired_port));
    let url = |port: u16| format!("rediss://default:hunter2@127.0.0.1:{port}/");
    for server in [&server, &expired] {
        server.command(&["ACL", "SETUSER", "default", "resetpass", ">hunter2"]);
    }

    let good = ca.options(Some("client"));
    let store = Redis::connect(&url(port), &good).await.unwrap();
    let site = new_site("default", "https://example.com");
    store.create_site(&site, T0, &context()).await.unwrap();
    assert!(store.remove_site(site.id, T0, &context()).await.unwrap());

    let wrong_name = url(port).replace("127.0.0.1", "localhost");
    let plain = format!("redis://default:hunter2@127.0.0.1:{port}/");
    let no_files = Options::default();
    for (what, url, options, says) in [
        (
            "another CA",
            url(port),
            Options { ca_file: Some(stranger.file("ca.crt")), ..good.clone() },
            "store-ca-file",
        ),
        ("the system's CAs", url(port), Options { ca_file: None, ..good.clone() }, "store-ca-file"),
        ("no client certificate", url(port), ca.options(None), "store-cert-file"),
        (
            "a stranger's client certificate",
            url(port),
            Options { ca_file: good.ca_file.clone(), ..stranger.options(Some("client")) },
            "store-cert-file",
        ),
        ("another name", wrong_name, good.clone(), "for another name"),
        ("an expired certificate", url(expired_port), good.clone(), "not valid now"),
        ("a plain port", url(server.port()), good.clone(), "does it speak TLS"),
        ("TLS where plain was meant", plain, no_files.clone(), "rediss://"),
        ("redis-rs' switch", format!("{}#insecure", url(port)), good.clone(), "a # has no meaning"),
        ("files without TLS", server.url(), good.clone(), "not rediss"),
        ("half a client certificate", url(port), Options { key_file: None, ..good.clone() }, "together"),
        (
            "no such file",
            url(port),
            Options { ca_file: Some("nowhere".into()), ..good.clone() },
            "cannot read nowhere",
        ),
        (
            "a key for a CA",
            url(port),
            Options { ca_file: good.key_file.clone(), ..good.clone() },
            "no certificate",
        ),
        (
            "a CA for a key",
            url(port),
            Options { key_file: good.ca_file.clone(), ..good.clone() },
            "no private key",
        ),
    ] {
        let error = refused(&url, &options).await;
        assert!(error.contains(says), "{what}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_is_spoken_too() {
    let ca = Ca::new();
    ca.sign("server", "localhost", |_| {});
    let port = free_port();
    let mut arguments = ca.arguments("server", port);
    arguments.extend(["--tls-protocols", "TLSv1.2", "--tls-auth-clients", "no"].map(str::to_owned));
    let _server = start(&arguments);
    let url = format!("rediss://localhost:{port}/");
    Redis::connect(&url, &ca.options(None)).await.unwrap().ping().await.unwrap();
}

/// Data servers and sentinel over TLS, each with a user and a password full of what a URL is made of.
#[tokio::test(flavor = "multi_thread")]
async fn a_failover_is_followed_over_tls_with_passwords_everywhere() {
    let ca = Ca::new();
    ca.sign("server", "127.0.0.1", |_| {});
    ca.sign("client", "gatepass", |_| {});
    let ports = [free_port(), free_port()];
    let mut primary = start(&ca.arguments("server", ports[0]));
    let replica = start(&ca.arguments("server", ports[1]));
    for server in [&primary, &replica] {
        server.command(&["ACL", "SETUSER", "p:an/el", "on", ">s@e:c/r#e?t%", "~gp:*", "+@all"]);
    }
    replica.command(&["REPLICAOF", "127.0.0.1", &ports[0].to_string()]);
    let sentinel_port = free_port();
    let sentinel = start_sentinel(&ca, sentinel_port, ports[0]);
    wait("the sentinel sees the replica", || {
        let replicas = sentinel.query::<Vec<redis::Value>>(&["SENTINEL", "replicas", "gatepass"]);
        replicas.is_ok_and(|replicas| replicas.len() == 1)
    });
    sentinel.command(&["ACL", "SETUSER", "default", "resetpass", ">hunter2"]);

    let user = "p%3Aan%2Fel:s%40e%3Ac%2Fr%23e%3Ft%25@";
    let base = format!("rediss+sentinel://{user}127.0.0.1:{sentinel_port}/gatepass");
    let asked_as = "sentinel_username=gatepass&sentinel_password=CHANGE-ME";
    let good = ca.options(Some("client"));
    let none = Options { cert_file: None, key_file: None, ..good.clone() };
    for (what, url, options, says) in [
        ("no sentinel password", base.clone(), &good, "NOAUTH"),
        ("a wrong one", format!("{base}?sentinel_password=hunter3"), &good, "password"),
        ("something else", format!("{base}?{asked_as}&db=1"), &good, "sentinel_username"),
        ("no client certificate", format!("{base}?{asked_as}"), &none, "store-cert-file"),
        ("plain", format!("{base}?{asked_as}").replace("rediss", "redis"), &Options::default(), "rediss"),
        (
            "another service",
            format!("{base}?{asked_as}").replace("/gatepass?", "/other?"),
            &good,
            "not found",
        ),
        (
            "a wrong data password",
            format!("{base}?{asked_as}").replace(":s%40", ":hunter2"),
            &good,
            "user or password",
        ),
    ] {
        let error = refused(&url, options).await;
        assert!(error.contains(says), "{what}: {error}");
    }

    let store = Redis::connect(&format!("{base}/3?{asked_as}"), &good).await.unwrap();
    let site = new_site("default", "https://example.com");
    store.create_site(&site, T0, &context()).await.unwrap();
    assert!(primary.query::<String>(&["INFO", "keyspace"]).unwrap().contains("db3:"), "not in database 3");
    wait("the replica has it", || {
        replica.query::<i64>(&["DBSIZE"]).is_ok() && {
            replica.query::<String>(&["INFO", "keyspace"]).is_ok_and(|keys| keys.contains("db3:"))
        }
    });
    primary.kill();
    let (subject, wanted) = ("cust-1".parse().unwrap(), wanted(Status::Active));
    let mut put = Err(());
    for _ in 0..300 {
        put = store.put_member(site.id, &subject, &wanted, None, T0, &context()).await.map_err(drop);
        if put.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    put.expect("it does not find the new primary");
}

/// A sentinel that decides alone, with the user of deploy/sentinel.conf.
fn start_sentinel(ca: &Ca, port: u16, primary: u16) -> RedisServer {
    let file: &Path = &ca.file("sentinel.conf");
    let users = std::fs::read_to_string(deployed("sentinel.conf")).unwrap();
    let config = format!(
        "{users}\nsentinel monitor gatepass 127.0.0.1 {primary} 1\n\
         sentinel down-after-milliseconds gatepass 1500\nsentinel failover-timeout gatepass 3000\n"
    );
    std::fs::write(file, config).unwrap();
    let mut arguments = vec![file.display().to_string(), "--sentinel".to_owned()];
    arguments.extend(ca.arguments("server", port));
    start(&arguments)
}
