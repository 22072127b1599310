//! nginx with TLS in front of something, as most deployments have it.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{CertificateParams, KeyPair};
use time::OffsetDateTime;

use crate::process::Service;
use crate::{Result, fixtures};

/// A proxy for `https://localhost:PORT`.
#[derive(Debug)]
pub struct TlsProxy {
    certificate: PathBuf,
    _nginx: Service,
}

impl TlsProxy {
    /// Starts one with a certificate, signed by itself, that lasts until `ends`.
    pub fn start(folder: &Path, port: u16, upstream: &str, ends: OffsetDateTime) -> Result<Self> {
        fs::create_dir_all(folder.join("tmp"))?;
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
        params.not_after = ends;
        let certificate = folder.join("certificate.pem");
        fs::write(&certificate, params.self_signed(&key)?.pem())?;
        fs::write(folder.join("key.pem"), key.serialize_pem())?;
        let place = folder.display();
        let config = folder.join("nginx.conf");
        fs::write(
            &config,
            format!(
                "daemon off; pid {place}/nginx.pid; error_log {place}/nginx-error.log info;\n\
                 events {{ worker_connections 64; }}\n\
                 http {{ access_log off; client_body_temp_path {place}/tmp/b; proxy_temp_path {place}/tmp/p;\n\
                 fastcgi_temp_path {place}/tmp/f; uwsgi_temp_path {place}/tmp/u; scgi_temp_path {place}/tmp/s;\n\
                 server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {place}/certificate.pem;\n\
                 ssl_certificate_key {place}/key.pem; location / {{ proxy_pass {upstream}; }} }} }}\n"
            ),
        )?;
        let mut nginx = Command::new(fixtures::tool("nginx")?);
        nginx.arg("-p").arg(folder).arg("-e").arg(folder.join("nginx-error.log")).arg("-c").arg(&config);
        let mut service = Service::start("nginx", &nginx, &folder.join("nginx.log"))?;
        service.wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        Ok(Self { certificate, _nginx: service })
    }

    /// The certificate, for whoever is to trust it.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }
}
