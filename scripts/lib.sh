# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# Sourced by the other scripts: where things are kept, and steps that are done once.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${MACLEARN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/maclearn}
suites=$cache/suite  # Debian systems with the compilers of other suites, and the kernels of those
root=$cache/root     # a Debian system, / of in-root; with MACLEARN_SUITE one of the others
build=$cache/build   # /build there: kernels
stamps=$cache/stamp
# What is built from this checkout is its own: others may use the same root and kernels at the same
# time.
checkout=$(sha256sum <<<"$repository" | cut -c1-12)
out=$cache/checkout/$checkout   # /out in the root
logs=$out/log

# What the functional scripts run: the command, and of the crates in tests/
tools=(frames netlink maclearn)

# Kernels that scripts/variant builds
variants=(clang-lto-cfi like-proxmox gendwarfksyms like-rhel)

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# need OPTION PATTERN WHAT [VALUE]: VALUE is one that the option can have, which is WHAT
need() {
	[[ ${4:-} =~ ^($2)$ ]] || die "$1 needs $3, not '${4:-}'"
}

need_root() {
	((EUID == 0)) || die "must be run as root (it uses chroot and mount namespaces)"
}

# lock NAME: wait until no other run holds it, and keep it until exit.
lock() {
	local fd
	mkdir -p "$cache"
	exec {fd}>"$cache/$1.lock"
	flock --nonblock "$fd" || {
		echo "waiting for another run that works on $1 in $cache" >&2
		flock "$fd"
	}
}

# hash: a short key of standard input.
hash() {
	sha256sum | cut -c1-16
}

kernel_release() {
	cat "$root/etc/maclearn-kernel"
}

# The folder of the kernel source in the root, such as /usr/src/linux-source-7.3.
kernel_source() {
	local release
	release=$(kernel_release)
	echo "/usr/src/linux-source-$(cut -d. -f1,2 <<<"$release")"
}

is_variant() {
	[[ " ${variants[*]} " == *" $1 "* ]]
}

# release_of KIND: of a kernel for QEMU; that of Debian's is its KIND as well, but for the newest.
release_of() {
	if [[ $1 == stock || $1 == static ]]; then
		kernel_release
	elif is_variant "$1"; then
		cat "$build/$1/kernel/include/config/kernel.release"
	else
		echo "$1"
	fi
}

# suite_of KIND: the suite of Debian whose compilers a kernel needs, if it is not one of the root's
suite_of() {
	cat "$build/$1/suite" 2>/dev/null || true
}

# make_arguments KIND: what make needs for that kernel and for modules of it.
make_arguments() {
	case $1 in
	stock | static | [0-9].*-amd64) [[ -f $build/$1/suite ]] || echo "CC=gcc-14 HOSTCC=gcc-14" ;;
	[0-9].*-arm64) echo "HOSTCC=gcc-14" ;; # its headers name the compiler
	like-proxmox | like-rhel | gendwarfksyms) echo "CC=gcc-14 HOSTCC=gcc-14" ;;
	clang-lto-cfi) echo "LLVM=1" ;;
	uml | upstream) echo "ARCH=um CC=gcc-14 HOSTCC=gcc-14" ;; # upstream: with the series of scripts/upstream
	debug) echo "ARCH=um LLVM=1" ;; # Rust together with KASAN needs clang
	*) die "no such kernel: '$1' (stock, uml, debug, static, another release of Debian's, or ${variants[*]})" ;;
	esac
}

# need_kernel KIND: that kernel is known, and there
need_kernel() {
	make_arguments "$1" >/dev/null
	[[ -f $stamps/$1 ]] ||
		die "the $1 kernel is not there: run 'make root', 'make kernels', 'scripts/root RELEASE', or 'scripts/variant KIND'"
}

# module_key KIND: what the module for that kernel is made of.
module_key() {
	(cd "$repository" && { cat "$stamps/$1" && find Kbuild Makefile debian/changelog include rust static -type f -print0 | sort -z | xargs -0 sha256sum; } | hash)
}

