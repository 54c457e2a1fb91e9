//! The application: builds every part from the configuration, spawns, waits, stops in order.
