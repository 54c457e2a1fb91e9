//! The listener: TCP connections, with TLS where it is configured.

use crate::publish::http::server::tls::Certificate;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// How long a peer may acknowledge nothing, or take nothing, before its connection is closed.
const DEAD_AFTER: Duration = Duration::from_secs(30);
/// How much may wait unsent in a connection: more would only be old pictures and scenes.
const UNSENT_BYTES: u32 = 16 * 1024;
/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How many TLS handshakes are under way at most; further connections wait in the kernel's queue.
const MAX_HANDSHAKES: usize = 64;

/// Gives connections that are ready to speak HTTP.
pub(crate) struct Listener {
    tcp: TcpListener,
    tls: Option<Tls>,
}

/// The TLS handshakes under way, beside which connections are accepted.
struct Tls {
    certificate: Arc<Certificate>,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub IpAddr);

impl Peer {
    fn of(address: SocketAddr) -> Self {
        Self(address.ip().to_canonical())
    }
}

/// A connection.
pub(crate) enum Connection {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Listener {
    /// Accepts connections on `tcp`, with TLS if there is a certificate.
    pub fn new(tcp: TcpListener, certificate: Option<Arc<Certificate>>) -> Self {
        Self { tcp, tls: certificate.map(|certificate| Tls { certificate, handshakes: JoinSet::new() }) }
    }

    /// The next connection, and where it comes from. Waits while there is none.
    pub async fn accept(&mut self) -> (Connection, Peer) {
        let Self { tcp, tls } = self;
        let Some(Tls { certificate, handshakes }) = tls else {
            let (stream, peer) = axum::serve::Listener::accept(tcp).await;
            tune(&stream);
            return (Connection::Plain(stream), Peer::of(peer));
        };
        loop {
            tokio::select! {
                done = handshakes.join_next(), if !handshakes.is_empty() => {
                    if let Some(Ok(Some((stream, peer)))) = done {
                        return (Connection::Tls(Box::new(stream)), Peer::of(peer));
                    }
                }
                (stream, peer) = axum::serve::Listener::accept(tcp), if handshakes.len() < MAX_HANDSHAKES => {
                    tune(&stream);
                    handshakes.spawn(shake_hands(certificate.acceptor(), stream, peer));
                }
            }
        }
    }
}

/// The connection once it speaks TLS; none if it does not come to that.
async fn shake_hands(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
) -> Option<(TlsStream<TcpStream>, SocketAddr)> {
    match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => return Some((stream, peer)),
        Ok(Err(error)) => tracing::debug!(%peer, "no TLS connection: {error}"),
        Err(_) => tracing::debug!(%peer, "no TLS connection: the handshake took too long"),
    }
    None
}

/// Each only saves time or memory; a system without one of them serves all the same.
fn tune(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_user_timeout(Some(DEAD_AFTER));
    let _ = socket.set_tcp_notsent_lowat(UNSENT_BYTES);
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
