//! The one way in which Gatepass calls an address that somebody else named. A name is resolved once, every address
//! that it has is checked, and the connection goes to these and no others: a name cannot be one address when it is
//! checked and another when it is called. Redirects are not followed, proxies not asked, connections not kept.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Request, Response};

use crate::destinations::{Destinations, Forbidden};

/// How long a call may take, the answer included.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Why a call came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// This address may not be called. What it is, is for the operator's log alone.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// It took longer than [`TIMEOUT`].
    #[error("no answer in {} seconds", TIMEOUT.as_secs())]
    Timeout,
    /// Whoever answers does not prove by a certificate in force that the name is theirs.
    #[error("its certificate is out of date, for another name, or from nobody we trust")]
    Untrusted,
    /// No such name, no connection, or no HTTP.
    #[error("no connection")]
    Unreachable,
}

impl From<reqwest::Error> for CallError {
    fn from(error: reqwest::Error) -> Self {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if let Some(forbidden) = inner.downcast_ref::<Forbidden>() {
                return Self::Forbidden(*forbidden);
            }
            if let Some(rustls::Error::InvalidCertificate(_)) = inner.downcast_ref() {
                return Self::Untrusted;
            }
            // The source of an I/O error is not what it wraps, but what is behind that.
            let wrapped = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            cause = wrapped
                .map(|wrapped| wrapped as &(dyn std::error::Error + 'static))
                .or_else(|| inner.source());
        }
        if error.is_timeout() { Self::Timeout } else { Self::Unreachable }
    }
}

/// A client for such calls.
#[derive(Debug, Clone)]
pub struct Outbound {
    client: reqwest::Client,
    destinations: Arc<Destinations>,
}

impl Outbound {
    /// A client that calls only these destinations.
    ///
    /// # Errors
    /// When the machine's certificates cannot be read, which calls over HTTPS need.
    pub fn new(destinations: Arc<Destinations>) -> Result<Self, reqwest::Error> {
        Self::with_resolver(destinations, Arc::new(SystemResolver))
    }

    fn with_resolver(
        destinations: Arc<Destinations>,
        names: Arc<dyn Resolve>,
    ) -> Result<Self, reqwest::Error> {
        let resolver = CheckingResolver { names, destinations: Arc::clone(&destinations) };
        let client = reqwest::Client::builder()
            .dns_resolver(resolver)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // What was resolved before is not called again.
            .pool_max_idle_per_host(0)
            .timeout(TIMEOUT)
            // So that one sees when a certificate ends.
            .tls_info(true)
            .user_agent(concat!("Gatepass/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, destinations })
    }

    /// Makes a call.
    pub async fn send(&self, request: Request) -> Result<Response, CallError> {
        // An address in the URL never comes to the resolver.
        self.destinations.check_literal(request.url())?;
        Ok(self.client.execute(request).await?)
    }
}

/// The body of an answer. One that is longer than so many bytes is not read to its end: what comes back is then longer
/// as well.
pub async fn read_body(response: &mut Response, max_bytes: usize) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while body.len() <= max_bytes
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Passes on what names resolve to, if all of it may be called.
struct CheckingResolver {
    names: Arc<dyn Resolve>,
    destinations: Arc<Destinations>,
}

impl Resolve for CheckingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolving, destinations) = (self.names.resolve(name), Arc::clone(&self.destinations));
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = resolving.await?.collect();
            for address in &addresses {
                destinations.check(address.ip())?;
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The operating system's resolver.
struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // Port 0: the caller puts the URL's.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{IpAddr, TcpListener};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use reqwest::Method;

    use super::*;

    /// Answers the first question with the first of these, and so on; the last one again and again.
    struct Scripted(Vec<Vec<IpAddr>>, Arc<AtomicUsize>);

    impl Resolve for Scripted {
        fn resolve(&self, _: Name) -> Resolving {
            let asked = self.1.fetch_add(1, Ordering::SeqCst);
            let answer = self.0[asked.min(self.0.len() - 1)].clone();
            Box::pin(
                async move { Ok(Box::new(answer.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs) },
            )
        }
    }

    fn get(url: &str) -> Request {
        Request::new(Method::GET, url.parse().unwrap())
    }

    fn call(destinations: Destinations, answers: &[&[&str]], url: &str) -> (Result<u16, CallError>, usize) {
        let asked = Arc::new(AtomicUsize::new(0));
        let parse = |ips: &&[&str]| ips.iter().map(|ip| ip.parse().unwrap()).collect();
        let names = Arc::new(Scripted(answers.iter().map(parse).collect(), Arc::clone(&asked)));
        let outbound = Outbound::with_resolver(Arc::new(destinations), names).unwrap();
        let answer = actix_web::rt::System::new().block_on(outbound.send(get(url)));
        (answer.map(|response| response.status().as_u16()), asked.load(Ordering::SeqCst))
    }

    /// Answers every request on 127.0.0.1 with this.
    fn server(answer: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                let _ = connection.read(&mut [0; 4096]);
                let _ = connection.write_all(answer.as_bytes());
            }
        });
        port
    }

