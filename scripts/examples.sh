#!/usr/bin/env bash
# examples.sh: records the responses of a daemon on the default footage in src/publish/http/examples.json, which
# provides the examples in /openapi.json. Run it after a change of the wire format, then regenerate the golden
# description: cargo run -- openapi > docs/openapi.json.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=/tmp/sightd-examples # responses contain the footage's path, so use one that is the same on every machine
mkdir -p "$folder"
cp .sightd/footage/vtest.avi "$folder/street.avi"
export SIGHTD__RUNTIME__PROVIDERS=cpu
. scripts/daemon.sh
daemon "$folder" --source "file://$folder/street.avi?loop"
python3 - "$url" src/publish/http/examples.json <<'PYTHON'
import json, sys, urllib.request
url, path = sys.argv[1:]

def ask(method, at, body=None, kind="application/json"):
    request = urllib.request.Request(url + at, body, {"content-type": kind}, method=method)
    with urllib.request.urlopen(request) as response:
        return response.read()

picture = ask("GET", "/cameras/default/snapshot.jpg")
form = (b'--x\r\nContent-Disposition: form-data; name="image"; filename="image"\r\n\r\n' + picture + b"\r\n--x--\r\n")
form_kind = "multipart/form-data; boundary=x"
answers = {
    "get /detections": ask("GET", "/detections?wait_ms=5000&min_score=0.7"),
    "get /cameras": ask("GET", "/cameras"),
    "get /cameras/{name}": ask("GET", "/cameras/default"),
    "get /model": ask("GET", "/model"),
    "get /healthz": ask("GET", "/healthz"),
    "get /readyz": ask("GET", "/readyz"),
    "get /version": ask("GET", "/version"),
    "get /session": ask("GET", "/session"),
    "get /system": ask("GET", "/system"),
    "get /config": ask("GET", "/config"),
    "get /logs": ask("GET", "/logs?limit=2"),
    "get /detectors": ask("GET", "/detectors"),
    "get /v1/server/status/ping": ask("GET", "/v1/server/status/ping"),
    "get /v1/status/updateavailable": ask("GET", "/v1/status/updateavailable"),
    "post /v1/vision/custom/list": ask("POST", "/v1/vision/custom/list"),
    "post /v1/vision/detection": ask("POST", "/v1/vision/detection", form, form_kind),
    "post /v1/vision/custom/{name}": ask("POST", "/v1/vision/custom/ssdlite-mobilenet-v2", form, form_kind),
    "post /detect": ask("POST", "/detect?min_score=0.7", picture, "image/jpeg"),
    "patch /cameras/{name}": ask("PATCH", "/cameras/default", b'{"detection": {"score": 0.6}}'),
    "post /reload": ask("POST", "/reload"),
}
examples = {name: json.loads(answer) for name, answer in answers.items()}
examples["get /metrics"] = ask("GET", "/metrics").decode()
with open(path, "w") as file:
    json.dump(examples, file, indent=2)
    file.write("\n")
PYTHON
