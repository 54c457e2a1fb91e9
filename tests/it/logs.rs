//! GET /logs of the real program.

use crate::program::{Daemon, reference_model};
use serde_json::Value;

#[test]
fn an_admin_reads_the_log_and_goes_on_from_there() {
    let source = "rtsp://admin:hunter2@127.0.0.1:9/live";
    let daemon = Daemon::spawn(&["run", "--listen", "127.0.0.1:0", "--source", source, "--model", &reference_model()]);
    let read = |query: &str| -> Value {
        let (status, body) = daemon.get(&format!("/logs{query}"));
        assert_eq!(status, 200, "{body}");
        assert!(!body.contains("hunter2"), "{body}");
        serde_json::from_str(&body).unwrap()
    };
    let of_a_camera = |line: &Value| line["message"].to_string().contains("camera");
    daemon.until_some("a line of a camera", || {
        read("")["lines"].as_array().unwrap().iter().any(of_a_camera).then_some(())
    });
    let all = read("?limit=1000");
    let (lines, last) = (all["lines"].as_array().unwrap(), all["last"].as_u64().unwrap());
    assert!(lines[0]["message"].as_str().unwrap().contains("http://127.0.0.1:"), "{all}");
    assert_eq!(lines.last().unwrap()["seq"], last);
    let later = read(&format!("?since={last}&limit=5"));
    assert!(later["lines"].as_array().unwrap().iter().all(|line| line["seq"].as_u64().unwrap() > last), "{later}");
    for wrong in ["/logs?limit=0", "/logs?limit=1001", "/logs?level=loud", "/logs?sinse=1"] {
        assert_eq!(daemon.get(wrong).0, 400, "{wrong}");
    }
}
