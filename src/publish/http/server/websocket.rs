//! What every WebSocket route shares: the upgrade, the loop of ping, hear and send, and the end.
//!
//! A client cannot make a connection hold memory: what it sends is read at a bounded rate, so that its pings are
//! answered at that rate, and one that takes no bytes for [`SEND_TIMEOUT`] is closed.

use super::{
    error::ApiError,
    limits::{Limit, Limits},
};
use crate::publish::http::shared::Shared;
use axum::{
    body::Bytes,
    extract::{
        FromRequestParts,
        ws::{CloseCode, CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    },
    http::request::Parts,
    response::Response,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Interval, interval, sleep_until, timeout},
};

/// How long a client may take no bytes before it is closed.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// How often an idle connection is asked whether it still lives.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(20);
/// How much time lies between two messages that are read from a client, its pings among them.
const READ_EVERY: Duration = Duration::from_millis(100);
/// How long the closing handshake may take.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);
/// The longest reason in a close frame, in bytes (RFC 6455, 5.5).
const MAX_REASON_BYTES: usize = 123;
/// The largest message of a client that only listens.
const MAX_IGNORED_BYTES: usize = 4096;
/// The largest message to a client, together with the pongs that wait before it.
pub(crate) const MAX_WRITE_BUFFER: usize = 32 << 20;

/// A request to speak WebSocket, with a permit for one more connection.
#[derive(Debug)]
pub(crate) struct Upgrade {
    upgrade: WebSocketUpgrade,
    permit: OwnedSemaphorePermit,
    limits: Limits,
}

impl FromRequestParts<Arc<Shared>> for Upgrade {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let upgrade = WebSocketUpgrade::from_request_parts(parts, shared).await;
        let upgrade = upgrade.map_err(|why| ApiError::UpgradeRequired(why.body_text()))?;
        let limits = shared.limits.clone();
        let permit = limits.websocket()?;
        Ok(Self { upgrade: upgrade.max_write_buffer_size(MAX_WRITE_BUFFER), permit, limits })
    }
}

impl Upgrade {
    /// Sends what `source` gives to a client that has nothing to say.
    pub fn stream(self, mut source: impl Source) -> Response {
        let Self { upgrade, permit, limits } = self;
        // Such a client needs no more of a read buffer, else 128 KiB.
        let upgrade = upgrade.max_message_size(MAX_IGNORED_BYTES).read_buffer_size(MAX_IGNORED_BYTES);
        upgrade.on_upgrade(async move |socket| {
            send_all(Connection::new(socket, limits), &mut source).await;
            drop(permit);
        })
    }

    /// Answers each message of at most `most` bytes with what `responder` makes of it.
    pub fn answer(self, most: usize, mut responder: impl Responder) -> Response {
        let Self { upgrade, permit, limits } = self;
        let upgrade = upgrade.max_message_size(most).max_frame_size(most);
        upgrade.on_upgrade(async move |socket| {
            answer_all(Connection::new(socket, limits), &mut responder).await;
            drop(permit);
        })
    }
}

/// Why there is nothing more to send.
#[derive(Debug)]
pub(crate) enum End {
    /// The camera has been taken away, or the daemon stops.
    Stop,
    /// Something has failed, in words.
    Failure(String),
}

/// Where the messages for one client come from.
pub(crate) trait Source: Send + 'static {
    /// The next messages. Dropping the future loses none.
    fn next(&mut self) -> impl Future<Output = Result<Vec<Message>, End>> + Send;
}

/// Answers the messages of one client.
pub(crate) trait Responder: Send + 'static {
    /// How long the client may take from one message to the end of the next.
    const MESSAGE_TIMEOUT: Duration;

    /// The answer to `message`, which is a text or binary message.
    fn answer(&mut self, message: Bytes) -> impl Future<Output = Message> + Send;

    /// Waits until the daemon stops.
    fn stopped(&self) -> impl Future<Output = ()> + Send;
}

/// A client's connection.
struct Connection {
    socket: WebSocket,
    limits: Limits,
    ping: Interval,
    /// When the client is read again.
    read_at: Instant,
}

