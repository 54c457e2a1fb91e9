//! Sources: cameras, files and test pictures through GStreamer; the only room that knows it.
