//! The Grafana dashboard against what Grafana has published of itself: its types, and its list of units.
//!
//! No Grafana server runs here. What the dashboard asks Prometheus for is tested in `prometheus.rs`.

use crate::support::{part, root};
use serde_json::Value;
use std::{collections::BTreeSet, fs, os::unix::fs::symlink, process::Command};

fn dashboard() -> String {
    fs::read_to_string(root().join("deploy/grafana-dashboard.json")).unwrap()
}

/// What the TypeScript compiler complains of when `dashboard` is held against Grafana's types.
fn complaints(dashboard: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    symlink(part("grafana/node_modules"), folder.path().join("node_modules")).unwrap();
    let checked = concat!(include_str!("grafana/dashboard.ts"), "\n").to_owned() + dashboard;
    fs::write(folder.path().join("dashboard.ts"), checked).unwrap();
    let output = Command::new("node")
        .arg(part("grafana/node_modules/typescript/lib/tsc.js"))
        .args(["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--lib", "es2022"])
        .args(["--module", "esnext", "--moduleResolution", "bundler", "dashboard.ts"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.success(), said.is_empty(), "{said}");
    said
}

#[test]
fn the_dashboard_is_of_grafanas_own_type() {
    let dashboard = dashboard();
    assert_eq!(complaints(&dashboard), "");
    for (good, bad) in [
        ("\"gridPos\"", "\"gridPosition\""),
        ("\"textMode\": \"name\"", "\"textMode\": \"names\""),
        ("\"refresh\": 2", "\"refresh\": 7"),
    ] {
        assert!(complaints(&dashboard.replace(good, bad)).contains("dashboard.ts("), "{bad} passes");
    }
}

#[test]
fn units_are_known_to_grafana() {
    let known = fs::read_to_string(part("grafana/node_modules/@grafana/data/dist/esm/valueFormats/categories.mjs"));
    let known = known.unwrap();
    let units: BTreeSet<_> = panels()
        .iter()
        .filter_map(|panel| panel["fieldConfig"]["defaults"]["unit"].as_str().map(str::to_owned))
        // A unit of one's own.
        .filter(|unit| !unit.starts_with("suffix:"))
        .collect();
    assert!(units.len() > 5, "{units:?}");
    for unit in units {
        assert!(known.contains(&format!("id: \"{unit}\"")), "Grafana has no unit {unit:?}");
    }
}

fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(&dashboard()).unwrap();
    dashboard["panels"].as_array().unwrap().clone()
}

#[test]
fn panels_have_their_own_number_and_place() {
    let panels = panels();
    let numbers: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(numbers.len(), panels.len(), "two panels have one number");
    let mut taken = BTreeSet::new();
    for panel in &panels {
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        assert!(x + w <= 24 && w > 0 && h > 0, "{} does not fit into 24 columns", panel["title"]);
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{} covers another panel", panel["title"]);
        }
    }
}

/// Only an import by hand resolves `__inputs`; a variable of the kind `datasource` works for files too.
#[test]
fn the_data_source_is_a_variable() {
    let text = dashboard();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&dashboard["__inputs"], &dashboard["id"]), (&Value::Null, &Value::Null));
    let first = &dashboard["templating"]["list"][0];
    assert_eq!(
        (&first["name"], &first["type"], &first["query"]),
        (&"datasource".into(), &"datasource".into(), &"prometheus".into())
    );
    let sources = text.matches("\"type\": \"prometheus\"").count();
    assert!(sources > 30 && text.matches("\"uid\": \"${datasource}\"").count() == sources, "{sources}");
}
