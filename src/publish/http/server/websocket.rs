//! What every WebSocket route shares.

use axum::extract::ws::{CloseCode, CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use std::time::Duration;

/// How long a client may take no bytes before it is let go.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often an idle connection is asked whether it still lives.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(20);
/// The longest reason in a close frame, in bytes (RFC 6455, 5.5).
const LONGEST_REASON: usize = 123;
/// The largest message a client may send: it has nothing to say.
const LARGEST_MESSAGE: usize = 4096;

/// An upgrade for a client that has nothing to say, whose read buffer (else 128 KiB) can be small.
pub(crate) fn one_way(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade.max_message_size(LARGEST_MESSAGE).read_buffer_size(LARGEST_MESSAGE)
}

/// Whether a client is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alive {
    /// It is.
    Yes,
    /// It has gone, or takes no bytes.
    No,
}

/// Waits for something from the client, only to learn whether it is still there.
pub(crate) async fn heard(socket: &mut WebSocket) -> Alive {
    match socket.recv().await {
        Some(Ok(Message::Close(_)) | Err(_)) | None => Alive::No,
        Some(Ok(_)) => Alive::Yes,
    }
}

/// Sends `message`, unless the client takes no bytes for too long.
pub(crate) async fn send(socket: &mut WebSocket, message: Message) -> Alive {
    match tokio::time::timeout(TIMEOUT, socket.send(message)).await {
        Ok(Ok(())) => Alive::Yes,
        Ok(Err(_)) | Err(_) => Alive::No,
    }
}

/// Tells the client that the daemon stops, without insisting.
pub(crate) async fn say_goodbye(socket: WebSocket) {
    close(socket, close_code::RESTART, "the daemon stops").await;
}

/// Tells the client why the connection ends, without insisting. Of the reason it gets as much as a close frame takes.
pub(crate) async fn close(mut socket: WebSocket, code: CloseCode, reason: &str) {
    let reason = &reason[..reason.floor_char_boundary(LONGEST_REASON)];
    let frame = CloseFrame { code, reason: reason.into() };
    let _ = tokio::time::timeout(Duration::from_millis(200), socket.send(Message::Close(Some(frame)))).await;
}