/// What came from a client.
enum Heard {
    Message(Message),
    /// It closes the connection.
    Close,
    /// It has gone.
    Gone,
}

/// The client takes no more messages.
struct Gone;

impl Connection {
    fn new(socket: WebSocket, limits: Limits) -> Self {
        Self { socket, limits, ping: interval(PING_EVERY), read_at: Instant::now() }
    }

    /// Waits for a message from the client, or until a ping is due, which it sends.
    async fn hear(&mut self) -> Heard {
        loop {
            tokio::select! {
                heard = hear(&mut self.socket, &mut self.read_at) => return heard,
                _ = self.ping.tick() => {}
            }
            if self.send(Message::Ping(Bytes::new())).await.is_err() {
                return Heard::Gone;
            }
        }
    }

    /// Sends `message`, unless the client takes no bytes for too long.
    async fn send(&mut self, message: Message) -> Result<(), Gone> {
        match timeout(SEND_TIMEOUT, self.socket.send(message)).await {
            Ok(sent) => sent.map_err(|_| Gone),
            Err(_) => {
                self.limits.hit(Limit::UnreadBytes);
                Err(Gone)
            }
        }
    }

    /// Tells the client why the connection ends, and gives it a moment to agree.
    async fn close(mut self, code: CloseCode, reason: &str) {
        let reason = &reason[..reason.floor_char_boundary(MAX_REASON_BYTES)];
        let frame = CloseFrame { code, reason: reason.into() };
        let _ = timeout(CLOSE_TIMEOUT, self.socket.send(Message::Close(Some(frame)))).await;
    }

    /// Sends the answer to the client's Close frame, which reading on does.
    async fn agree(mut self) {
        let ended = async { while let Some(Ok(_)) = self.socket.recv().await {} };
        let _ = timeout(CLOSE_TIMEOUT, ended).await;
    }

    async fn end(self, why: End) {
        match why {
            End::Stop => self.close(close_code::RESTART, "the daemon stops").await,
            End::Failure(why) => self.close(close_code::ERROR, &why).await,
        }
    }
}

async fn hear(socket: &mut WebSocket, read_at: &mut Instant) -> Heard {
    sleep_until(*read_at).await;
    let received = socket.recv().await;
    *read_at = Instant::now() + READ_EVERY;
    match received {
        Some(Ok(Message::Close(_))) => Heard::Close,
        Some(Ok(message)) => Heard::Message(message),
        Some(Err(_)) | None => Heard::Gone,
    }
}

async fn send_all(mut connection: Connection, source: &mut impl Source) {
    loop {
        let messages = tokio::select! {
            messages = source.next() => messages,
            _ = connection.ping.tick() => Ok(vec![Message::Ping(Bytes::new())]),
            heard = hear(&mut connection.socket, &mut connection.read_at) => match heard {
                Heard::Message(_) => continue,
                Heard::Close => return connection.agree().await,
                Heard::Gone => return,
            },
        };
        let messages = match messages {
            Ok(messages) => messages,
            Err(why) => return connection.end(why).await,
        };
        for message in messages {
            if connection.send(message).await.is_err() {
                return;
            }
        }
    }
}

async fn answer_all<R: Responder>(mut connection: Connection, responder: &mut R) {
    let mut due = Instant::now() + R::MESSAGE_TIMEOUT;
    loop {
        let heard = tokio::select! {
            heard = connection.hear() => heard,
            () = responder.stopped() => return connection.end(End::Stop).await,
            () = sleep_until(due) => {
                connection.limits.hit(Limit::MessageTime);
                return connection.close(close_code::POLICY, "no complete message came in time").await;
            }
        };
        let message = match heard {
            Heard::Message(Message::Text(text)) => text.into(),
            Heard::Message(Message::Binary(bytes)) => bytes,
            Heard::Message(_) => continue,
            Heard::Close => return connection.agree().await,
            Heard::Gone => return,
        };
        let answer = responder.answer(message).await;
        if connection.send(answer).await.is_err() {
            return;
        }
        connection.read_at = Instant::now(); // a request was answered, so the client pays for the next one by waiting
        due = Instant::now() + R::MESSAGE_TIMEOUT;
    }
}
