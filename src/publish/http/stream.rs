//! Every scene as it is published: WebSocket and server-sent events.
//!
//! Nothing is queued for a client beyond the state's own backlog. A client that falls behind it is told how many scenes
//! it lost; one that takes no bytes for [`TIMEOUT`] is let go.

use super::{
    Shared,
    error::ApiError,
    extract::{Params, Upgrade},
    select::{Selection, StreamQuery},
};
use crate::{publish::wire::StreamMessage, state::PublishedScene};
use axum::{
    extract::{
        State,
        ws::{CloseCode, CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code},
    },
    response::{IntoResponse, Response, Sse, sse},
};
use futures_util::{Stream, StreamExt, stream};
use prometheus_client::metrics::counter::Counter;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;

/// How long a client may take no bytes before it is let go.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often an idle connection is asked whether it still lives.
pub(super) const PING_EVERY: Duration = Duration::from_secs(20);
/// The longest reason in a close frame, in bytes (RFC 6455, 5.5).
const LONGEST_REASON: usize = 123;
/// The largest message a client may send: it has nothing to say.
const LARGEST_MESSAGE: usize = 4096;

/// A message for one client.
struct Outgoing {
    /// The `type` in the message, which is also the name of the server-sent event.
    kind: &'static str,
    json: Utf8Bytes,
}

/// The scenes one client still has to get.
struct Subscription {
    scenes: Receiver<Arc<PublishedScene>>,
    selection: Selection,
    lost: Counter,
    stop: CancellationToken,
}

impl Subscription {
    fn new(shared: &Shared, query: StreamQuery) -> Result<Self, ApiError> {
        let selection = Selection::new(query, &shared.state)?;
        let lost = shared.state.metrics.messages_lost.clone();
        Ok(Self { scenes: shared.state.scenes.subscribe(), selection, lost, stop: shared.stop.clone() })
    }

    /// The next message; `None` when the daemon stops.
    async fn next(&mut self) -> Option<Outgoing> {
        loop {
            let received = tokio::select! {
                received = self.scenes.recv() => received,
                () = self.stop.cancelled() => return None,
            };
            match received {
                Ok(published) => {
                    if let Some(json) = self.selection.message(&published) {
                        return Some(Outgoing { kind: "scene", json });
                    }
                }
                Err(RecvError::Lagged(count)) => {
                    self.lost.inc_by(count);
                    return Some(Outgoing { kind: "lost", json: StreamMessage::Lost { count }.json().into() });
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// Every scene as a WebSocket message.
///
/// Each message is one JSON object, `"type": "scene"` with a scene, or `"type": "lost"` with the number of scenes a
/// slow client missed. Scenes come in the order in which they were published. What the client sends is ignored.
#[utoipa::path(get, path = "/ws", operation_id = "scenes", tag = "detections", params(StreamQuery),
    responses(
        (status = 101, description = "The stream, as WebSocket messages", body = StreamMessage<'static>),
        (status = 400, description = "A parameter does not fit"),
        (status = 404, description = "No such camera"),
        (status = 426, description = "Not a WebSocket request"),
    ))]
pub(super) async fn websocket(
    State(shared): State<Arc<Shared>>,
    Params(query): Params<StreamQuery>,
    Upgrade(upgrade): Upgrade,
) -> Result<Response, ApiError> {
    let mut subscription = Subscription::new(&shared, query)?;
    Ok(one_way(upgrade).on_upgrade(async move |mut socket| {
        let mut ping = tokio::time::interval(PING_EVERY);
        loop {
            let message = tokio::select! {
                message = subscription.next() => message.map(|message| Message::Text(message.json)),
                _ = ping.tick() => Some(Message::Ping(axum::body::Bytes::new())),
                alive = heard(&mut socket) => match alive {
                    Alive::Yes => continue,
                    Alive::No => return,
                },
            };
            let Some(message) = message else { return say_goodbye(socket).await };
            if send(&mut socket, message).await == Alive::No {
                return;
            }
        }
    }))
}

/// An upgrade for a client that has nothing to say, whose read buffer (else 128 KiB) can be small.
pub(super) fn one_way(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade.max_message_size(LARGEST_MESSAGE).read_buffer_size(LARGEST_MESSAGE)
}

/// Whether a client is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alive {
    /// It is.
    Yes,
    /// It has gone, or takes no bytes.
    No,
}

/// Waits for something from the client, only to learn whether it is still there.
pub(super) async fn heard(socket: &mut WebSocket) -> Alive {
    match socket.recv().await {
        Some(Ok(Message::Close(_)) | Err(_)) | None => Alive::No,
        Some(Ok(_)) => Alive::Yes,
    }
}

/// Sends `message`, unless the client takes no bytes for too long.
pub(super) async fn send(socket: &mut WebSocket, message: Message) -> Alive {
    match tokio::time::timeout(TIMEOUT, socket.send(message)).await {
        Ok(Ok(())) => Alive::Yes,
        Ok(Err(_)) | Err(_) => Alive::No,
    }
}

/// Tells the client that the daemon stops, without insisting.
pub(super) async fn say_goodbye(socket: WebSocket) {
    close(socket, close_code::RESTART, "the daemon stops").await;
}

/// Tells the client why the connection ends, without insisting. Of the reason it gets as much as a close frame takes.
pub(super) async fn close(mut socket: WebSocket, code: CloseCode, reason: &str) {
    let reason = &reason[..reason.floor_char_boundary(LONGEST_REASON)];
    let frame = CloseFrame { code, reason: reason.into() };
    let _ = tokio::time::timeout(Duration::from_millis(200), socket.send(Message::Close(Some(frame)))).await;
}

/// Every scene as a server-sent event.
///
/// The events' data are the same JSON objects as on `/ws`; the event's name is the object's `type`.
#[utoipa::path(get, path = "/detections/stream", tag = "detections", params(StreamQuery),
    responses(
        (status = 200, description = "The stream", body = String, content_type = "text/event-stream"),
        (status = 400, description = "A parameter does not fit"),
        (status = 404, description = "No such camera"),
    ))]
pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    Params(query): Params<StreamQuery>,
) -> Result<Response, ApiError> {
    let subscription = Subscription::new(&shared, query)?;
    let keep_alive = sse::KeepAlive::new().interval(PING_EVERY);
    Ok(Sse::new(event_stream(subscription)).keep_alive(keep_alive).into_response())
}

fn event_stream(subscription: Subscription) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    stream::unfold(subscription, async |mut subscription| {
        let message = subscription.next().await?;
        Some((Ok(sse::Event::default().event(message.kind).data(message.json.as_str())), subscription))
    })
    .boxed()
}
