"""Lets the clients of other detection servers detect in a picture of a running sightd.

clients.py URL TOKEN KEY: the picture is the camera's, which TOKEN may fetch; KEY is what the clients are given as their
key, and may be empty. Prints what each found, and what sightd's own interface says, as one JSON object.
"""
import io
import json
import sys
from urllib.parse import urlsplit

import codeprojectai.core
import deepstack.core
import pydoods
import requests
from PIL import Image

# What frigate/detectors/plugins/deepstack.py (blakeblackshear/frigate) reads of an answer, and no more.
FRIGATE_ROWS = 20
FRIGATE_LEAST = 0.4
FRIGATE_LABELS = {"person": 0, "bicycle": 1, "car": 2}


def ours(url, token, picture):
    """What sightd's own interface finds, its boxes in pixels."""
    response = requests.post(
        f"{url}/detect",
        params={"min_score": 0.5},
        data=picture,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "image/jpeg"},
    )
    response.raise_for_status()
    return response.json()


def code_project(address, picture, **arguments):
    """Viseron's codeprojectai component calls this client."""
    client = codeprojectai.core.CodeProjectAIObject(
        ip=address.hostname, port=address.port, min_confidence=0.5, **arguments
    )
    try:
        return client.detect(picture)
    except codeprojectai.core.CodeProjectAIException as refusal:
        return str(refusal)


def deep_stack(address, picture, key):
    """Viseron's deepstack component calls this client."""
    client = deepstack.core.DeepstackObject(
        ip=address.hostname, port=address.port, api_key=key, min_confidence=0.5
    )
    return client.detect(picture)


def home_assistant(url, picture, key):
    """The calls of homeassistant/components/doods/image_processing.py (home-assistant/core), which pins this client."""
    client = pydoods.PyDOODS(url, key)
    by_name = {detector["name"]: detector for detector in client.get_detectors()["detectors"]}
    detector = by_name["default"]
    found = client.detect(picture, dconfig={"*": 50.0}, detector_name=detector["name"])
    persons = client.detect(picture, dconfig={"person": 60.0}, detector_name=detector["name"])
    return {"detector": detector, "found": found, "persons": persons}


def frigate(url, picture, key):
    """The request of Frigate's detector for a frame of 320x320 pixels, and the rows that it makes of the answer."""
    frame = io.BytesIO()
    Image.open(io.BytesIO(picture)).resize((320, 320)).save(frame, format="JPEG")
    response = requests.post(
        f"{url}/v1/vision/detection",
        data={"api_key": key},
        files={"image": frame.getvalue()},
        timeout=30,
    )
    rows = []
    for found in response.json()["predictions"]:
        if found["confidence"] < FRIGATE_LEAST or found["label"] not in FRIGATE_LABELS:
            break
        box = [found[edge] / 320 for edge in ("y_min", "x_min", "y_max", "x_max")]
        rows.append([FRIGATE_LABELS[found["label"]], found["confidence"], *box])
    if len(rows) > FRIGATE_ROWS:
        raise IndexError("Frigate has no room for so many")
    return rows


url, token, key = sys.argv[1:]
address = urlsplit(url)
snapshot = requests.get(
    f"{url}/cameras/default/snapshot.jpg", headers={"Authorization": f"Bearer {token}"}
)
snapshot.raise_for_status()
photo = snapshot.content
reference = ours(url, token, photo)
print(
    json.dumps(
        {
            "ours": reference,
            "codeproject": code_project(address, photo),
            "codeproject_custom": code_project(address, photo, custom_model=reference["model"]),
            "deepstack": deep_stack(address, photo, key),
            "home_assistant": home_assistant(url, photo, key),
            "frigate": frigate(url, photo, key),
        }
    )
)
