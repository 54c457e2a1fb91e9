//! The daemon as a service: its configuration, cameras, groups, clock and address.

use super::{
    facts::{Connection, Facts, ListenerFact},
    report::Finding,
};

pub(super) fn config(facts: &Facts) -> Vec<Finding> {
    match &facts.config {
        Ok(files) if files.is_empty() => vec![Finding::good("config", "no file: the defaults hold")],
        Ok(files) => {
            let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
            vec![Finding::good("config", format!("valid: {}", files.join(", ")))]
        }
        Err(mistakes) => mistakes
            .iter()
            .map(|mistake| Finding::error("config", mistake.clone(), "put it right; sightd check tells when it is"))
            .collect(),
    }
}

pub(super) fn cameras(facts: &Facts) -> Vec<Finding> {
    facts
        .cameras
        .iter()
        .map(|camera| match &camera.missing {
            Some(missing) => Finding::error(
                "camera",
                format!("{}: {missing}", camera.name),
                "plug it in, or correct its source: sightd doctor cameras lists what is there; a CSI ribbon's contacts \
                 face the heat sink, and the board must be off while it is put in",
            ),
            None => Finding::good("camera", format!("{}: {}", camera.name, camera.source)),
        })
        .collect()
}

/// CSI cameras speak through nvargus-daemon's socket.
pub(super) fn camera_daemon(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "camera daemon";
    if facts.board.l4t.is_none() || !facts.cameras.iter().any(|camera| camera.connection == Connection::Csi) {
        return Vec::new();
    }
    vec![if facts.tree.at("tmp/argus_socket").exists() {
        Finding::good(CHECK, "nvargus-daemon has its socket")
    } else {
        Finding::error(
            CHECK,
            "/tmp/argus_socket is missing: nvargus-daemon does not run, so no CSI camera works",
            "sudo systemctl restart nvargus-daemon, then sudo systemctl restart sightd",
        )
    }]
}

/// Device nodes of cameras and GPU belong to the group `video`.
pub(super) fn groups(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "groups";
    let accounts = facts.tree.text("etc/passwd").unwrap_or_default();
    if !accounts.lines().any(|line| line.starts_with("sightd:")) {
        return Vec::new(); // not installed as a service
    }
    let groups = facts.tree.text("etc/group").unwrap_or_default();
    let video = groups.lines().find(|line| line.starts_with("video:"));
    let member =
        video.and_then(|line| line.rsplit(':').next()).is_some_and(|list| list.split(',').any(|name| name == "sightd"));
    vec![if member {
        Finding::good(CHECK, "the user sightd is in the group video")
    } else {
        Finding::error(
            CHECK,
            "the user sightd is not in the group video: cameras and GPU are closed to it",
            "sudo adduser sightd video, then sudo systemctl restart sightd",
        )
    }]
}

/// A display forwarded over ssh keeps CSI cameras from starting.
pub(super) fn display(facts: &Facts) -> Vec<Finding> {
    let forwarded = facts.display.as_deref().filter(|display| !display.is_empty() && !display.starts_with(':'));
    let Some(display) = forwarded.filter(|_| facts.board.l4t.is_some()) else { return Vec::new() };
    vec![Finding::warning(
        "display",
        format!("DISPLAY={display} is a forwarded display: CSI cameras do not start with it"),
        "unset DISPLAY before you run sightd by hand (the service does so by itself)",
    )]
}

pub(super) fn time(facts: &Facts) -> Vec<Finding> {
    match facts.clock_synchronised {
        Some(true) => vec![Finding::good("clock", "synchronised")],
        Some(false) => vec![Finding::warning(
            "clock",
            "not synchronised: the board has no battery clock, so times of detections may be wrong by days",
            "sudo timedatectl set-ntp true, and let UDP port 123 through",
        )],
        None => Vec::new(),
    }
}

pub(super) fn listener(facts: &Facts) -> Vec<Finding> {
    match &facts.listener {
        ListenerFact::Free(address) => vec![Finding::good("port", format!("{address} is free"))],
        ListenerFact::Ours(address) => vec![Finding::good("port", format!("a running sightd has {address}"))],
        ListenerFact::Refused(address, why) => vec![Finding::error(
            "port",
            format!("{address} cannot be used: {why}"),
            "sudo ss -ltnp shows which program has it; stop that, or set http.listen to another address",
        )],
        ListenerFact::Unknown => Vec::new(),
    }
}
