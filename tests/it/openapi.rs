//! The description of the API: golden, and its examples are answers that a daemon gave.

use crate::support::{part, root};
use serde_json::Value;
use std::{fs, io::Write, process::Command, process::Stdio};

/// Reads the description and checks every example against its schema.
const VALIDATE: &str = "
import json, sys, jsonschema_rs
document = json.load(sys.stdin)
checked, names = 0, set()
for path, item in document['paths'].items():
    for method, operation in item.items():
        name = operation['operationId']
        if name in names: sys.exit(f'{method} {path}: {name} is the name of another operation too')
        names.add(name)
        for status, response in operation['responses'].items():
            for kind, content in response.get('content', {}).items():
                if 'example' not in content: continue
                schema = dict(content['schema'], components=document['components'])
                errors = [error.message for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(content['example'])]
                if errors: sys.exit(f'{method} {path}: {errors}')
                checked += 1
print(checked)
";

fn description() -> String {
    sightd::publish::http::openapi().to_pretty_json().unwrap()
}

#[test]
fn the_description_is_what_it_was() {
    let path = root().join("docs/openapi.json");
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden.trim_end() == description(),
        "the API differs from docs/openapi.json: if that is meant, run `cargo run -- openapi > docs/openapi.json`"
    );
}

#[test]
fn examples_are_answers_that_fit_their_schemas() {
    let python = part("schemathesis/bin/python");
    let mut check = Command::new(python)
        .args(["-c", VALIDATE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(description().as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let checked: usize = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
    let recorded: Value =
        serde_json::from_str(&fs::read_to_string(root().join("src/publish/http/examples.json")).unwrap()).unwrap();
    assert_eq!(checked, recorded.as_object().unwrap().len(), "every recorded answer is an example");
}
