//! The description of the API, as `/openapi.json` gives it; its examples are answers that a daemon gave.

use serde_json::{Map, Value};
use utoipa::openapi::{
    OpenApi, RefOr,
    path::{Operation, PathItem},
};

/// Recorded by `scripts/examples.sh`: answers by method and path.
const RECORDED: &str = include_str!("examples.json");

/// Puts the recorded answers into `description`, as examples of what is answered with 200.
pub(super) fn add_examples(description: &mut OpenApi) {
    let recorded: Map<String, Value> = serde_json::from_str(RECORDED).unwrap_or_default();
    for (name, answer) in recorded {
        let operation =
            name.split_once(' ').and_then(|(method, path)| operation(description.paths.paths.get_mut(path)?, method));
        let response = operation.and_then(|operation| operation.responses.responses.get_mut("200"));
        if let Some(RefOr::T(response)) = response
            && let Some(RefOr::T(content)) = response.content.get_mut("application/json")
        {
            content.example = Some(answer);
        }
    }
}

fn operation<'a>(item: &'a mut PathItem, method: &str) -> Option<&'a mut Operation> {
    match method {
        "get" => item.get.as_mut(),
        "post" => item.post.as_mut(),
        "patch" => item.patch.as_mut(),
        _ => None,
    }
}
