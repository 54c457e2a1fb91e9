//! One picture of a camera, plain or with the boxes of its own frame drawn into it.

use crate::publish::http::{
    cameras::drawn,
    description::File,
    server::{
        error::ApiError,
        etag,
        extract::{Params, Part},
    },
    shared::Shared,
};
use crate::{
    camera::CameraName,
    channels::pictures::Viewer,
    frame::Picture,
    state::{CameraFeed, PublishedScene},
};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use detector::photo::{Format, Orientation};
use jiff::Timestamp;
use serde::Deserialize;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::timeout;
use utoipa::IntoParams;

/// How long a snapshot waits for a picture.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How many pictures wait for the scene of their frame, and scenes for the picture.
const MAX_WAITING: usize = 16;

/// The header with the frame's number, beside the capture time in `x-captured-at`.
const X_SEQ: HeaderName = HeaderName::from_static("x-seq");
const X_CAPTURED_AT: HeaderName = HeaderName::from_static("x-captured-at");

/// How the picture is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    /// `1` draws the detections of the picture's own frame into it.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 0, maximum = 1)]
    boxes: Boxes,
}

/// Whether detections are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
enum Boxes {
    #[default]
    #[serde(rename = "0")]
    Left,
    #[serde(rename = "1")]
    Drawn,
}

/// The next picture as a JPEG file.
#[utoipa::path(get, path = "/cameras/{name}/snapshot.jpg", tag = "live",
    params(("name" = String, Path, description = "The camera's name"), Query),
    responses(
        (status = 200, description = "The picture; its number and time are in x-seq and x-captured-at",
            body = inline(File), content_type = "image/jpeg"),
        (status = 304, description = "The client holds this picture (If-None-Match)"),
        (status = 400, description = "A parameter does not fit"),
        (status = 404, description = "No such camera"),
        (status = 503, description = "The camera gives no picture now"),
    ))]
pub(crate) async fn snapshot(
    State(shared): State<Arc<Shared>>,
    Part(name): Part<String>,
    Params(Query { boxes }): Params<Query>,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let feed = shared.camera(&name)?;
    let taken = async {
        let mut viewer = feed.pictures.watch();
        match boxes {
            Boxes::Left => (viewer.next().await, None),
            Boxes::Drawn => {
                let (picture, scene) = matched(&feed, &mut viewer).await;
                (picture, Some(scene))
            }
        }
    };
    let (picture, scene) =
        timeout(TIMEOUT, taken).await.map_err(|_| ApiError::NoPicture { camera: name, waited: TIMEOUT })?;
    let stamp = picture.stamp;
    let tag = format!("\"{}-{}-{boxes:?}\"", stamp.seq, stamp.captured_at.as_microsecond());
    let headers = [
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::ETAG, tag.clone()),
        (header::CONTENT_DISPOSITION, format!("inline; filename=\"{}\"", file_name(&feed.name, stamp.captured_at))),
        (X_SEQ, stamp.seq.to_string()),
        (X_CAPTURED_AT, stamp.captured_at.to_string()),
    ];
    if etag::is_held(&request, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let jpeg = match scene {
        None => picture.jpeg.clone(),
        Some(scene) => {
            let detections = scene.scene.detections.clone();
            drawn::file(picture.jpeg.clone(), Orientation::AsStored, detections, Format::Jpeg).await?
        }
    };
    Ok((headers, [(header::CONTENT_TYPE, "image/jpeg")], jpeg).into_response())
}

/// The name under which a browser saves the picture: camera and capture time, without the colons that some file systems
/// refuse.
fn file_name(camera: &CameraName, captured_at: Timestamp) -> String {
    format!("{camera}-{}.jpg", captured_at.strftime("%Y-%m-%dT%H-%M-%S-%3fZ"))
}

/// The next picture whose frame has a scene, and that scene. Never returns while there is none.
async fn matched(feed: &CameraFeed, viewer: &mut Viewer) -> (Arc<Picture>, Arc<PublishedScene>) {
    let mut scenes = feed.scene.subscribe();
    let (mut pictures, mut seen) = (VecDeque::<Arc<Picture>>::new(), VecDeque::<Arc<PublishedScene>>::new());
    loop {
        tokio::select! {
            picture = viewer.next() => keep(&mut pictures, picture),
            Ok(()) = scenes.changed() => seen_last(&mut seen, scenes.borrow_and_update().clone()),
        }
        for picture in &pictures {
            if let Some(scene) = seen.iter().find(|seen| seen.scene.stamp.seq == picture.stamp.seq) {
                return (picture.clone(), scene.clone());
            }
        }
    }
}

fn seen_last(seen: &mut VecDeque<Arc<PublishedScene>>, scene: Option<Arc<PublishedScene>>) {
    if let Some(scene) = scene {
        keep(seen, scene);
    }
}

/// Adds `new`; the oldest goes when there are too many.
fn keep<T>(items: &mut VecDeque<T>, new: T) {
    if items.len() == MAX_WAITING {
        items.pop_front();
    }
    items.push_back(new);
}
