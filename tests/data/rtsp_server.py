"""An RTSP camera for tests: python3 rtsp_server.py PORT WIDTH HEIGHT FPS CODEC [USER PASSWORD]

Serves rtsp://127.0.0.1:PORT/live and prints `ready` when it listens.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer

ENCODERS = {
    "jpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26",
    "h264": "openh264enc gop-size=10 ! rtph264pay name=pay0 pt=96 config-interval=-1",
    # A key frame each minute at 5 fps, the parameter sets each second; with AVPF a client may ask for one.
    "h264-long": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=300 ! h264parse "
    "! rtph264pay name=pay0 pt=96 config-interval=1",
    "h264-asked": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=300 ! h264parse "
    "! rtph264pay pt=96 config-interval=1 "
    "! capssetter name=pay0 caps=application/x-rtp,rtcp-fb-nack-pli=(boolean)true",
    "h264-lossy": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! h264parse "
    "! rtph264pay mtu=200 pt=96 config-interval=1 ! identity name=pay0 drop-probability=0.1",
    "h265": "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph265pay name=pay0 pt=96 config-interval=-1",
}


def main(port, width, height, fps, codec, user=None, password=None):
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    caps = f"video/x-raw,format=I420,width={width},height={height},framerate={fps}/1"
    factory.set_launch(f"( videotestsrc is-live=true pattern=ball ! {caps} ! {ENCODERS[codec]} )")
    factory.set_shared(True)
    if codec == "h264-asked":
        factory.set_profiles(GstRtsp.RTSPProfile.AVPF)
    if user:
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        for permission in ("media.factory.access", "media.factory.construct"):
            permissions.add_permission_for_role("viewer", permission, True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/live", factory)
    if server.attach(None) == 0:
        sys.exit(f"cannot listen on port {port}")
    print("ready", flush=True)
    GLib.MainLoop().run()


main(*sys.argv[1:])
