#!/bin/sh
# Checks that this machine has what `make demo` and `make test` need, all at once, before anything
# is compiled. On Debian and Ubuntu, as root and with no Docker package present, it installs what is
# missing and says what; anywhere else it names the commands and ends with exit code 2. It also
# makes the Python environment .slipway/venv from infra/local/requirements.txt, and fetches GitHub's
# published example payloads, which a test reads, into .slipway/webhooks-examples; called with the word
# `sam`, also the larger environment of the SAM CLI, .slipway/sam from infra/sam/requirements.txt.
set -eu

cd "$(dirname "$0")/.."
least_rust=1.95
least_python=3.10
examples=7.6.1 # Of the npm package @octokit/webhooks-examples.
log=.slipway/doctor.log
ours=.slipway/doctor.installed # There once this script has begun to install packages.

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  red=$(printf '\033[31m') green=$(printf '\033[32m') plain=$(printf '\033[0m')
else
  red='' green='' plain=''
fi

main() {
  mkdir -p .slipway
  examine
  if [ -n "$missing" ] && may_install; then
    install_packages
    examine
    # What could not be asked before, for want of a tool, may be missing as well.
    if [ -n "$packages" ] && may_install; then
      install_packages
      examine
    fi
  fi
  if [ -n "$missing" ]; then
    explain
    exit 2
  fi
  prepare_environment .slipway/venv infra/local/requirements.txt
  prepare_examples .slipway/webhooks-examples
  if [ "${1:-}" = sam ]; then prepare_environment .slipway/sam infra/sam/requirements.txt; fi
  printf '%sready%s: %s, Python %s, %s\n' \
    "$green" "$plain" "$(rustc --version | cut -d ' ' -f 1-2)" "$python_version" "$engine"
}

# ---- what is missing ---------------------------------------------------------

# Sets `missing` (lines for people), `packages` (of Debian) and `commands` (what no package solves).
examine() {
  missing='' packages='' commands=''
  examine_rust
  command -v cc > /dev/null || lack 'a C compiler and linker (cc)' 'gcc libc6-dev'
  for tool in curl git make npm openssl; do
    command -v "$tool" > /dev/null || lack "$tool" "$tool"
  done
  examine_python
  examine_docker
  examine_base_image
}

examine_rust() {
  found=$(rustc --version 2> /dev/null | cut -d ' ' -f 2) || found=''
  if [ -z "$found" ] || ! command -v cargo > /dev/null; then
    lack "Rust $least_rust or newer (cargo and rustc)" '' \
      "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
  elif ! at_least "$least_rust" "$found"; then
    update='install a newer Rust from https://rustup.rs'
    if command -v rustup > /dev/null; then update='rustup update stable'; fi
    lack "Rust $least_rust or newer (there is $found)" '' "$update"
  fi
}

examine_python() {
  python_version=$(python3 -c 'import platform; print(platform.python_version())' 2> /dev/null) ||
    python_version=''
  if [ -z "$python_version" ]; then
    lack "Python $least_python or newer with venv" 'python3 python3-venv'
  elif ! at_least "$least_python" "$python_version"; then
    lack "Python $least_python or newer (there is $python_version)" '' \
      'install a newer Python 3 and put it first on PATH as python3'
  elif ! python3 -c 'import ensurepip, venv' 2> /dev/null; then
    lack "Python's venv" 'python3-venv'
  fi
}

# An engine that answers is used as it is. Otherwise root can start a private one, if it is installed.
examine_docker() {
  if ! command -v docker > /dev/null; then
    lack 'Docker' 'docker.io'
  elif answer=$(timeout 5 docker version --format '{{.Server.Version}}' 2>&1); then
    engine="Docker engine $answer"
  elif is_root && command -v dockerd > /dev/null; then
    engine='a private Docker engine, started when it is needed'
  elif is_root; then
    lack 'a Docker engine (its client is here, no engine answers)' 'docker.io'
  elif printf '%s' "$answer" | grep -q -i 'permission denied'; then
    # shellcheck disable=SC2016 # The person's shell is meant to expand it.
    lack 'the right to use the Docker engine' '' 'sudo usermod -aG docker "$USER", then log in again'
  else
    lack 'a Docker engine that answers (docker version tells why it does not)' '' \
      'sudo systemctl start docker'
  fi
}

# Where no base image can be pulled, one is made from Debian packages.
examine_base_image() {
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  if command -v mmdebstrap > /dev/null && [ -e "$keyring" ]; then return; fi
  command -v curl > /dev/null || return 0 # Known to be missing; asked again after it is there.
  status=$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 3 \
    https://registry-1.docker.io/v2/) || status=000
  case $status in
    200 | 401) ;;
    *)
      lack 'a base image: no registry answers, and no mmdebstrap is here to make one' \
        'mmdebstrap debian-archive-keyring'
      ;;
  esac
}

# lack <what> <Debian packages, or empty> [<command>]
lack() {
  if [ -n "$2" ]; then
    packages="$packages $2"
    line="$1 (package $2)"
    if on_debian; then line="$1: $(as_root)apt-get install $2"; fi
  else
    commands="$commands; $3"
    line="$1: $3"
  fi
  missing="$missing$line
"
}

