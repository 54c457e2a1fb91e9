//! Configuration: every stage's own, read from files, environment and flags; all mistakes are reported at once.
