//! The description of the API, as `/openapi.json` gives it: what routes do not say themselves.

use serde_json::{Map, Value};
use utoipa::{
    ToSchema,
    openapi::{Content, OpenApi, Ref, RefOr, path::Operation, path::PathItem},
};

/// Recorded by `scripts/examples.sh`: answers by method and path.
const RECORDED: &str = include_str!("examples.json");

/// The bytes of a file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "only describes bodies")]
pub(crate) struct File(Vec<u8>);

/// Says of each error that names no body of its own that it is the problem document `schema`.
pub(crate) fn add_problems(description: &mut OpenApi, schema: &str) {
    let operations = description.paths.paths.values_mut().flat_map(operations).map(|(_, operation)| operation);
    for (status, response) in operations.flat_map(|operation| &mut operation.responses.responses) {
        if let RefOr::T(response) = response
            && status.starts_with(['4', '5'])
            && response.content.is_empty()
        {
            let problem = Content::new(Some(Ref::from_schema_name(schema)));
            response.content.insert("application/problem+json".into(), RefOr::T(problem));
        }
    }
}

/// Puts the recorded answers into `description`, as examples of what is answered with 200.
pub(crate) fn add_examples(description: &mut OpenApi) {
    let mut recorded: Map<String, Value> = serde_json::from_str(RECORDED).unwrap_or_default();
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in operations(item) {
            let response = operation.responses.responses.get_mut("200");
            if let Some(RefOr::T(response)) = response
                && let Some(RefOr::T(content)) = response.content.values_mut().next()
            {
                content.example = recorded.remove(&format!("{method} {path}"));
            }
        }
    }
}

/// The operations of a path by their methods, as far as this API has them.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, post, patch, .. } = item;
    [("get", get), ("post", post), ("patch", patch)]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}