# ---- what is done about it ---------------------------------------------------

# Where somebody keeps Docker packages, or something is missing that no package brings, this script
# changes nothing.
may_install() {
  on_debian && is_root && [ -z "$commands" ] && { [ -e "$ours" ] || [ -z "$(docker_packages)" ]; }
}

install_packages() {
  printf 'missing here:\n%s' "$missing"
  export DEBIAN_FRONTEND=noninteractive
  : > "$log"
  : > "$ours"
  # A machine without package lists needs them first, one with old ones when a download fails.
  fetched=no
  # shellcheck disable=SC2086 # The list of packages is meant to be split.
  if ! apt-get install --simulate $packages >> "$log" 2>&1; then fetch_lists; fi
  case $packages in
    # Newer releases have the client and BuildKit in packages of their own.
    *docker.io*) for name in docker-cli docker-buildx; do
      if apt-cache show "$name" > /dev/null 2>&1; then packages="$packages $name"; fi
    done ;;
  esac
  # shellcheck disable=SC2086
  set -- --yes --no-install-recommends $packages
  printf 'installing%s (log: %s)\n' "$packages" "$log"
  if ! apt-get install "$@" >> "$log" 2>&1; then
    [ "$fetched" = yes ] || fetch_lists
    if ! apt-get install "$@" >> "$log" 2>&1; then
      grep '^[EW]:' "$log" | tail -n 5 >&2 || true
      printf '%sapt-get could not install them%s, see %s\n' "$red" "$plain" "$log" >&2
      return
    fi
  fi
  hash -r
  printf '%sinstalled%s%s\n' "$green" "$plain" "$packages"
}

fetch_lists() {
  printf 'fetching the package lists\n'
  fetched=yes
  apt-get update >> "$log" 2>&1 || true # What this leaves undone, the install names.
}

explain() {
  advice=''
  if [ -n "$packages" ]; then
    advice="install the packages$packages"
    if on_debian; then advice="$(as_root)apt-get install --no-install-recommends$packages"; fi
  fi
  advice="$advice$commands"
  {
    printf '%smissing here%s:\n' "$red" "$plain"
    printf '%s' "$missing" | sed 's/^/  /'
    printf 'Slipway needs all of it; run this, then try again: %s\n' "${advice#; }"
  } >&2
}

# prepare_environment <folder> <requirements>: made anew when the pins, the interpreter or the folder have
# changed; otherwise left alone.
prepare_environment() {
  environment=$1 requirements=$2
  stamp="$environment/made-from"
  wanted="$(pwd) $python_version $(cksum < "$requirements")"
  if [ -x "$environment/bin/python" ] && [ "$(cat "$stamp" 2> /dev/null)" = "$wanted" ]; then
    return
  fi
  printf 'installing the Python packages of %s into %s\n' "$requirements" "$environment"
  rm -rf "$environment"
  if ! {
    python3 -m venv "$environment" &&
      "$environment/bin/python" -m pip install --disable-pip-version-check --no-input --quiet \
        --requirement "$requirements"
  } > "$log" 2>&1; then
    tail -n 5 "$log" >&2
    printf '%sthe Python packages could not be installed%s, see %s; try again with: make doctor\n' \
      "$red" "$plain" "$log" >&2
    exit 2
  fi
  printf '%s\n' "$wanted" > "$stamp"
}

# prepare_examples <folder>: fetched once; the package is data alone, and no script of it runs.
prepare_examples() {
  folder=$1 package=@octokit/webhooks-examples
  if grep -q "\"version\": \"$examples\"" "$folder/node_modules/$package/package.json" 2> /dev/null; then return; fi
  printf 'fetching the npm package %s %s into %s\n' "$package" "$examples" "$folder"
  mkdir -p "$folder"
  if ! npm install --prefix "$folder" --no-save --no-audit --no-fund --ignore-scripts \
    "$package@$examples" > "$log" 2>&1; then
    tail -n 5 "$log" >&2
    printf '%sthe npm package could not be fetched%s, see %s; try again with: make doctor\n' \
      "$red" "$plain" "$log" >&2
    exit 2
  fi
}

# ---- facts -------------------------------------------------------------------

is_root() {
  [ "$(id -u)" -eq 0 ]
}

as_root() {
  is_root || printf 'sudo '
}

on_debian() {
  command -v apt-get > /dev/null && [ -e /etc/debian_version ]
}

# The installed packages that bring Docker or stand in its place.
docker_packages() {
  dpkg-query --show --showformat '${db:Status-Abbrev} ${Package}\n' \
    docker.io docker-ce docker-ce-cli docker-engine docker-cli moby-engine moby-cli podman-docker \
    2> /dev/null | sed -n 's/^.i. //p'
}

# at_least <least> <found>: compares major and minor numbers.
at_least() {
  least_major=${1%%.*} least_minor=${1#*.}
  found_major=${2%%.*} found_minor=${2#*.}
  found_minor=${found_minor%%[!0-9]*}
  [ "$found_major" -gt "$least_major" ] ||
    { [ "$found_major" -eq "$least_major" ] && [ "$found_minor" -ge "$least_minor" ]; }
}

main "$@"
