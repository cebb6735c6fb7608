#!/usr/bin/env bash
# Makes the images of the Docker tests; see README.md. Usage: scripts/images/build.sh [NAME...]
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/nself-images"
suite="${DEBIAN_SUITE:-bookworm}"
# The mirror that this machine's apt uses, unless another one is named.
mirror="${DEBIAN_MIRROR:-$(sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb (\[[^]]*\] *)?([^ ]+).*/\2/p' \
  /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir -p "$cache"

# debian writes a root file system with Debian's packages into the cache, unless it is there.
debian() {
  local tar="$cache/debian-$suite.tar"
  [ -s "$tar" ] && return
  echo "debootstrap $suite" >&2
  debootstrap --variant=minbase --include=ca-certificates,curl "$suite" "$work/root" "$mirror" >"$work/log" ||
    { tail -n 20 "$work/log" >&2; return 1; }
  # No server is started by its package, and no cluster made.
  mkdir -p "$work/root/etc/postgresql-common"
  echo 'create_main_cluster = false' >"$work/root/etc/postgresql-common/createcluster.conf"
  DEBIAN_FRONTEND=noninteractive chroot "$work/root" sh -c \
    'apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql redis-server' >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; return 1; }
  rm -rf "$work/root"/var/cache/apt/* "$work/root"/var/lib/apt/lists/* "$work/root"/usr/share/{doc,man,locale}/*
  tar -C "$work/root" -cf "$tar.new" . && mv "$tar.new" "$tar"
  rm -rf "$work/root"
}

base() {
  docker image inspect nself-test/base >/dev/null 2>&1 && return
  debian
  docker import "$cache/debian-$suite.tar" nself-test/base >/dev/null
}

postgres() {
  base
  mkdir -p "$work/postgres"
  cp "$here/postgres-entrypoint.sh" "$work/postgres/"
  cat >"$work/postgres/Dockerfile" <<'DOCKERFILE'
FROM nself-test/base
COPY postgres-entrypoint.sh /usr/local/bin/
RUN ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ && mkdir -p /var/lib/postgresql/data && chown postgres /var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["/usr/local/bin/postgres-entrypoint.sh"]
DOCKERFILE
  chmod 755 "$work/postgres/postgres-entrypoint.sh"
  build postgres
}

redis() {
  base
  mkdir -p "$work/redis"
  cat >"$work/redis/Dockerfile" <<'DOCKERFILE'
FROM nself-test/base
RUN mkdir -p /data && chown redis:redis /data
VOLUME /data
WORKDIR /data
CMD ["redis-server"]
DOCKERFILE
  build redis
}

golang() {
  base
  mkdir -p "$work/golang"
  cp -a "$(go env GOROOT)" "$work/golang/go"
  rm -rf "$work/golang/go/"{test,doc,api}
  # A network whose proxy has an authority of its own: the machine trusts it, so the build does.
  cp -L /etc/ssl/certs/ca-certificates.crt "$work/golang/"
  cat >"$work/golang/Dockerfile" <<'DOCKERFILE'
FROM nself-test/base
COPY go /usr/local/go
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV PATH=/usr/local/go/bin:$PATH GOTOOLCHAIN=local GOPATH=/go
WORKDIR /go
DOCKERFILE
  build golang
}

gateway() {
  base
  mkdir -p "$work/gateway"
  (cd "$root" && CGO_ENABLED=0 go build -o "$work/gateway/nself" ./cmd/nself)
  cat >"$work/gateway/Dockerfile" <<'DOCKERFILE'
FROM nself-test/base
RUN groupadd -g 1001 hasura && useradd -u 1001 -g 1001 hasura
COPY nself /usr/local/bin/nself
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/nself", "gateway"]
DOCKERFILE
  build gateway
}

# build makes one image of the prepared folder with the classic builder, which every engine has.
build() {
  DOCKER_BUILDKIT=0 docker build -q -t "nself-test/$1" "$work/$1" >/dev/null 2>"$work/log" || { cat "$work/log" >&2; return 1; }
  rm -rf "${work:?}/$1"
  echo "nself-test/$1"
}

if [ $# = 0 ]; then set -- postgres redis golang gateway; fi
for name in "$@"; do "$name"; done
