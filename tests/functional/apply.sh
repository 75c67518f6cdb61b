#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# maclearn apply: what a file says of bridges, ports and static entries is so, once; or from now on,
# for ports and bridges that come later, that come back or get another name, also where the module
# comes back or something was not heard.

source "${BASH_SOURCE%/*}/lib.sh"

readonly FILE=$LAB/maclearn.toml

# settings DEVICE NAME...: their values
settings() {
    local name values=()
    for name in "${@:2}"; do
        get_attribute "$1" "$name"
        values+=("$REPLY")
    done
    echo "${values[*]}"
}

# has DEVICE NAME VALUE
has() {
    [[ -e /sys/class/net/$1/maclearn/$2 ]] && attribute_is "$@"
}

# owns DEVICE MAC...: for good
owns() {
    [[ $(maclearn entry show dev "$1" static | cut -d" " -f1 | sort | xargs) == "${*:2}" ]]
}

# refused LINE TEXT [WORD]: a file with this text is, in this line
refused() {
    local said status=0
    echo "$2" >"$LAB/wrong"
    said=$(maclearn apply "$LAB/wrong" "${@:3}" 2>&1) || status=$?
    [[ $status == 255 && $said == "$1" ]] || fail "'$2': status $status, said '$said', not '$1'"
}

links - <<EOF
link add name br0 up type bridge
link add name br1 up type bridge
link add name vnet0 master br0 type dummy
link add name eth9 master br0 type dummy
link add name vnet1 master br1 type dummy
EOF
cat >"$FILE" <<EOF
[[bridge]]
name = "br*"
exclusive = true
ageing_time = 77

[[port]]
name = ["vnet*", "tap?"]
enabled = true
max_macs = 9

[[port]]
name = "vnet*"
bridge = "br1"
unknown_unicast = "suppress"

[[entry]]
name = "vnet*"
bridge = "br1"
mac = ["$G11", "$G12"]

[[entry]]
name = "vnet0"
mac = "$G11"
EOF

# ---- without the module: the file is looked at first
refused "Error: $LAB/wrong line 2: vnet is unknown." $'# mine\n[[vnet]]'
status=0
said=$(maclearn apply "$FILE" 2>&1) || status=$?
[[ $status == 255 && $said == "Error: the kernel does not have the family maclearn: the module is not loaded." ]] ||
    fail "without the module: status $status, $said"
[[ $(maclearn apply "$FILE" check 2>&1) == \
    "The file is right. What would change is not known until the module is loaded." ]]
refused "Error: $LAB/wrong line 2: vnet is unknown." $'# mine\n[[vnet]]' check

load_module

# ---- what would change, and nothing changes
maclearn apply "$FILE" check >"$LAB/found"
diff -u - "$LAB/found" <<EOF || fail "other changes than expected: see above"
bridge dev br0 ageing_time 77 exclusive on ageing own
bridge dev br1 ageing_time 77 exclusive on ageing own
entry $G11 dev vnet0 static
entry $G11 dev vnet1 static
entry $G12 dev vnet1 static
port dev vnet0 enabled on max_macs 9
port dev vnet1 enabled on unknown_unicast suppress max_macs 9
EOF
[[ $(maclearn -j apply "$FILE" check | jq -c '.[5]') == '{"kind":"port","ifname":"vnet0","enabled":true,"max_macs":9}' ]]
[[ $(settings br0 exclusive ageing_time) == "0 300" && $(settings vnet0 enabled max_macs) == "0 4096" ]]
owns vnet1

# ---- what is wrong: said with its line, and nothing changes
readonly GOOD=$'[[port]]\nname = "vnet*"\nenabled = true'
refused "Error: $LAB/wrong line 4: colour is no setting." "$GOOD"$'\ncolour = "blue"'
refused "Error: $LAB/wrong line 5: max_macs: has to be from 0 to 1048576." "$GOOD"$'\n\nmax_macs = 1048577'
refused "Error: $LAB/wrong line 4: learning: has to be true or false." "$GOOD"$'\nlearning = "on"'
refused "Error: $LAB/wrong line 4: on_failure: has to be one of \"open\", \"closed\"." "$GOOD"$'\non_failure = "no"'
refused "Error: $LAB/wrong line 6: name: \"[a\" is no pattern: invalid range pattern." \
    "$GOOD"$'\n\n[[bridge]]\nname = ["br0", "[a"]'
