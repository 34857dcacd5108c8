#!/usr/bin/python3
"""An RTSP camera for trials and tests: plays one clip (H.264 or H.265) in an endless loop.

The server is GStreamer's gst-rtsp-server; ffmpeg reads the clip at its own speed and gives it timestamps that go on
across the loop. Users sign in with Digest authentication. When the server listens, it prints one line of JSON on
stdout: {"port": 8554}. It ends on SIGTERM and SIGINT, and with the process that started it.

Needs python3-gi, gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-base, -good and -bad, and ffmpeg.
"""

import argparse
import ctypes
import json
import signal
import subprocess
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstBase", "1.0")  # without it fdsrc has no set_live
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstBase, GstRtsp, GstRtspServer  # noqa: E402, F401

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def read_arguments():
    parser = argparse.ArgumentParser(description="Plays a clip in a loop as an RTSP camera.")
    parser.add_argument("--address", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="TCP port; 0 takes a free one (default)")
    parser.add_argument("--path", default="/cam", help="path of the stream (default: %(default)s)")
    parser.add_argument("--credentials-file", required=True, help="file with one line user:password")
    parser.add_argument("clip", help="video file to play")
    return parser.parse_args()


def codec_of(clip):
    """Name of the clip's video codec, as GStreamer's elements call it."""
    probe = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=codec_name", "-of", "csv=p=0"]
    name = subprocess.run([*probe, clip], stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
    codecs = {"h264": "h264", "hevc": "h265"}
    if name not in codecs:
        sys.exit(f"rtsp-camera: {clip} is {name or 'no video'}, not H.264 or H.265")
    return codecs[name]


class Player:
    """The ffmpeg processes that read the clip, one for each time that the stream is prepared."""

    def __init__(self, clip):
        self.clip = clip
        self.running = set()

    def start(self, _factory, media):
        command = ["ffmpeg", "-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", self.clip]
        command += ["-map", "0:v:0", "-c", "copy", "-f", "matroska", "-"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=die_with_parent)
        self.running.add(process)
        source = media.get_element().get_by_name("clip")
        source.set_live(True)  # else the server waits for the whole clip before it answers PLAY
        source.set_property("fd", process.stdout.fileno())
        media.connect("unprepared", lambda _media: self.stop(process))

    def stop(self, process):
        process.kill()
        process.wait()
        process.stdout.close()
        self.running.discard(process)

    def stop_all(self):
        for process in list(self.running):
            self.stop(process)


def serve(arguments, player):
    codec = codec_of(arguments.clip)
    with open(arguments.credentials_file, encoding="utf-8") as file:
        user, _, password = file.readline().rstrip("\n").partition(":")

    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( fdsrc name=clip ! matroskademux ! {codec}parse ! rtp{codec}pay name=pay0 pt=96 config-interval=-1 )"
    )
    factory.set_shared(True)
    factory.connect("media-configure", player.start)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)

    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest(user, password, token)

    server = GstRtspServer.RTSPServer()
    server.set_address(arguments.address)
    server.set_service(str(arguments.port))
    server.set_auth(auth)
    # All in the main thread: ffmpeg would die with the thread that started it.
    server.get_thread_pool().set_max_threads(0)
    server.get_mount_points().add_factory(arguments.path, factory)
    if server.attach(None) == 0:
        sys.exit(f"rtsp-camera: cannot listen on {arguments.address}:{arguments.port}")
    return server


def main():
    die_with_parent()
    arguments = read_arguments()
    Gst.init(None)
    player = Player(arguments.clip)
    server = serve(arguments, player)
    loop = GLib.MainLoop()
    for number in (signal.SIGINT, signal.SIGTERM):
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, loop.quit)
    print(json.dumps({"port": server.get_bound_port()}), flush=True)
    try:
        loop.run()
    finally:
        player.stop_all()


if __name__ == "__main__":
    main()
