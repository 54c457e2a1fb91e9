//! The inference loop: one short function in which a frame becomes a scene.
