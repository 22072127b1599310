//! An answer of any length, made while it is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpRequest;
use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use tokio::sync::mpsc;

use crate::connections::Connection;

/// How many pieces may wait to be sent.
const WAITING: usize = 2;

/// It cannot be made to its end, so the connection ends before it: nobody is to take the half for the whole.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the rest of the answer cannot be made")]
pub struct CutShort;

/// Where the pieces are put. When that fails, nobody wants more.
pub type Pieces = mpsc::Sender<Result<Bytes, CutShort>>;

/// The body.
#[derive(Debug)]
pub struct Streamed {
    pieces: mpsc::Receiver<Result<Bytes, CutShort>>,
    connection: Option<Connection>,
}

/// A body, and where its pieces are put.
pub fn streamed(request: &HttpRequest) -> (Pieces, Streamed) {
    let (sender, pieces) = mpsc::channel(WAITING);
    (sender, Streamed { pieces, connection: request.conn_data::<Connection>().cloned() })
}

impl MessageBody for Streamed {
    type Error = CutShort;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, CutShort>>> {
        let piece = self.pieces.poll_recv(context);
        if piece.is_ready() {
            // Whoever reads on does not keep Gatepass waiting, however long it takes in all.
            self.connection.iter().for_each(Connection::wait);
        }
        piece
    }
}
