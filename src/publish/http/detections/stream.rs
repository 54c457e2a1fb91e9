//! Every scene as it is published: WebSocket and server-sent events.
//!
//! Nothing is queued for a client beyond the scene bus's own backlog. A client that falls behind it is told how many scenes
//! it lost; one that takes no bytes for 30 s is let go.

use crate::publish::http::{
    detections::select::{Selection, StreamQuery},
    server::{
        error::ApiError,
        extract::Params,
        websocket::{End, PING_EVERY, Source, Upgrade},
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
    async fn message(&mut self) -> Option<Outgoing> {
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
        (status = 503, description = "As many WebSockets are open as may be"),
    ))]
pub(crate) async fn scenes(
    State(shared): State<Arc<Shared>>,
    Params(query): Params<StreamQuery>,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    Ok(upgrade.stream(Subscription::new(&shared, query)?))
}

impl Source for Subscription {
    async fn next(&mut self) -> Result<Vec<Message>, End> {
        self.message().await.map(|message| vec![Message::Text(message.json)]).ok_or(End::Stop)
    }
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
    let keep_alive = sse::KeepAlive::new().interval(PING_EVERY);
    Ok(Sse::new(event_stream(subscription)).keep_alive(keep_alive).into_response())
}

fn event_stream(subscription: Subscription) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    stream::unfold(subscription, async |mut subscription| {
        let message = subscription.message().await?;
        Some((Ok(sse::Event::default().event(message.kind).data(message.json.as_str())), subscription))
    })
    .boxed()
}
