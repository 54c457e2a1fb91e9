//! Fills the input tensor from a frame's pixels. Pure: no I/O, no clock.
