//! Where pictures come from, as the user writes it: `csi://0`, `file:///street.mp4?loop`, ...

use super::counter;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};
use url::Url;

/// A source of pictures. Parsed from a URI; shown without passwords, by `Debug` too.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub enum SourceUri {
    /// `auto`: the first CSI camera, else the first USB camera, else test pictures.
    Auto,
    /// `csi://N`: the camera at CSI port `N` of a Jetson.
    Csi {
        /// The sensor's number, from 0.
        sensor: u8,
    },
    /// `usb:///dev/v4l/by-id/...` or `usb://NAME`: a V4L2 camera.
    Usb(UsbDevice),
    /// `rtsp://` or `rtsps://`: a network camera.
    Rtsp(NetworkAddress),
    /// `http://` or `https://`: a network camera that sends MJPEG (`multipart/x-mixed-replace`).
    Http(NetworkAddress),
    /// `file:///PATH[?loop][&speed=N|max]`: a video file, played at its own pace, as if it were a camera.
    File {
        /// The file.
        path: PathBuf,
        /// What happens at the end.
        end: AtEnd,
        /// How fast it plays.
        pace: Pace,
    },
    /// `images:///PATH[?loop]`: one picture, or all JPEG and PNG pictures of a folder by name.
    Images {
        /// The picture or the folder.
        path: PathBuf,
        /// What happens after the last picture.
        end: AtEnd,
    },
    /// `test://PATTERN`: GStreamer's test pictures, and `counter`, whose pictures show the number of their frame.
    Test {
        /// One of [`TEST_PATTERNS`].
        pattern: String,
    },
    /// `gst://ELEMENTS`: the front of a GStreamer pipeline of the user's own, which must give raw video.
    Gst {
        /// In `gst-launch-1.0`'s notation.
        elements: String,
    },
}

/// How a USB camera is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsbDevice {
    /// By its device file.
    Path(PathBuf),
    /// By a part of the name that the driver or `/dev/v4l/by-id` gives it.
    Name(String),
}

/// What a file does at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// Begin again.
    Loop,
    /// Stop.
    Stop,
}

/// How fast a file plays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// This many times its own pace; finite and above 0.
    Times(f64),
    /// As fast as the frames are taken: none is dropped.
    Unlimited,
}

impl Pace {
    /// The file's own pace.
    pub const NORMAL: Self = Self::Times(1.0);
}

/// The patterns of `test://`.
pub const TEST_PATTERNS: &[&str] = &[
    "smpte",
    "smpte75",
    "smpte100",
    "ball",
    "bar",
    "black",
    "white",
    "red",
    "green",
    "blue",
    "snow",
    "gamut",
    "checkers-8",
    "circular",
    "pinwheel",
    "spokes",
    "gradient",
    "colors",
    counter::NAME,
];

/// A network camera's address, with its password kept out of sight.
#[derive(Clone, PartialEq, Eq)]
pub struct NetworkAddress(Url);

impl NetworkAddress {
    /// The address without user and password: what is asked for, and what may be logged apart from its query.
    pub fn location(&self) -> String {
        let mut url = self.0.clone();
        // Neither can fail: only addresses with a host are let in.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.to_string()
    }

    /// The user in the address.
    pub fn user(&self) -> Option<String> {
        let user = self.0.username();
        (!user.is_empty()).then(|| decoded(user))
    }

    /// The password in the address.
    pub fn password(&self) -> Option<String> {
        self.0.password().map(decoded)
    }

    fn parse(url: &Url) -> Result<Self, Problem> {
        if url.host_str().is_none_or(str::is_empty) {
            return Err(Problem::NoHost);
        }
        Ok(Self(url.clone()))
    }
}

impl fmt::Display for NetworkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.0.clone();
        if url.password().is_some() {
            let _ = url.set_password(Some("***"));
        }
        // Many HTTP cameras take the password as a parameter; which one differs, so every value is hidden.
        if url.query().is_some() {
            let keys: Vec<String> = url.query_pairs().map(|(key, _)| key.into_owned()).collect();
            url.set_query(Some(&keys.iter().map(|key| format!("{key}=***")).collect::<Vec<_>>().join("&")));
        }
        f.write_str(url.as_str())
    }
}

impl fmt::Debug for NetworkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl SourceUri {
    /// The URI of the video file at `path`, which may be relative.
    pub fn file(path: &Path, end: AtEnd) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        Self::File { path, end, pace: Pace::NORMAL }
    }

    /// Whether pictures come by themselves and can not be asked for again: a camera, not a file.
    pub fn is_live(&self) -> bool {
        !matches!(self, Self::File { .. } | Self::Images { .. })
    }
}

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
    let (scheme, _) = text.split_once("://").ok_or(Problem::Scheme)?;
    let parsed = || Url::parse(text).map_err(Problem::Url);
    match scheme {
        "csi" => csi(&parsed()?),
        "usb" => usb(&parsed()?),
        "rtsp" | "rtsps" => NetworkAddress::parse(&parsed()?).map(SourceUri::Rtsp),
        "http" | "https" => NetworkAddress::parse(&parsed()?).map(SourceUri::Http),
        "file" => file(&parsed()?),
        "images" => images(&parsed()?),
        "test" => test(&parsed()?),
        _ => Err(Problem::Scheme),
    }
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

