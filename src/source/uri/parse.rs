//! From text to [`SourceUri`], or what is wrong with the text.

use super::{
    address::NetworkAddress,
    coding::{decoded, encoded},
    kinds::{AtEnd, Pace, SourceUri, TEST_PATTERNS, UsbDevice},
};
use std::{
    path::{Path, PathBuf},
    str::FromStr,
};
use url::Url;

/// Why a text is not a source.
#[derive(Debug, thiserror::Error)]
#[error("{shown:?} is not a source: {problem}")]
pub struct BadUri {
    shown: String,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(
        "it does not begin with one of csi://, usb://, rtsp://, rtsps://, http://, https://, file:///, images:///, \
         test://, gst://, and is not `auto`"
    )]
    Scheme,
    #[error("it has no scheme; write {0}")]
    Bare(String),
    #[error("{0}")]
    Url(url::ParseError),
    #[error("a host is missing after ://")]
    NoHost,
    #[error("write the absolute path after three slashes, as in {0}:///home/me/street.mp4")]
    NoPath(&'static str),
    #[error("'#' cuts the path off; write it as %23")]
    Fragment,
    #[error("the CSI port is a number from 0 to 9, as in csi://0")]
    Sensor,
    #[error("a device or name is missing, as in usb:///dev/video0 or usb://C920")]
    NoDevice,
    #[error("there is no test pattern of this name; the patterns are {}", TEST_PATTERNS.join(", "))]
    Pattern,
    #[error("the option {0:?} is unknown here; {1}")]
    Option(String, &'static str),
    #[error("the speed {0:?} is neither a number above 0 and up to 100 nor `max`")]
    Speed(String),
    #[error("the pipeline is empty; write elements that give raw video, as in gst://videotestsrc")]
    NoElements,
}

impl FromStr for SourceUri {
    type Err = BadUri;

    fn from_str(text: &str) -> Result<Self, BadUri> {
        parse(text.trim()).map_err(|problem| BadUri { shown: without_secrets(text), problem })
    }
}

impl TryFrom<String> for SourceUri {
    type Error = BadUri;

    fn try_from(text: String) -> Result<Self, BadUri> {
        text.parse()
    }
}

fn parse(text: &str) -> Result<SourceUri, Problem> {
    if text == "auto" {
        return Ok(SourceUri::Auto);
    }
    if let Some(elements) = text.strip_prefix("gst://") {
        let elements = elements.trim();
        return if elements.is_empty() {
            Err(Problem::NoElements)
        } else {
            Ok(SourceUri::Gst { elements: elements.into() })
        };
    }
    let Some((scheme, _)) = text.split_once("://") else { return Err(bare(text)) };
    let parsed = || Url::parse(text).map_err(Problem::Url);
    match scheme {
        "csi" => csi(&parsed()?),
        "usb" => usb(&parsed()?),
        "rtsp" | "rtsps" => network(parsed()?).map(SourceUri::Rtsp),
        "http" | "https" => network(parsed()?).map(SourceUri::Http),
        "file" => file(&parsed()?),
        "images" => images(&parsed()?),
        "test" => test(&parsed()?),
        _ => Err(Problem::Scheme),
    }
}

/// The problem of a text without a scheme: how it is written, where it looks like a device or a file.
fn bare(text: &str) -> Problem {
    let path = Path::new(text);
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let is = |scheme: &str| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
        Problem::Bare(format!("{scheme}://{}", encoded(&path)))
    };
    match extension.as_deref() {
        _ if text.starts_with("/dev/") => Problem::Bare(format!("usb://{}", encoded(path))),
        Some("jpg" | "jpeg" | "png" | "webp" | "bmp") => is("images"),
        Some("mp4" | "m4v" | "mov" | "mkv" | "avi" | "webm" | "ts" | "mts" | "mpg" | "mpeg" | "gif" | "mjpeg") => {
            is("file")
        }
        _ if path.is_dir() && !text.is_empty() => is("images"),
        _ if path.is_file() => is("file"),
        _ => Problem::Scheme,
    }
}

