#!/usr/bin/env bash
# Makes the images of the Docker tests; see README.md. Usage: scripts/images/build.sh [NAME...]
# It may be run again at any time: what is current is left as it is.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/nself-images"
suite="${DEBIAN_SUITE:-bookworm}"
packages="postgresql redis-server python3-venv libstdc++6"
# One archive and one image for each list of packages.
version="$suite-$(printf '%s' "$packages" | sha256sum | cut -c1-8)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir -p "$cache"

# mirror is DEBIAN_MIRROR, else the one that this machine's apt uses, else empty, which is debootstrap's own.
mirror() {
  local found="${DEBIAN_MIRROR:-}"
  if [ -z "$found" ]; then
    found="$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null |
      sed -nE 's/^URIs: *([^ ]*debian[^ ]*).*/\1/p; s/^deb (\[[^]]*\] *)?([^ ]*debian[^ ]*).*/\2/p' | head -n 1 || true)"
  fi
  echo "$found"
}

# debian writes a root file system with Debian's packages into the cache, unless it is there.
debian() {
  local tar="$cache/debian-$version.tar" root="$work/root"
  [ -s "$tar" ] && return
  if [ "$(id -u)" != 0 ]; then # debootstrap makes device files and changes its root
    sudo env PATH="$PATH" XDG_CACHE_HOME="$(dirname "$cache")" DEBIAN_SUITE="$suite" DEBIAN_MIRROR="$(mirror)" "$0" --debian
    return
  fi
  local from; from="$(mirror)"
  echo "debootstrap $suite ${from:+from $from}" >&2
  debootstrap --variant=minbase --include=ca-certificates,curl "$suite" "$root" ${from:+"$from"} >"$work/log" ||
    { tail -n 20 "$work/log" >&2; return 1; }
  # No server is started by its package, and no cluster made. Nothing is flushed for a machine that may lose its power,
  # and nothing is unpacked that no program reads.
  mkdir -p "$root/etc/postgresql-common"
  echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
  printf '%s\n' force-unsafe-io path-exclude=/usr/share/{doc,man,locale,info}/'*' >"$root/etc/dpkg/dpkg.cfg.d/lean"
  DEBIAN_FRONTEND=noninteractive chroot "$root" sh -c \
    "apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages" >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; return 1; }
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale,info}/*
  # A network whose proxy has an authority of its own: the machine trusts it, so what runs in the images does.
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  tar -C "$root" -cf "$tar.$$" . && mv "$tar.$$" "$tar"
  rm -rf "$root"
}

base() {
  docker image inspect "nself-test/base:$version" >/dev/null 2>&1 || {
    debian
    docker import "$cache/debian-$version.tar" "nself-test/base:$version" >/dev/null
  }
  docker tag "nself-test/base:$version" nself-test/base
}

postgres() {
  cp "$here/postgres-entrypoint.sh" "$work/postgres/"
  cat >"$work/postgres/Dockerfile" <<'DOCKERFILE'
FROM nself-test/base
COPY postgres-entrypoint.sh /usr/local/bin/
RUN ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ && mkdir -p /var/lib/postgresql/data && chown postgres /var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["/usr/local/bin/postgres-entrypoint.sh"]
DOCKERFILE
  chmod 755 "$work/postgres/postgres-entrypoint.sh"
}

redis() {
  cat >"$work/redis/Dockerfile" <<'DOCKERFILE'
FROM nself-test/base
RUN mkdir -p /data && chown redis:redis /data
VOLUME /data
WORKDIR /data
CMD ["redis-server"]
DOCKERFILE
}

golang() {
  mkdir "$work/golang/go"
  tar -C "$(go env GOROOT)" --exclude='*_test.go' --exclude=testdata -cf - bin lib pkg src VERSION go.env | tar -C "$work/golang/go" -xf -
  cat >"$work/golang/Dockerfile" <<'DOCKERFILE'
FROM nself-test/base
COPY go /usr/local/go
ENV PATH=/usr/local/go/bin:$PATH GOTOOLCHAIN=local GOPATH=/go
WORKDIR /go
DOCKERFILE
}

node() {
  cp -L "$(node_path)" "$work/node/node"
  cp -a "$(npm root -g)/npm" "$work/node/npm"
  cat >"$work/node/Dockerfile" <<'DOCKERFILE'
FROM nself-test/base
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx && npm --version
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
DOCKERFILE
}

# node_path is the program itself, where the one on the PATH only calls it.
node_path() { command node -p process.execPath; }

python() {
  cat >"$work/python/Dockerfile" <<'DOCKERFILE'
FROM nself-test/base
RUN ln -s /usr/bin/python3 /usr/local/bin/python
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt
DOCKERFILE
}

gateway() {
  wait "$compiler" || { cat "$work/compile.log" >&2; return 1; }
  mv "$work/nself" "$work/gateway/nself"
  cat >"$work/gateway/Dockerfile" <<'DOCKERFILE'
FROM nself-test/base
RUN groupadd -g 1001 hasura && useradd -u 1001 -g 1001 hasura
COPY nself /usr/local/bin/nself
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/nself", "gateway"]
DOCKERFILE
}

# build makes one image of its folder with the classic builder, which every engine has.
build() {
  mkdir -p "$work/$1"
  "$1"
  DOCKER_BUILDKIT=0 docker build -q -t "nself-test/$1" "$work/$1" >/dev/null 2>"$work/log" || { cat "$work/log" >&2; return 1; }
  rm -rf "${work:?}/$1"
  echo "nself-test/$1"
}

if [ "${1:-}" = --debian ]; then debian; exit; fi
docker version --format 'engine {{.Server.Version}}' >&2
if [ $# = 0 ]; then set -- postgres redis golang node python gateway; fi
case " $* " in *" gateway "*) # compiled while Debian's packages come
  (cd "$root" && CGO_ENABLED=0 go build -o "$work/nself" ./cmd/nself) >"$work/compile.log" 2>&1 &
  compiler=$!
  ;;
esac
base
for name in "$@"; do build "$name"; done