    const LOOPBACK: Forbidden = Forbidden(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    #[test]
    fn a_name_that_resolves_to_a_private_address_is_not_called() {
        let port = server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let url = format!("http://site.example:{port}/");
        let public = Destinations::default;
        assert_eq!(call(public(), &[&["127.0.0.1"]], &url), (Err(LOOPBACK.into()), 1));
        assert_eq!(call(public(), &[&["::ffff:127.0.0.1"]], &url).0, Err(LOOPBACK.into()));
        // One private address among public ones is enough.
        assert_eq!(call(public(), &[&["9.9.9.9", "127.0.0.1"]], &url).0, Err(LOOPBACK.into()));
        assert_eq!(call(public().and_loopback(), &[&["127.0.0.1"]], &url), (Ok(200), 1));
    }

    /// The first answer passes the check; were there a second question, its answer would be called.
    #[test]
    fn a_name_that_changes_its_address_is_called_where_it_was_checked() {
        let port = server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let first = Destinations::new(vec!["127.0.0.2/32".parse().unwrap()]);
        let url = format!("http://site.example:{port}/");
        // Nobody listens at 127.0.0.2.
        assert_eq!(call(first, &[&["127.0.0.2"], &["127.0.0.1"]], &url), (Err(CallError::Unreachable), 1));
    }

    #[test]
    fn an_address_in_the_url_is_checked_though_nothing_is_resolved() {
        let port = server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        for host in ["127.0.0.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]"] {
            let url = format!("http://{host}:{port}/");
            assert_eq!(
                call(Destinations::default(), &[&["9.9.9.9"]], &url),
                (Err(LOOPBACK.into()), 0),
                "{host}"
            );
        }
    }

    #[test]
    fn a_redirect_is_an_answer_and_not_followed() {
        let port =
            server("HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\n\r\n");
        let url = format!("http://site.example:{port}/");
        let asked = call(Destinations::default().and_loopback(), &[&["127.0.0.1"]], &url);
        assert_eq!(asked, (Ok(302), 1));
    }

    #[test]
    fn the_name_of_this_machine_is_refused_by_the_systems_own_resolver() {
        // Not `localhost` itself, which is refused before it is resolved.
        let outbound = Outbound::new(Arc::default()).unwrap();
        let names = CheckingResolver { names: Arc::new(SystemResolver), destinations: Arc::default() };
        actix_web::rt::System::new().block_on(async {
            let answer = names.resolve("localhost".parse().unwrap()).await.map(Iterator::count);
            let refused = answer.unwrap_err();
            assert!(refused.downcast_ref::<Forbidden>().is_some(), "{refused}");
            let error = outbound.send(get("http://localhost:9/")).await.unwrap_err();
            assert!(matches!(error, CallError::Forbidden(_)));
        });
    }
}
