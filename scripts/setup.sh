#!/usr/bin/env bash
# Installs what is missing on a bare Debian or Ubuntu machine: system packages by apt, everything else by npm.
# Called by demo.sh and, with --tests, by test.sh: then also what only tests need. Does nothing where everything is there.
# Messages go to stderr.
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
if [ "${1-}" = --tests ]; then
  command -v strace >/dev/null || packages+=(strace)
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || packages+=(postgresql)
  # A TPM in software and the libraries with which systemd-creds reaches it.
  command -v swtpm >/dev/null || packages+=(swtpm libtss2-tcti-swtpm0 libtss2-esys-3.0.2-0 libtss2-rc0 libtss2-mu0)
  command -v systemd-creds >/dev/null || packages+=(systemd)
fi

if [ ${#packages[@]} -gt 0 ]; then
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { say "missing: ${packages[*]}; install them as root, or install sudo"; exit 1; }
    as_root=(sudo)
  fi
  say "installing ${packages[*]}"
  "${as_root[@]}" apt-get update -qq >&2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
  # Debian starts servers of its own on installation; Roadveil's demo and tests bring their own on free ports.
  for server in mosquitto postgresql; do
    case " ${packages[*]} " in
      *" $server "*) command -v systemctl >/dev/null && "${as_root[@]}" systemctl disable --now "$server" >/dev/null 2>&1 || true ;;
    esac
  done
fi

# Node 24 comes with the dependencies; any Node from 18 on can fetch it.
pinned_node=node_modules/.bin/node
# Debian's npm takes the link away again with the package of the other processor, which has a program of the same name.
link_node() {
  for node in node_modules/node-linux-*/bin/node; do
    ln -sf "../${node#node_modules/}" "$pinned_node"
  done
}
npm_ci() { npm ci --no-audit --no-fund --loglevel=error >&2; }

# npm silently leaves out optional packages, such as sharp's program for this processor, that ask for a newer Node than npm
# itself runs on. So npm is run once more, on the Node that it has just fetched; `npm ci` clears the folder, hence the copy.
npm_ci_on_pinned_node() {
  local folder; folder=$(mktemp -d)
  cp -L "$pinned_node" "$folder/node"
  # A distribution's npm finds its modules in the folders that the distribution's Node knows of.
  NODE_NO_WARNINGS=1 NODE_PATH=$(node -p 'require("module").globalPaths.join(":")') PATH="$folder:$PATH" npm_ci || { rm -rf "$folder"; exit 1; }
  rm -rf "$folder"
}

if [ ! -x "$pinned_node" ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say "installing Node packages"
  npm_ci
  link_node
  if ! "$pinned_node" -e 'require("sharp")' 2>/dev/null; then
    npm_ci_on_pinned_node
    link_node
    "$pinned_node" -e 'require("sharp")' || { say "the packages for this machine are incomplete; install Node 20.9 or newer"; exit 1; }
  fi
  touch node_modules/.package-lock.json
fi
