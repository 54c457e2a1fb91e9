//! HTTP: the API, the live view and the dashboard.