refused "Error: $LAB/wrong line 4: name is missing." "$GOOD"$'\n[[bridge]]\nexclusive = true'
refused "Error: $LAB/wrong line 6: mac: \"02\": not a MAC address." "$GOOD"$'\n[[entry]]\nname = "vnet0"\nmac = "02"'
refused "Error: $LAB/wrong line 3: not UTF-8." $'[[port]]\n\nname = "\xff"'
status=0
said=$(maclearn apply /none 2>&1) || status=$?
[[ $status == 255 && $said == 'Cannot read "/none": No such file or directory' ]]
[[ $(settings vnet0 enabled max_macs) == "0 4096" ]]

# ---- once; what there is no room for comes when the limit is the one that is said
set_attribute vnet1 max_macs 1
[[ ! $(maclearn apply "$FILE") ]]
owns vnet0 $G11
owns vnet1 $G11 $G12
[[ $(settings br0 exclusive ageing_time) == "1 77" && $(settings vnet0 enabled max_macs) == "1 9" ]]
[[ $(settings vnet1 enabled unknown_unicast) == "1 suppress" && $(settings eth9 enabled) == 0 ]]
[[ ! $(maclearn apply "$FILE" check) ]]
# A bridge that begins to filter VLANs has no use for an entry without one, which is no longer as
# the file says.
ip link set dev br1 type bridge vlan_filtering 1
maclearn apply "$FILE" check >"$LAB/found"
diff -u - "$LAB/found" <<EOF || fail "other changes than expected: see above"
entry $G11 dev vnet1 static
entry $G12 dev vnet1 static
EOF
status=0
said=$(maclearn apply "$FILE" 2>&1) || status=$?
[[ $status == 255 && $said == "Error: $G11 dev vnet1: "*"the bridge filters VLANs, so the entry needs one; 2 of 2 changes were refused." ]] ||
    fail "entries without a VLAN: status $status, said '$said'"
[[ $(maclearn entry show dev vnet1) != *offloaded* ]] || fail "$(maclearn entry show dev vnet1)"
maclearn doctor | grep -x "problem 2 static entries of br1 are not used, since it filters VLANs" >"$LAB/found" || fail "$(maclearn doctor)"
ip link set dev br1 type bridge vlan_filtering 0
[[ ! $(maclearn apply "$FILE" check) ]]
[[ $(maclearn doctor) != *"are not used"* ]]
# What the kernel has against an entry is said; what the file says nothing of is left as it is.
refused "Error: $G13 dev vnet0: vlan: the bridge does not filter VLANs, so the entry has none; 1 of 1 changes were refused." \
    "$GOOD"$'\n[[entry]]\nname = "vnet0"\nvlan = 10\nmac = "'$G13'"'
owns vnet0 $G11
unload_module

# ---- from now on: it may begin before the module is there, and says as systemd wants it when it is
# ready and how it is
python3 - "$LAB/notify" "$LAB/said" <<'PYTHON' &
import socket
import sys

listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
with open(sys.argv[2], "wb", buffering=0) as file:
    while True:
        file.write(listener.recv(1000) + b"\n")
