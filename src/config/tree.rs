//! The tree of values that all sources were merged into: finding, taking and lending values by path.

use config::{Value, ValueKind};

/// The keys from the root to a value; list items by their index.
pub(super) type Path = Vec<String>;

/// The value at `path`.
pub(super) fn find<'a>(tree: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(tree, |value, key| match &value.kind {
        ValueKind::Table(table) => table.get(key),
        ValueKind::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Takes the value at `path` out of the tree, or the nearest thing above it that is there. An item of a list takes
/// the whole list with it, which would mean something else without it. Says whether anything was taken.
pub(super) fn take(tree: &mut Value, path: &[String]) -> bool {
    let (Some((key, rest)), ValueKind::Table(table)) = (path.split_first(), &mut tree.kind) else { return false };
    let inner_taken = !rest.is_empty() && table.get_mut(key).is_some_and(|inner| take(inner, rest));
    inner_taken || table.remove(key).is_some()
}

/// Lends the keys of `[detection]` to every `[camera.NAME.detection]` that does not have them itself.
pub(super) fn lend_detection(tree: &mut Value) {
    let ValueKind::Table(root) = &mut tree.kind else { return };
    let Some(lent) = root.get("detection").cloned() else { return };
    let Some(Value { kind: ValueKind::Table(cameras), .. }) = root.get_mut("camera") else { return };
    for camera in cameras.values_mut() {
        if let ValueKind::Table(camera) = &mut camera.kind {
            fill(camera.entry("detection".into()).or_insert_with(|| lent.clone()), &lent);
        }
    }
}

/// Puts the keys of `from` into `into` where it has none of its own.
fn fill(into: &mut Value, from: &Value) {
    if let (ValueKind::Table(into), ValueKind::Table(from)) = (&mut into.kind, &from.kind) {
        for (key, value) in from {
            into.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
}

/// The same value, and all in it, with `origin` as the place it comes from.
pub(super) fn named(value: Value, origin: &String) -> Value {
    let kind = match value.kind {
        ValueKind::Table(table) => {
            ValueKind::Table(table.into_iter().map(|(key, inner)| (key, named(inner, origin))).collect())
        }
        ValueKind::Array(items) => ValueKind::Array(items.into_iter().map(|inner| named(inner, origin)).collect()),
        plain => plain,
    };
    Value::new(Some(origin), kind)
}
