//! Every scene as it is published: WebSocket and server-sent events.
//!
//! Nothing is queued for a client beyond the scene bus's own backlog. A client that falls behind it is told how many scenes
//! it lost; one that takes no bytes for [`TIMEOUT`] is let go.

use crate::publish::http::{
    detections::select::{Selection, StreamQuery},
    server::{
        error::ApiError,
        extract::{Params, Upgrade},
        websocket,
    },
    shared::Shared,
};
use crate::{publish::wire::StreamMessage, state::PublishedScene};
use axum::{
    extract::{
        State,
        ws::{Message, Utf8Bytes},
    },
    response::{IntoResponse, Response, Sse, sse},
};
use futures_util::{Stream, StreamExt, stream};
use prometheus_client::metrics::counter::Counter;
use std::{convert::Infallible, sync::Arc};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;

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
#[utoipa::path(get, path = "/ws", tag = "detections", params(StreamQuery),
    responses(
        (status = 101, description = "The stream, as WebSocket messages", body = StreamMessage<'static>),
        (status = 400, description = "A parameter does not fit"),
        (status = 404, description = "No such camera"),
        (status = 426, description = "Not a WebSocket request"),
    ))]
pub(crate) async fn scenes(
    State(shared): State<Arc<Shared>>,
    Params(query): Params<StreamQuery>,
    Upgrade(upgrade): Upgrade,
) -> Result<Response, ApiError> {
    let mut subscription = Subscription::new(&shared, query)?;
    Ok(websocket::one_way(upgrade).on_upgrade(async move |mut socket| {
        let mut ping = tokio::time::interval(websocket::PING_EVERY);
        loop {
            let message = tokio::select! {
                message = subscription.next() => message.map(|message| Message::Text(message.json)),
                _ = ping.tick() => Some(Message::Ping(axum::body::Bytes::new())),
                alive = websocket::heard(&mut socket) => match alive {
                    websocket::Alive::Yes => continue,
                    websocket::Alive::No => return,
                },
            };
            let Some(message) = message else { return websocket::say_goodbye(socket).await };
            if websocket::send(&mut socket, message).await == websocket::Alive::No {
                return;
            }
        }
    }))
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
pub(crate) async fn events(
    State(shared): State<Arc<Shared>>,
    Params(query): Params<StreamQuery>,
) -> Result<Response, ApiError> {
    let subscription = Subscription::new(&shared, query)?;
    let keep_alive = sse::KeepAlive::new().interval(websocket::PING_EVERY);
    Ok(Sse::new(event_stream(subscription)).keep_alive(keep_alive).into_response())
}

fn event_stream(subscription: Subscription) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    stream::unfold(subscription, async |mut subscription| {
        let message = subscription.next().await?;
        Some((Ok(sse::Event::default().event(message.kind).data(message.json.as_str())), subscription))
    })
    .boxed()
}
