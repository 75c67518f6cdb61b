# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by the tests that scripts/system runs, in a Debian 13 that has booted and belongs to the
# test alone: what it changes is gone with it. BOOT is 1; a test that asks for a reboot runs once
# more after it, and BOOT is 2 then.
#
#   install_packages                the command, and the module for the kernel that runs
#   add_hub br0                     a hub-mode bridge that is up
#   add_host br0 h1 10.0.0.1/24     a host at it: the port is h1, the other end is eth0 in the
#                                   namespace h1
#   on h1 ping ...                  a command on that host

set -Eeuo pipefail
shopt -s inherit_errexit

fail() {
	trap - ERR
	echo "FAILED: $*" >&2
	local depth=0
	while caller "$depth" >&2; do ((++depth)); done
	exit 1
}
trap 'fail "$BASH_COMMAND"' ERR

# skip REASON...: only for what this system can't do
skip() {
	echo "$*"
	exit 4
}

# wait_until SECONDS COMMAND...: longer on a machine that is busy, where ten looks take more than a
# second
wait_until() {
	local looks=$(($1 * 10))
	shift
	until "$@"; do
		((looks-- > 0)) || fail "waited in vain for: $*"
		sleep 0.1
	done
}

# fails COMMAND...: it does
fails() {
	if "$@" 2>/dev/null; then
		fail "succeeded: $*"
	fi
}

# reboot_host: the test ends here, and runs from its first line once more when the host has booted
reboot_host() {
	exit 75
}

install_packages() {
	dpkg -i /packages/maclearn_*.deb "/packages/maclearn-modules-$(uname -r)_"*.deb
}

# attribute PORT NAME: of a port or a bridge in sysfs
attribute() {
	cat "/sys/class/net/$1/maclearn/$2"
}

# is_attribute PORT NAME VALUE
is_attribute() {
	[[ $(attribute "$1" "$2" 2>/dev/null) == "$3" ]]
}

# add_hub BRIDGE
add_hub() {
	ip link add name "$1" type bridge ageing_time 0
	ip link set "$1" up
}

# add_host BRIDGE HOST ADDRESS [MAC]
add_host() {
	ip netns add "$2"
	ip link add "$2" type veth peer name eth0 netns "$2"
	[[ -z ${4:-} ]] || ip -n "$2" link set eth0 address "$4"
	ip link set "$2" master "$1" up
	ip -n "$2" link set lo up
	ip -n "$2" link set eth0 up
	ip -n "$2" address add "$3" dev eth0
}

# settled: the service has done what the file says
settled() {
	[[ ! $(command maclearn apply /etc/maclearn.toml check) ]]
}

# show_when_settled: from here on, "maclearn port show" in a document's commands waits for that
# shellcheck disable=SC2317 # they call it
show_when_settled() {
	maclearn() {
		[[ $* != "port show"* ]] || wait_until 60 settled
		command maclearn "$@"
	}
}

# own_sections: /etc/maclearn.toml has a section of the host's own, whatever a drop-in does
own_sections() {
	ip link add name own type bridge
	ip link add name own0 master own type veth peer name own1
	printf '%s\n' '' '[[port]]' 'name = "own0"' 'enabled = true' 'max_macs = 77' \
		>>/etc/maclearn.toml
	cp /etc/maclearn.toml /tmp/own.toml
}

# own_sections_hold: the service has done what the host's own section says
own_sections_hold() {
	wait_until 60 is_attribute own0 max_macs 77
	is_attribute own0 enabled 1
}

# own_sections_remain: the drop-in and the module are gone, the file is as it was, and the service,
# which is begun at boot as before, does what that says once the module is back
own_sections_remain() {
	diff /tmp/own.toml /etc/maclearn.toml
	systemctl -q is-enabled maclearn
	systemctl -q is-active maclearn
	modprobe maclearn
	own_sections_hold
	systemctl stop maclearn
	rmmod maclearn
}

# on HOST COMMAND...
on() {
	ip netns exec "$@"
}

# examples FILE: the commands of the blocks of a document that are marked as console, as a script: a
# line that begins with "$ " or "# ", and those that follow one that ends with a backslash
examples() {
	awk '/^```console/ { inside = 1; next } /^```/ { inside = 0 }
		inside && /^[$#] / { print substr($0, 3); more = /\\$/; next }
		inside && more { print; more = /\\$/ }' "$1"
}