PYTHON
wait_until 20 test -S "$LAB/notify"
readonly WAITING="STATUS=the module is not loaded, waiting" FOLLOWING=STATUS=following
# says STATE...: all that systemd has been told
says() {
    [[ $(<"$LAB/said") == "$(printf '%s\n' "$@")" ]]
}
NOTIFY_SOCKET=$LAB/notify maclearn apply --follow "$FILE" >"$LAB/done" 2>"$LAB/problems" &
readonly FOLLOWER=$!
wait_until 20 says READY=1 "$WAITING"
[[ $(<"$LAB/problems") == "The module is not loaded: waiting for it." ]]
load_module
wait_until 20 says READY=1 "$WAITING" "$FOLLOWING"
wait_until 20 has vnet1 unknown_unicast suppress
[[ $(settings br0 exclusive ageing_time) == "1 77" && $(settings vnet0 enabled max_macs) == "1 9" ]]
owns vnet1 $G11 $G12

# ---- a bridge that begins to filter VLANs has no use for them: that is said
ip link set dev br1 type bridge vlan_filtering 1
wait_until 20 grep -q "^Error: $G11 dev vnet1: .*the bridge filters VLANs" "$LAB/problems"
ip link set dev br1 type bridge vlan_filtering 0

# ---- ports that come later, leave and come back; what is set by hand meanwhile stays
links - <<EOF
link add name tap1 master br1 type dummy
link add name other master br1 type dummy
EOF
wait_until 20 has tap1 max_macs 9
set_attribute vnet0 max_macs 5
links - <<EOF
link set dev vnet1 nomaster
link set dev vnet1 master br1
EOF
wait_until 20 has vnet1 unknown_unicast suppress
owns vnet1 $G11 $G12
[[ $(settings vnet0 max_macs) == 5 && $(settings other enabled) == 0 ]]

# ---- a bridge that comes later, without a port and with one
links - <<EOF
link add name br2 type bridge
link add name br3 type bridge
link set dev vnet1 master br3
EOF
for bridge in br2 br3; do wait_until 20 has "$bridge" exclusive 1; done
wait_until 20 has vnet1 enabled 1
expect_attribute vnet1 unknown_unicast flood

# ---- other names: of a port, and of a bridge
ip link set dev other name vnet2
wait_until 20 has vnet2 unknown_unicast suppress
owns vnet2 $G11 $G12
links - <<EOF
link add name plain type bridge
link set dev vnet1 master plain
EOF
wait_until 20 has vnet1 max_macs 9
ip link set dev br1 name elsewhere
ip link set dev plain name br1
wait_until 20 has vnet1 unknown_unicast suppress

# ---- more than there is room for, and among it what was not heard
kill -STOP "$FOLLOWER"
for ((i = 0; i < 1000; i++)); do echo "link set dev eth9 mtu $((1000 + i))"; done | links -
ip link add name br4 type bridge
kill -CONT "$FOLLOWER"
wait_until 20 has br4 exclusive 1

# ---- the module comes back
unload_module
wait_until 20 says READY=1 "$WAITING" "$FOLLOWING" "$WAITING"
load_module
wait_until 20 says READY=1 "$WAITING" "$FOLLOWING" "$WAITING" "$FOLLOWING"
wait_until 20 has vnet2 enabled 1
wait_until 20 has br4 exclusive 1
links - <<<"link add name tap2 master br4 type dummy"
wait_until 20 has tap2 enabled 1
grep -qx "port dev tap2 enabled on max_macs 9" "$LAB/done"

# ---- what is restored: who gives settings waits, and the other way round
# waits HOW: a process does, for the lock
waits() {
    grep -q -- "-> FLOCK .* $1 " /proc/locks
}
maclearn save dev tap2 >"$LAB/saved"
set_attribute tap2 max_macs 5
exec {lock}>/run/maclearn.lock
flock --shared "$lock"
maclearn restore file "$LAB/saved" &
wait_until 20 waits WRITE
expect_attribute tap2 max_macs 5
flock --unlock "$lock"
wait $!
expect_attribute tap2 max_macs 9
flock --exclusive "$lock"
links - <<<"link add name tap3 master br4 type dummy"
wait_until 20 waits READ
expect_attribute tap3 enabled 0
exec {lock}>&-
wait_until 20 has tap3 enabled 1

