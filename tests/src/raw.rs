//! HTTP by hand, for what no proper client sends, and for sending a lot of it.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use crate::Result;

/// One connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// What was read and belongs to no answer yet.
    rest: Vec<u8>,
}

/// One answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The status line and the header, in small letters.
    pub head: String,
    /// The body, as long as `Content-Length` says.
    pub body: String,
}

impl Answer {
    /// Whether the server takes no more requests on this connection.
    pub fn closes(&self) -> bool {
        self.head.contains("connection: close")
    }
}

impl Connection {
    /// Connects to the server of a URL.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_from([127, 0, 0, 1].into(), url).await
    }

    /// The same from another address of this machine, such as 127.0.0.2.
    pub async fn open_from(address: IpAddr, url: &str) -> Result<Self> {
        let server: SocketAddr = url.trim_start_matches("http://").parse()?;
        let socket = TcpSocket::new_v4()?;
        socket.bind((address, 0).into())?;
        Ok(Self { stream: socket.connect(server).await?, rest: Vec::new() })
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result {
        Ok(self.stream.write_all(bytes.as_ref()).await?)
    }

    /// Reads the next answer; `None` when the server has closed the connection before it.
    pub async fn answer(&mut self) -> Result<Option<Answer>> {
        let head_length = loop {
            if let Some(end) = self.rest.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if !self.read_more().await? {
                return Ok(None);
            }
        };
        let head = String::from_utf8_lossy(&self.rest[..head_length]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(Ok(0), str::parse)?;
        while self.rest.len() < head_length + length {
            if !self.read_more().await? {
                return Err("the answer broke off".into());
            }
        }
        let body = String::from_utf8_lossy(&self.rest[head_length..head_length + length]).into_owned();
        self.rest.drain(..head_length + length);
        let status = head.get(9..12).ok_or("no status line")?.parse()?;
        Ok(Some(Answer { status, head, body }))
    }

    /// Sends a request and reads its answer.
    pub async fn ask(&mut self, request: impl AsRef<[u8]>) -> Result<Answer> {
        self.send(request).await?;
        Ok(self.answer().await?.ok_or("the connection was closed")?)
    }

    /// Reads until the server closes the connection, at most so long. Gives what came.
    pub async fn until_closed(&mut self, at_most: Duration) -> Result<String> {
        let closed = async { while self.read_more().await.unwrap_or(false) {} };
        timeout(at_most, closed).await.map_err(|_| format!("still open after {at_most:?}"))?;
        Ok(String::from_utf8_lossy(&self.rest).into_owned())
    }

    /// Sends the same bytes again and again, with a pause after each, until the server closes the connection. Reads
    /// what comes if `reads`. Gives how long it lasted.
    pub async fn send_forever(
        &mut self,
        bytes: &[u8],
        pause: Duration,
        reads: bool,
        at_most: Duration,
    ) -> Result<Duration> {
        let began = Instant::now();
        let sending = async {
            while self.stream.write_all(bytes).await.is_ok() {
                if !reads {
                    sleep(pause).await;
                } else if let Ok(Ok(false) | Err(_)) = timeout(pause, self.read_more()).await {
                    break;
                }
            }
        };
        timeout(at_most, sending).await.map_err(|_| format!("still open after {at_most:?}"))?;
        Ok(began.elapsed())
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) -> Result {
        Ok(self.stream.shutdown().await?)
    }

    async fn read_more(&mut self) -> Result<bool> {
        let mut buffer = [0; 4096];
        let read = self.stream.read(&mut buffer).await?;
        self.rest.extend_from_slice(&buffer[..read]);
        Ok(read > 0)
    }
}

/// A request whose body is JSON.
pub fn request(method: &str, path: &str, bearer: Option<&str>, body: &str) -> String {
    let authorization = bearer.map_or(String::new(), |text| format!("Authorization: Bearer {text}\r\n"));
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: gatepass\r\nContent-Type: application/json\r\n{authorization}\
         Content-Length: {length}\r\n\r\n{body}"
    )
}
