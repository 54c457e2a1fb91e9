//! What network cameras need beyond the text of their pipeline: the real address, user and password, which are in
//! no text that is shown, and a call when they answer.

use super::{
    config::Config,
    error::{Fault, SourceError},
    gst::named,
    uri::{NetworkAddress, SourceUri},
};
use gstreamer::{self as gst, prelude::*};
use std::{
    fs, io,
    net::{TcpStream, ToSocketAddrs},
    path::Path,
    time::Duration,
};

/// How many addresses of a name are tried.
const MAX_ADDRESSES: usize = 2;

/// Gives the source its secrets, and calls `contact` when the camera has answered. Does nothing for other sources.
pub(super) fn prepare(
    pipeline: &gst::Pipeline,
    config: &Config,
    contact: impl Fn() + Send + Sync + 'static,
) -> Result<(), Fault> {
    let (SourceUri::Rtsp(address) | SourceUri::Http(address)) = &config.uri else { return Ok(()) };
    let source = named::<gst::Element>(pipeline, "source")?;
    let (user, password) = credentials(config, address)?;
    source.set_property("location", address.location());
    source.set_property("user-id", user);
    source.set_property("user-pw", password);
    match source.static_pad("src") {
        // HTTP: the first bytes of the body.
        Some(pad) => {
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                contact();
                gst::PadProbeReturn::Remove
            });
        }
        // RTSP: pads appear when the camera has described its streams and set them up.
        None => {
            source.connect_pad_added(move |_, _| contact());
            // Sound is not even asked for.
            source.connect("select-stream", false, |values| {
                let caps = values.get(2).and_then(|caps| caps.get::<gst::Caps>().ok());
                let media = caps.as_ref().and_then(|caps| caps.structure(0)?.get::<&str>("media").ok());
                Some((media != Some("audio")).to_value())
            });
        }
    }
    Ok(())
}

/// How long a camera may take to accept a connection that is made only to find out why another one failed.
const REACH: Duration = Duration::from_secs(3);

/// Why no connection to `address` can be made, and what to do about it, in words; none where one can be made. GStreamer
/// says the same of every such fault. Takes as long as the look-up of the name, and up to 3 s for each of its addresses.
pub(super) fn why_unreachable(address: &NetworkAddress) -> Option<String> {
    let (host, port) = address.host_and_port();
    let shown = format!("{host}:{port}");
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<_> = match (name, port).to_socket_addrs() {
        Ok(addresses) => addresses.take(MAX_ADDRESSES).collect(),
        Err(_) => {
            return Some(format!("the host {host} is unknown; check its name in the address and this machine's DNS"));
        }
    };
    let mut last = None;
    for address in addresses {
        match TcpStream::connect_timeout(&address, REACH) {
            Ok(_) => return None,
            Err(error) => last = Some(error),
        }
    }
    Some(match last?.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("{shown} refuses the connection; check the port, and that the camera's stream is switched on")
        }
        kind => format!("{shown} cannot be reached ({kind}); check the camera's power, its cable and the address"),
    })
}

/// User and password: those of the URI, else those of the configuration.
fn credentials(config: &Config, address: &NetworkAddress) -> Result<(Option<String>, Option<String>), SourceError> {
    let options = &config.network;
    let user = address.user().or_else(|| options.user.clone());
    let mut password = address.password().or_else(|| options.password.as_ref().map(|secret| secret.reveal().into()));
    if let (None, Some(path)) = (&password, &options.password_file) {
        password = Some(password_in(path)?);
    }
    Ok((user, password))
}

/// The first line of the file.
pub(super) fn password_in(path: &Path) -> Result<String, SourceError> {
    let text = fs::read_to_string(path).map_err(|error| SourceError::Unreadable { path: path.into(), error })?;
    match text.lines().next() {
        Some(password) if !password.is_empty() => Ok(password.into()),
        _ => {
            Err(SourceError::Unfit { path: path.into(), problem: "the first line is empty; write the password there" })
        }
    }
}
