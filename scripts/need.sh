# shellcheck shell=bash
# Sourced by the other scripts: installs what a fresh machine lacks, with the package manager that is there.

need_cargo() {
  command -v cargo >/dev/null && return
  echo "$(basename "$0"): cargo was not found: install Rust (https://rustup.rs)" >&2
  exit 1
}

# Runs the package manager that is there, as root or through sudo without a question.
install() {
  local sudo=()
  if [ "$(id -u)" -ne 0 ] && ! command -v brew >/dev/null; then
    command -v sudo >/dev/null || return 1
    sudo=(sudo -n)
  fi
  if command -v brew >/dev/null; then
    brew install "$1"
  elif command -v apt-get >/dev/null; then
    ${sudo[@]+"${sudo[@]}"} apt-get update -qq || true
    ${sudo[@]+"${sudo[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1"
  elif command -v dnf >/dev/null; then
    # Fedora writes it with a capital.
    ${sudo[@]+"${sudo[@]}"} dnf install -y -q "${1/shellcheck/ShellCheck}"
  elif command -v pacman >/dev/null; then
    ${sudo[@]+"${sudo[@]}"} pacman -Sy --noconfirm "$1"
  elif command -v apk >/dev/null; then
    ${sudo[@]+"${sudo[@]}"} apk add -q "$1"
  else
    return 1
  fi
}

need() {
  command -v "$1" >/dev/null && return
  printf '\n== installing %s\n' "$1"
  install "$1" || true
  command -v "$1" >/dev/null
}