fn network(url: Url) -> Result<NetworkAddress, Problem> {
    NetworkAddress::new(url).ok_or(Problem::NoHost)
}

fn csi(url: &Url) -> Result<SourceUri, Problem> {
    match url.host_str().unwrap_or("").parse() {
        Ok(sensor @ 0..=9) if matches!(url.path(), "" | "/") && url.query().is_none() => Ok(SourceUri::Csi { sensor }),
        _ => Err(Problem::Sensor),
    }
}

fn usb(url: &Url) -> Result<SourceUri, Problem> {
    let name = decoded(url.host_str().unwrap_or(""));
    let path = decoded(url.path());
    match (name.is_empty(), path.trim_matches('/').is_empty()) {
        (true, false) => Ok(SourceUri::Usb(UsbDevice::Path(path.into()))),
        (false, true) => Ok(SourceUri::Usb(UsbDevice::Name(name))),
        _ => Err(Problem::NoDevice),
    }
}

fn file(url: &Url) -> Result<SourceUri, Problem> {
    let path = local_path(url, "file")?;
    let (mut end, mut pace) = (AtEnd::Stop, Pace::NORMAL);
    for (key, value) in url.query_pairs() {
        match (&*key, &*value) {
            ("loop", "") => end = AtEnd::Loop,
            ("speed", "max") => pace = Pace::Unlimited,
            ("speed", number) => {
                let speed: f64 = number.parse().map_err(|_| Problem::Speed(number.into()))?;
                if !(speed > 0.0 && speed <= 100.0) {
                    return Err(Problem::Speed(number.into()));
                }
                pace = Pace::Times(speed);
            }
            (key, _) => return Err(Problem::Option(key.into(), "a file takes ?loop and ?speed=N")),
        }
    }
    Ok(SourceUri::File { path, end, pace })
}

fn images(url: &Url) -> Result<SourceUri, Problem> {
    let path = local_path(url, "images")?;
    let mut end = AtEnd::Stop;
    for (key, value) in url.query_pairs() {
        match (&*key, &*value) {
            ("loop", "") => end = AtEnd::Loop,
            (key, _) => return Err(Problem::Option(key.into(), "images take ?loop")),
        }
    }
    Ok(SourceUri::Images { path, end })
}

fn local_path(url: &Url, scheme: &'static str) -> Result<PathBuf, Problem> {
    if url.fragment().is_some() {
        return Err(Problem::Fragment);
    }
    let path = decoded(url.path());
    if url.host_str().is_some_and(|host| !host.is_empty()) || !path.starts_with('/') || path == "/" {
        return Err(Problem::NoPath(scheme));
    }
    Ok(path.into())
}

fn test(url: &Url) -> Result<SourceUri, Problem> {
    let pattern = url.host_str().unwrap_or("");
    if !TEST_PATTERNS.contains(&pattern) || !matches!(url.path(), "" | "/") {
        return Err(Problem::Pattern);
    }
    Ok(SourceUri::Test { pattern: pattern.into() })
}

/// `text` with what stands between `//` and `@`, and all values of its query, hidden; for texts that are no URI.
fn without_secrets(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    if scheme == "gst" || scheme.is_empty() {
        return text.into();
    }
    let (address, query) = rest.split_once('?').map_or((rest, None), |(address, query)| (address, Some(query)));
    let address = address.rsplit_once('@').map_or_else(|| address.into(), |(_, host)| format!("***@{host}"));
    let network = !matches!(scheme, "file" | "images" | "test" | "csi" | "usb");
    match query {
        Some(_) if network => format!("{scheme}://{address}?***"),
        Some(query) => format!("{scheme}://{address}?{query}"),
        None => format!("{scheme}://{address}"),
    }
}
