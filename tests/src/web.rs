//! nginx and php-fpm, as most WordPress sites are served.

use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Service;
use crate::{Result, fixtures};

/// The two servers of one site.
#[derive(Debug)]
pub struct WebServer {
    folder: PathBuf,
    _nginx: Service,
    _php: Service,
}

impl WebServer {
    /// Serves `www` on the port, with 4 workers of PHP.
    pub fn start(folder: &Path, www: &Path, port: u16) -> Result<Self> {
        fs::create_dir_all(folder.join("tmp"))?;
        let php = start_php(folder)?;
        let nginx = start_nginx(folder, www, port)?;
        Ok(Self { folder: folder.to_owned(), _nginx: nginx, _php: php })
    }

    /// All logs of both servers, access logs included.
    pub fn logs(&self) -> Vec<PathBuf> {
        ["nginx-access.log", "nginx-error.log", "php-fpm.log", "php-access.log", "php-error.log"]
            .map(|name| self.folder.join(name))
            .to_vec()
    }
}

fn start_php(folder: &Path) -> Result<Service> {
    let place = folder.display();
    let config = folder.join("php-fpm.conf");
    fs::write(
        &config,
        format!(
            "[global]\n\
             error_log = {place}/php-fpm.log\n\
             daemonize = no\n\
             [www]\n\
             ; Ignored unless we are root.\n\
             user = root\n\
             group = root\n\
             listen = {place}/php.sock\n\
             pm = static\n\
             pm.max_children = 4\n\
             catch_workers_output = yes\n\
             access.log = {place}/php-access.log\n\
             access.format = \"%R %m %r%Q%q %s %{{milliseconds}}d\"\n\
             ; WordPress sets its debug.log later.\n\
             php_value[error_log] = {place}/php-error.log\n"
        ),
    )?;
    let mut fpm = Command::new(fixtures::tool("php-fpm")?);
    fpm.args(["--nodaemonize", "--allow-to-run-as-root", "--fpm-config"]).arg(&config);
    let mut service = Service::start("php-fpm", &fpm, &folder.join("php-fpm.log"))?;
    let socket = folder.join("php.sock");
    service.wait_until(|| UnixStream::connect(&socket).is_ok())?;
    Ok(service)
}

fn start_nginx(folder: &Path, www: &Path, port: u16) -> Result<Service> {
    let place = folder.display();
    let www = www.display();
    // As root, nginx would give its workers to a user who may not read our temporary folder.
    let user = if is_root() { "user root;" } else { "" };
    let config = folder.join("nginx.conf");
    fs::write(
        &config,
        format!(
            r"{user}
daemon off;
worker_processes 1;
pid {place}/nginx.pid;
error_log {place}/nginx-error.log info;
events {{ worker_connections 256; }}
http {{
  types {{ text/html html; text/css css; application/javascript js; image/svg+xml svg; image/png png; image/gif gif; }}
  default_type application/octet-stream;
  # The usual combined format: what an ordinary site would have on disk.
  access_log {place}/nginx-access.log combined;
  client_body_temp_path {place}/tmp/body;
  fastcgi_temp_path {place}/tmp/fastcgi;
  proxy_temp_path {place}/tmp/proxy;
  scgi_temp_path {place}/tmp/scgi;
  uwsgi_temp_path {place}/tmp/uwsgi;
  server {{
    listen 127.0.0.1:{port};
    root {www};
    index index.php;
    # The blogs of a network are folders that are not there.
    if (!-e $request_filename) {{
      rewrite ^/two(/wp-admin)$ /two$1/ redirect;
      rewrite ^/two(/wp-.*)$ $1 last;
      rewrite ^/two(/.*\.php)$ $1 last;
    }}
    location / {{ try_files $uri $uri/ /index.php?$args; }}
    location ~ \.php$ {{
      try_files $uri =404;
      fastcgi_pass unix:{place}/php.sock;
      fastcgi_read_timeout 60s;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
      fastcgi_param SCRIPT_NAME $fastcgi_script_name;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param REQUEST_URI $request_uri;
      fastcgi_param DOCUMENT_URI $document_uri;
      fastcgi_param DOCUMENT_ROOT $document_root;
      fastcgi_param SERVER_PROTOCOL $server_protocol;
      fastcgi_param REQUEST_SCHEME $scheme;
      fastcgi_param REMOTE_ADDR $remote_addr;
      fastcgi_param REMOTE_PORT $remote_port;
      fastcgi_param SERVER_ADDR $server_addr;
      fastcgi_param SERVER_PORT $server_port;
      fastcgi_param SERVER_NAME $host;
    }}
  }}
}}
"
        ),
    )?;
    let mut nginx = Command::new(fixtures::tool("nginx")?);
    nginx.arg("-p").arg(folder).arg("-e").arg(folder.join("nginx-error.log")).arg("-c").arg(&config);
    let mut service = Service::start("nginx", &nginx, &folder.join("nginx-error.log"))?;
    service.wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
    Ok(service)
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