# own_kernel: the release of Debian 13's own kernel, the newest that is prepared, or else that
# Debian has
own_kernel() {
	local release pattern='6\.12\.[0-9]+\+deb13-amd64'
	release=$(cd "$stamps" && printf '%s\n' 6.12.*-amd64 | grep -xE "$pattern" | sort -V | tail -n 1) || true
	if [[ ! $release ]]; then
		release=$("$repository/scripts/root" list | grep -xE "$pattern" | tail -n 1) || true
		[[ $release ]] || die "Debian has no Linux 6.12 now"
		"$repository/scripts/root" "$release" >&2 || exit
	fi
	echo "$release"
}

# crates: the folders of crates and of workspaces, such as tests/frames
crates() {
	local manifest
	for manifest in "$repository"/{tests/*,tools}/Cargo.toml; do
		manifest=${manifest#"$repository/"}
		echo "${manifest%/Cargo.toml}"
	done
}

# Debian's keys, with which mmdebstrap sees that what it gets is Debian's
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# need_mmdebstrap: this machine has it. That it was installed once may have been on another, which
# made the cache.
need_mmdebstrap() {
	if [[ -f $keyring ]] && command -v mmdebstrap >/dev/null; then return; fi
	command -v apt-get >/dev/null || die "mmdebstrap is needed, and there is no apt-get to install it with"
	rm -f "$stamps/mmdebstrap"
	step mmdebstrap none "Installing mmdebstrap" install_mmdebstrap
}

install_mmdebstrap() {
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mmdebstrap debian-archive-keyring
}

# more_tools NAME PACKAGE...: these come into the root by a step of their own, so that a change to
# them makes nothing else anew.
more_tools() {
	(
		lock root
		step "$1" "$({ cat "$stamps/base" && echo "${*:2}"; } | hash)" "Installing more tools ($1)" install_tools "${@:2}"
	) >&2
}

install_tools() {
	"$repository/scripts/in-root" apt-get update
	"$repository/scripts/in-root" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# build_tool TOOL [KIND]: for that kernel it is /out/cargo-target/release/TOOL then, for arm64 in
# another folder in cargo-target
build_tool() {
	local folder=tests/$1 cargo=(cargo)
	[[ -d $repository/$folder ]] || folder=tools
	[[ ${2:-} != *-arm64 ]] || cargo=(env CARGO_BUILD_TARGET=aarch64-unknown-linux-gnu
		CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc-14 cargo)
	"$repository/scripts/in-root" "${cargo[@]}" build --quiet --release --locked \
		--manifest-path "/src/maclearn/$folder/Cargo.toml"
}

is_done() {
	[[ -f $stamps/$1 && $(<"$stamps/$1") == "$2" ]]
}

# step NAME KEY TEXT COMMAND...: run COMMAND unless it was done with the same KEY before. Its output
# goes to a log file, the end of which is shown upon failure unless is_forgiving is set.
is_forgiving=
step() {
	local name=$1 key=$2 text=$3 log=$cache/log/$1.log start=$SECONDS pid
	shift 3
	if is_done "$name" "$key"; then return; fi
	mkdir -p "$cache/log" "$stamps"
	rm -f "$stamps/$name"
	("$@") >"$log" 2>&1 </dev/null &
	pid=$!
	if [[ -t 1 ]]; then
		while kill -0 "$pid" 2>/dev/null; do
			printf '\r%s … %d s' "$text" $((SECONDS - start))
			sleep 1
		done
		printf '\r'
	else
		echo "$text …"
	fi
	if ! wait "$pid"; then
		printf '%s: failed after %d s, see %s\n' "$text" $((SECONDS - start)) "$log"
		[[ $is_forgiving ]] || tail -n 40 "$log"
		exit 1
	fi
	printf '%s: done in %d s\n' "$text" $((SECONDS - start))
	echo "$key" >"$stamps/$name"
}
