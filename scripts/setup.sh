#!/usr/bin/env bash
# Installs what is missing on a bare Debian or Ubuntu machine: system packages by apt, everything else by npm.
# Called by demo.sh and test.sh; does nothing where everything is there. Messages go to stderr.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "setup: $*" >&2; }

# What the packages are needed for is asked for itself, so that other ways of installing count too.
has_rtsp_server() {
  /usr/bin/python3 - 2>/dev/null <<'EOF'
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
missing = [n for n in ("fdsrc", "matroskademux", "h264parse", "rtph264pay") if Gst.ElementFactory.find(n) is None]
raise SystemExit(1 if missing else 0)
EOF
}

packages=()
command -v ffmpeg >/dev/null || packages+=(ffmpeg)
command -v setpriv >/dev/null && command -v prlimit >/dev/null || packages+=(util-linux)
command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || packages+=(mosquitto)
command -v age >/dev/null || packages+=(age)
has_rtsp_server || packages+=(python3 python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad)

if [ ${#packages[@]} -gt 0 ]; then
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { say "missing: ${packages[*]}; install them as root, or install sudo"; exit 1; }
    as_root=(sudo)
  fi
  say "installing ${packages[*]}"
  "${as_root[@]}" apt-get update -qq >&2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
  # Debian starts a broker of its own on installation; Roadveil's demo and tests bring their own on a free port.
  case " ${packages[*]} " in
    *" mosquitto "*) command -v systemctl >/dev/null && "${as_root[@]}" systemctl disable --now mosquitto >/dev/null 2>&1 || true ;;
  esac
fi

# Node 24 comes with the dependencies; any Node from 18 on can run this one npm command.
if [ ! -x node_modules/.bin/node ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say "installing Node packages"
  npm ci --no-audit --no-fund --loglevel=error >&2
  # Debian's npm takes the link away again with the package of the other processor, which has a program of the same name.
  for node in node_modules/node-linux-*/bin/node; do
    ln -sf "../${node#node_modules/}" node_modules/.bin/node
  done
  touch node_modules/.package-lock.json
fi
