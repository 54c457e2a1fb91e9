#!/usr/bin/env python3
"""reference.py DATA OUT.json: what TensorFlow and its TFLite runtime find with the networks that the importer takes.

Needs tensorflow-cpu, ai-edge-litert and numpy. DATA is the folder of the acceptance data; the picture is
DATA/reference/humans_0.rgb. Recorded with tensorflow-cpu 2.21.0 and ai-edge-litert 2.3.0, TF_ENABLE_ONEDNN_OPTS=0.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

ROOT = Path(__file__).resolve().parents[2]
PEDESTRIAN = ROOT / ".sightd/weights/pedestrian/frozen_inference_graph.pb"
TFLITE = "weights/ssd_mobilenet_v1_075_coco_quant.tflite"


def rounded(values):
    """Enough digits for 32-bit floats."""
    return [float(f"{v:.7g}") for v in values]


def detections(boxes, scores, classes):
    """Boxes are top, left, bottom, right in units of the picture."""
    return [
        {"box": rounded(box), "score": rounded([score])[0], "class": int(number)}
        for box, score, number in zip(boxes, scores, classes)
    ]


def pedestrian(picture):
    """The 100 detections of the frozen graph, which resizes the picture itself."""
    graph_def = tf.compat.v1.GraphDef.FromString(PEDESTRIAN.read_bytes())
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    names = ["detection_boxes:0", "detection_scores:0", "detection_classes:0"]
    with tf.compat.v1.Session(graph=graph) as session:
        boxes, scores, classes = session.run(names, {"image_tensor:0": picture[None]})
    return detections(boxes[0], scores[0], classes[0])


def tflite(path, picture):
    """What the quantised network gives on the 300x300 picture: its detections, and every 32nd anchor's raw outputs."""
    interpreter = Interpreter(str(path), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture[None])
    interpreter.invoke()
    boxes, classes, scores, _ = (interpreter.get_tensor(o["index"])[0] for o in interpreter.get_output_details())
    result = {"detections": detections(boxes, scores, classes)}
    tensors = {t["name"]: t for t in interpreter.get_tensor_details()}
    for ours, theirs in [("raw_boxes", "Squeeze"), ("logits", "concat_1")]:
        scale, zero = tensors[theirs]["quantization"]
        values = interpreter.get_tensor(tensors[theirs]["index"])[0, ::32].reshape(-1)
        result[ours] = {"scale": float(scale), "zero": int(zero), "steps": [int(v) for v in values]}
    return result


def main():
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    height, width = map(int, (data / "reference/humans_0.hw").read_text().split())
    picture = np.frombuffer((data / "reference/humans_0.rgb").read_bytes(), np.uint8).reshape(height, width, 3)
    resized = np.frombuffer((data / "reference/humans_0.tf1.chw.f32").read_bytes(), "<f4").reshape(3, 300, 300)
    small = np.clip(np.round((resized.transpose(1, 2, 0) + 1) * 127.5), 0, 255).astype(np.uint8)
    found = {"pedestrian": pedestrian(picture), "tflite": tflite(data / TFLITE, small)}
    out.write_text(json.dumps(found) + "\n")


main()