/// Percent-encoded text as it was meant.
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A path as a URI's path: what would end it or be decoded is encoded.
pub(super) fn encoded(path: &Path) -> String {
    use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
    const IN_PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#').add(b'"').add(b'\\');
    utf8_percent_encode(&path.to_string_lossy(), IN_PATH).to_string()
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

impl fmt::Display for SourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Csi { sensor } => write!(f, "csi://{sensor}"),
            Self::Usb(UsbDevice::Path(path)) => write!(f, "usb://{}", encoded(path)),
            Self::Usb(UsbDevice::Name(name)) => write!(f, "usb://{}", encoded(Path::new(name))),
            Self::Rtsp(address) | Self::Http(address) => address.fmt(f),
            Self::File { path, end, pace } => {
                let options = match (end, pace) {
                    (AtEnd::Stop, Pace::Times(1.0)) => String::new(),
                    (AtEnd::Loop, Pace::Times(1.0)) => "?loop".into(),
                    (AtEnd::Stop, Pace::Times(speed)) => format!("?speed={speed}"),
                    (AtEnd::Loop, Pace::Times(speed)) => format!("?loop&speed={speed}"),
                    (AtEnd::Stop, Pace::Unlimited) => "?speed=max".into(),
                    (AtEnd::Loop, Pace::Unlimited) => "?loop&speed=max".into(),
                };
                write!(f, "file://{}{options}", encoded(path))
            }
            Self::Images { path, end } => {
                write!(f, "images://{}{}", encoded(path), if *end == AtEnd::Loop { "?loop" } else { "" })
            }
            Self::Test { pattern } => write!(f, "test://{pattern}"),
            Self::Gst { elements } => write!(f, "gst://{elements}"),
        }
    }
}

impl fmt::Debug for SourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for SourceUri {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_read_and_write_themselves() {
        for text in [
            "auto",
            "csi://0",
            "usb:///dev/v4l/by-id/usb-046d_C920-video-index0",
            "usb://C920",
            "rtsp://camera.local:554/stream1",
            "https://camera.local/video.mjpg",
            "file:///a%20b/street.mp4",
            "file:///street.mp4?loop",
            "file:///street.mp4?loop&speed=4",
            "file:///street.mp4?speed=max",
            "file:///100%25%23.mp4",
            "images:///pictures?loop",
            "images:///pictures/one.jpg",
            "test://smpte",
            "gst://videotestsrc ! video/x-raw,width=320,height=240",
        ] {
            assert_eq!(text.parse::<SourceUri>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_path_is_what_the_user_meant() {
        let SourceUri::File { path, .. } = "file:///a b/ü%20%3F.mp4".parse().unwrap() else { panic!("no file") };
        assert_eq!(path, Path::new("/a b/ü ?.mp4"));
    }

    #[test]
    fn passwords_are_never_shown() {
        let uri: SourceUri = "rtsp://admin:s%40cret@10.0.0.9/live?channel=1&pwd=s%40cret".parse().unwrap();
        assert_eq!(uri.to_string(), "rtsp://admin:***@10.0.0.9/live?channel=***&pwd=***");
        assert_eq!(format!("{uri:?}"), uri.to_string());
        assert_eq!(serde_json::to_value(&uri).unwrap(), uri.to_string());
        let SourceUri::Rtsp(address) = uri else { panic!("no RTSP") };
        assert_eq!(address.password().as_deref(), Some("s@cret"));
        assert_eq!(address.user().as_deref(), Some("admin"));
        assert_eq!(address.location(), "rtsp://10.0.0.9/live?channel=1&pwd=s%40cret");
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("", "csi://"),
            ("street.mp4", "file:///"),
            ("ftp://x/y", "rtsp://"),
            ("csi://front", "csi://0"),
            ("csi://12", "0 to 9"),
            ("usb://", "usb:///dev/video0"),
            ("rtsp://", "host"),
            ("file://street.mp4", "three slashes"),
            ("file:///a.mp4?repeat", "?loop"),
            ("file:///a.mp4?speed=0", "above 0"),
            ("file:///a.mp4?speed=NaN", "above 0"),
            ("file:///a#1.mp4", "%23"),
            ("test://smtpe", "smpte75"),
            ("gst://  ", "videotestsrc"),
            ("rtsp://admin:s3cret@host:port/x", "port"),
            ("ftp://admin:s3cret@host/x?pwd=s3cret", "rtsp"),
        ] {
            let error = text.parse::<SourceUri>().unwrap_err().to_string();
            assert!(error.contains(part), "{text:?} gave {error:?}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