# ---- the file is wrong as it is read again: that is said, and what it said before holds for what
# comes
cp "$FILE" "$LAB/good"
readonly BAD="Error: $FILE line 4: colour is no setting. What it said before is kept."
maclearn port set dev tap3 max_macs 5
echo "$GOOD"$'\ncolour = "blue"' >"$FILE"
kill -HUP "$FOLLOWER"
wait_until 20 grep -qxF "$BAD" "$LAB/problems"
wait_until 20 grep -qxF "$FOLLOWING; $BAD" "$LAB/said"
links - <<<"link add name tap4 master br4 type dummy"
wait_until 20 has tap4 max_macs 9
expect_attribute tap3 max_macs 5
rm "$FILE"
kill -HUP "$FOLLOWER"
wait_until 20 grep -qxF "Cannot read \"$FILE\": No such file or directory. What it said before is kept." "$LAB/problems"
# One that begins with such a file does not.
echo "[[vnet]]" >"$FILE"
status=0
said=$(NOTIFY_SOCKET=$LAB/notify maclearn apply --follow "$FILE" 2>&1) || status=$?
[[ $status == 255 && $said == "Error: $FILE line 1: vnet is unknown." ]] || fail "status $status, $said"
# Nor does one whose service manager does not listen.
status=0
said=$(NOTIFY_SOCKET=$LAB/none maclearn apply --follow "$LAB/good" 2>&1 >/dev/null) || status=$?
[[ $status == 255 && $said == "Cannot write to \"$LAB/none\": No such file or directory" ]] ||
    fail "status $status, $said"
# It is right again, and says something else, also of what is there.
sed 's/max_macs = 9/max_macs = 8/' "$LAB/good" >"$FILE"
kill -HUP "$FOLLOWER"
wait_until 20 has tap4 max_macs 8
says_last() { [[ $(tail -n 1 "$LAB/said") == "$1" ]]; }
wait_until 20 says_last "$FOLLOWING"
links - <<<"link add name tap5 master br4 type dummy"
wait_until 20 has tap5 max_macs 8

# ---- one that was started at a terminal ends with it, unless a service manager has started it:
# then SIGHUP has the file read again, as where there is no terminal
# at_terminal COMMAND...: its exit status, or the signal that has ended it, after it has given tap5
# its setting and the terminal is gone, and a service manager, if there is one, wants it to end
at_terminal() {
    timeout 60 python3 - "$@" <<'PYTHON'
import os, pty, signal, subprocess, sys

def forget():
    subprocess.run(["maclearn", "port", "set", "dev", "tap5", "max_macs", "5"], check=True)

forget()
process, terminal = pty.fork()
if process == 0:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.execvp(sys.argv[1], sys.argv[1:])
is_service = "NOTIFY_SOCKET" in os.environ
signal.signal(signal.SIGALRM, lambda *_: os.kill(process, signal.SIGKILL))
signal.alarm(40)
heard = b""

def hear(times):
    global heard
    while heard.count(b"port dev tap5 max_macs 8") < times:
        heard += os.read(terminal, 1000)

hear(1)
if is_service:
    forget()
    os.kill(process, signal.SIGHUP)
    hear(2)
os.close(terminal)
if is_service:
    os.kill(process, signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
PYTHON
}
status=$(at_terminal maclearn -c=never apply --follow "$FILE")
((status == -1)) || fail "the terminal is gone: it ended with $status"
status=$(NOTIFY_SOCKET=$LAB/notify at_terminal maclearn -c=never apply --follow "$FILE")
((status == -15)) || fail "the service manager wanted it to end: it ended with $status"
set_attribute tap5 max_macs 5
setsid maclearn apply --follow "$FILE" >"$LAB/done" &
wait_until 20 has tap5 max_macs 8
set_attribute tap5 max_macs 5
kill -HUP $!
wait_until 20 has tap5 max_macs 8

# ---- it goes on until it is ended
kill "$FOLLOWER"
status=0
wait "$FOLLOWER" || status=$?
((status == 128 + 15)) || fail "the follower ended by itself, with status $status"
