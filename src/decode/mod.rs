//! From a network's raw output to detections. Pure: no I/O, no clock.
