#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The command maclearn: what each subcommand does and says; and what is wrong gives one line and
# iproute2's exit status, and changes nothing.

source "${BASH_SOURCE%/*}/lib.sh"

# printed WANTED COMMAND...: the command prints exactly that
printed() {
    local wanted=$1 found
    shift
    found=$("$@")
    [[ $found == "$wanted" ]] || fail "$* printed '$found', not '$wanted'"
}

# json FILTER ARGUMENT...: what jq's filter makes of maclearn's JSON
json() {
    local filter=$1
    shift
    maclearn -j "$@" | jq -rc "$filter"
}

# state: what a refused command must not change
state() {
    maclearn port
    maclearn -d bridge | sed 's/ memory [0-9]*//'
    maclearn entry | sed 's/ age .*//' | sort
}

# refused LINE ARGUMENT...: said in this line, with iproute2's status
refused() {
    local wanted=$1 said status=0
    shift
    said=$(maclearn "$@" 2>&1 >"$LAB/output") || status=$?
    ((status == 255)) || fail "maclearn $*: status $status"
    [[ $said == "$wanted" ]] || fail "maclearn $*: said '$said', not '$wanted'"
    [[ ! -s $LAB/output ]] || fail "maclearn $*: printed $(<"$LAB/output")"
}

make_hub host1 host2 sniffer
links - <<EOF
link add name vlans up type bridge vlan_filtering 1
link add name trunk up master vlans type dummy
EOF

# ---- without the module
status=0
said=$(maclearn 2>&1) || status=$?
[[ $status == 255 && $said == "Error: the kernel does not have the family maclearn: the module is not loaded." ]] ||
    fail "without the module: status $status, $said"

printed problem json '.[0].weight' doctor
printed "maclearn_loaded 0" eval 'maclearn metrics | grep -v "^#"'

# What is offloaded changes by itself.
PARAMETERS=(fdb_offload=0)
load_module

# ---- ports
maclearn port set dev host1 enabled on
maclearn port set dev host2 enabled 1 learning off unknown_unicast suppress on_failure closed max_macs 7
printed "host2 master br enabled on learning off unknown_unicast suppress on_failure closed max_macs 7 n_macs 0" \
    maclearn port show dev host2
expect_attribute host2 unknown_unicast suppress
printed host1,host2,sniffer json '[.[].ifname] | join(",")' port show br br
printed '["trunk",false,true,"flood"]' \
    json '.[] | select(.master == "vlans") | [.ifname, .enabled, .learning, .unknown_unicast]' port
maclearn p se d host2 lea on unk flood on_f open max 4096
printed '[true,"flood","open",4096]' json '.[] | [.learning, .unknown_unicast, .on_failure, .max_macs]' port show dev host2

# ---- bridges
printed "br auto_enable off ageing_time 300 exclusive off max_macs 1048576 n_macs 0 fdb_offload off n_offloaded 0 \
ageing bridge" maclearn bridge show dev br
maclearn bridge set dev br ageing_time 1000 exclusive on default_max_macs 9
printed '[1000,true,"own",9]' json '.[] | [.ageing_time, .exclusive, .ageing, .default_max_macs]' bridge show dev br
maclearn -d bridge show dev br | grep " memory [0-9]* .* default_max_macs 9" >"$LAB/found"
maclearn bridge set dev br ageing bridge exclusive off
printed br,vlans json '[.[].ifname] | join(",")' bridge

# ---- entries
exchange <<PLAN
hello host1 $G11
hello host2 $G21
send host1 $G11 $G21 count 3
expect host2 $G11 $G21 count 3
expect sniffer $G11 $G21 count 3
PLAN
maclearn entry show dev host1 | grep -x "$G11 dev host1 master br age [0-9]*" >"$LAB/found"
maclearn entry add $G12 dev host1
maclearn entry add $G22 dev host2 age 100.5
maclearn entry add $G13 dev host1 dynamic
printed "$G12 dev host1 master br static" maclearn entry show static
printed "$G11,$G13,$G21,$G22" json '[.[] | select(.static | not).mac] | sort | join(",")' entry show br br dynamic
printed true json '.[] | .age >= 98 and .age < 200' entry show mac $G22
maclearn entry add $G11 dev trunk vlan 10 static
printed "$G11 dev trunk vlan 10 master vlans static" maclearn entry show vlan 10
printed "host1 trunk" json '[.[].ifname] | sort | join(" ")' entry show mac $G11
maclearn entry del $G11 dev trunk vlan 10
maclearn entry flush dev host1
printed $G12 json '.[].mac' entry show dev host1
maclearn entry flush br br static
printed "" json '.[].mac' entry show dev host1
maclearn entry flush br br mac $G22
printed $G21 json '.[].mac' entry show br br

# ---- statistics
printed 3 json '.[].statistics.passed_owned' statistics show dev host2
printed 3 json '.[].statistics.passed_owned' -s bridge show dev br
maclearn -s port show dev host2 | grep "passed_owned 3 " >"$LAB/found"
printed 4 json length statistics
maclearn statistics reset dev host2
printed 0 json '.[].statistics.passed_owned' statistics show dev host2

# ---- at a glance
exchange <<PLAN
send host1 $G11 $NOBODY
expect host2 $G11 $NOBODY
expect sniffer $G11 $NOBODY
send sniffer $SNIFFER $G11 count 3
expect host1 $SNIFFER $G11 count 3
PLAN
maclearn >"$LAB/summary.text"
version=$(</sys/module/maclearn/version) source=$(</sys/module/maclearn/srcversion)
grep -q "^maclearn version $version srcversion $source$" "$LAB/summary.text"
printed "maclearn utility, $version" maclearn -V
grep -q "^br ports 3 enabled 2 macs 3 offloaded 0 spared 75.0% copies made and suppressed, fdb_offload is off$" \
    "$LAB/summary.text"
grep -q "^    host2 enabled macs 1 spared 75.0% passing 1 so far that nobody owned$" "$LAB/summary.text"
grep -q "^    sniffer disabled macs 1 spared - passing all, it is not enabled$" "$LAB/summary.text"
maclearn port set dev host1 max_macs 1
exchange <<<"hello host1 $G12"
printed failing-open json '.bridges[0].ports[] | select(.ifname == "host1").state' summary
maclearn | grep "^    host1 failing-open .* since max_macs 1 of the port is reached$" >"$LAB/found"
maclearn doctor >"$LAB/doctor"
grep -qx "problem host1 gets every copy (it fails open), since its max_macs 1 is reached" "$LAB/doctor"
grep -qx "    # maclearn port set dev host1 max_macs 2" "$LAB/doctor"
# A bridge that learns makes no copies that maclearn would spare it.
! grep "no port of vlans" "$LAB/doctor" || fail "$(<"$LAB/doctor")"
grep -q "^vlans .* copies made of what the bridge has not learned by itself, none is enabled$" "$LAB/summary.text"
eval "$(json '.[] | select(.what | startswith("host1 gets")).helps' doctor)"
wait_until 20 attribute_is host1 failing_open 0
maclearn port set dev host1 max_macs 4096
ip link set dev br type bridge ageing_time 30000
maclearn | grep "^br .* copies made and suppressed, fdb_offload is off$" >"$LAB/found"
maclearn bridge set dev br fdb_offload auto
maclearn | grep "^br .* copies made of what the bridge has not learned by itself$" >"$LAB/found"
maclearn bridge set dev br fdb_offload off
ip link set dev br type bridge ageing_time 0

# ---- who gets a copy, and why: said, and seen
# gets FROM MAC: the ports that get a copy, it says
gets() {
    json '[.[].ports[] | select(.gets).ifname] | join(" ")' why "$2" from "$1"
}
printed "host2 sniffer" gets host1 $G21
uncounted_exchange <<PLAN
send host1 $G11 $G21
expect host2 $G11 $G21
expect sniffer $G11 $G21
PLAN
maclearn why $G21 from host1 | sed 's/age [0-9]*/age N/' >"$LAB/why"
diff -u - "$LAB/why" <<EOF || fail "other reasons than expected: see above"
$G21 master br fdb - owners [ host2 age N ]
    host1 gets nothing since the frame comes from there
    host2 gets copy since it owns the MAC
    sniffer gets copy since it is not enabled
EOF
get_attribute host2 statistics/passed_owned
printed "$REPLY" json '.[].owners[].passed_owned' -s why $G21
printed "host1 host2 sniffer" json '[.[].ports[] | select(.gets).ifname] | join(" ")' why $BROADCAST br br
printed "host1 sniffer" gets host2 $NOBODY
maclearn port set dev host1 unknown_unicast suppress
printed sniffer gets host2 $NOBODY
bridge link set dev sniffer flood off
printed "" gets host2 $NOBODY
uncounted_exchange <<<"send host2 $G21 $NOBODY"
bridge link set dev sniffer flood on
maclearn port set dev host1 unknown_unicast flood
bridge fdb add $NOBODY dev host2 master static
printed host2 gets host1 $NOBODY
printed '["host2",["host2"]]' json '.[] | [.fdb, [.owners[].ifname]]' why $NOBODY br br
# Seconds since the bridge has sent something there for this MAC
used() {
    json .[].used why $NOBODY br br
}
is_older() {
    [[ $(jq -n "$(used) > $1") == true ]]
}
wait_until 20 is_older 0.5
begin=$EPOCHREALTIME
uncounted_exchange <<PLAN
send host1 $G11 $NOBODY
expect host2 $G11 $NOBODY
PLAN
[[ $(jq -n "$(used) <= now - $begin") == true ]]
ip -n hosts link set dev host1 down
printed "the frame does not get in: host1 has no link or does not forward" \
    json '.[].ports[] | select(.ifname == "host2").since' why $NOBODY from host1
ip -n hosts link set dev host1 up
wait_for_ports host1
bridge fdb del $NOBODY dev host2 master
printed '["trunk",false,"it is not in VLAN 10"]' json '.[].ports[] | [.ifname, .gets, .since]' why $NOBODY br vlans vlan 10
printed "it is not in VLAN 10" json '.[].ports[].since' why $NOBODY 10 br vlans

# ---- what was spared without a copy being made: each frame for host2 has none for the third port
maclearn bridge set dev br fdb_offload auto
maclearn port set dev sniffer enabled on
exchange <<PLAN
hello host1 $G11
hello host2 $G21
PLAN
# all_given: every MAC of the bridge
all_given() {
    get_attribute br n_offloaded
    ((REPLY > 0)) && attribute_is br n_macs "$REPLY"
}
wait_until 20 all_given
maclearn statistics reset dev br
exchange <<PLAN
send host1 $G11 $G21 count 5
expect host2 $G11 $G21 count 5
PLAN
printed '[5,true]' json '.bridges[] | select(.ifname == "br") | [.never_made, .spared == 100]' summary
maclearn | grep "^br ports 3 enabled 3 .* spared 100.0% never_made 5 copies not made for what is offloaded$" >"$LAB/found"
maclearn port set dev sniffer enabled off
maclearn bridge set dev br fdb_offload off
printed null json '.bridges[] | select(.ifname == "br") | .never_made' summary

# ---- saved and restored
maclearn entry add $G22 dev host2
state >"$LAB/before"
maclearn save br br >"$LAB/saved"
maclearn bridge set dev br exclusive on
maclearn port set dev host2 enabled off unknown_unicast suppress max_macs 5
maclearn entry flush br br
maclearn entry flush br br static
printed 0 json length entry show br br
maclearn restore file "$LAB/saved"
state >"$LAB/after"
diff -u "$LAB/before" "$LAB/after" || fail "what was saved was not restored: see above"
# A nested host that is migrated
maclearn save dev host1 >"$LAB/saved"
maclearn entry flush dev host1
maclearn restore dev host2 <"$LAB/saved"
printed host2 json '.[].ifname' entry show mac $G11
maclearn entry del $G22 dev host2
maclearn entry flush dev host2
# A device that is gone: what the others had is restored.
cat >"$LAB/saved" <<EOF
{"kind":"port","ifname":"none","settings":{"max_macs":9}}
{"kind":"port","ifname":"sniffer","settings":{"max_macs":9}}
EOF
refused 'Error: line 1: Cannot find device "none"; 1 of 2 lines were refused.' restore file "$LAB/saved"
expect_attribute sniffer max_macs 9
set_attribute sniffer max_macs 4096

# ---- for Prometheus: as many series as ports, whatever they own
maclearn metrics >"$LAB/metrics"
grep -qx "maclearn_loaded 1" "$LAB/metrics"
grep -qx 'maclearn_port_enabled{bridge="br",port="host1"} 1' "$LAB/metrics"
get_attribute host2 statistics/suppressed
grep -qx "maclearn_port_suppressed_total{bridge=\"br\",port=\"host2\"} $REPLY" "$LAB/metrics"
fails grep -i "02:00:00" "$LAB/metrics"

# ---- what happens
# hears FILE: a line has come in since something was done to the sniffer's port, which nothing else
# looks at
hears() {
    maclearn port set dev sniffer max_macs 4096
    [[ -s $1 ]]
}
# heard FILE: what has come in of other ports
heard() {
    grep -v sniffer "$1"
}
has_heard() {
    (($(heard "$1" | wc -l) >= $2))
}
# monitor FILE OPTION...
monitor() {
    maclearn "${@:2}" monitor >"$1" &
    wait_until 20 hears "$1"
}
monitor "$LAB/text"
monitor "$LAB/json" -j
monitor "$LAB/timed" -t
maclearn port set dev host2 learning off
exchange <<<"hello host1 $G13"
maclearn entry add $G11 dev trunk vlan 10
wait_until 20 has_heard "$LAB/text" 3
links - <<EOF
link add name passing master br type dummy
link del dev passing
EOF
for file in text json timed; do wait_until 20 has_heard "$LAB/$file" 5; done
heard "$LAB/text" >"$LAB/heard"
diff -u - "$LAB/heard" <<EOF || fail "other events than expected: see above"
port-changed dev host2 master br
learned $G13 dev host1 master br
added $G11 dev trunk vlan 10 master vlans
port-joined dev passing master br
port-left dev passing master br
EOF
printed '["added","trunk",10]' jq -c 'select(.ifname == "trunk") | [.event, .ifname, .vlan]' "$LAB/json"
grep -Eqx "20[0-9-]{8}T[0-9:.]{15}Z learned $G13 dev host1 master br" "$LAB/timed"

# ---- on a terminal: what ports do, until somebody has seen enough
python3 - <<'PYTHON' || fail "see above"
import fcntl
import os
import pty
import select
import struct
import sys
import termios

pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.execvpe("maclearn", ["maclearn", "top", "sort", "port"], {**os.environ, "TERM": "xterm"})
said = b""


def expect(text):
    """Reads until this was drawn since the last time."""
    global said
    while text not in said:
        assert select.select([terminal], [], [], 20)[0], (text, said)
        try:
            said += os.read(terminal, 4096)
        except OSError:  # It has ended.
            sys.exit(f"{text} was not drawn: {said}")
    said = said[said.index(text) + len(text) :]


expect(b"SUPPR/s")
expect(b"host1")
expect(b"q quit")
os.write(terminal, b" ")
expect(b"paused")
os.write(terminal, b"q")
# The screen is as it was.
expect(b"\x1b[?1049l")
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
PYTHON

# ---- completion: what a device is called is a word, whatever is in it
eval "$(maclearn completion)"
# offers LINE WORD...: after this line, in which the last word may have begun
offers() {
    local words
    IFS=' ' read -ra words <<<"$1."
    words[-1]=${words[-1]%.}
    COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1))
    _maclearn
    [[ ${COMPREPLY[*]} == "${*:2}" ]] || fail "$1 is completed with ${COMPREPLY[*]}, not ${*:2}"
}
# shellcheck disable=SC2016 # not expanded
ip link add name '$(>ran)' type dummy
offers "maclearn por" port
offers "maclearn port set dev host2 unknown_unicast " flood suppress
offers "maclearn port show dev ho" host1 host2
cd "$LAB"
# shellcheck disable=SC2016 # not expanded
offers 'maclearn port show dev $' '\$\(\>ran\)'
[[ ! -e ran ]] || fail "the name of a device was carried out"
cd "$OLDPWD"
# shellcheck disable=SC2016 # not expanded
ip link del dev '$(>ran)'

# ---- another namespace
add_namespaces elsewhere
links elsewhere <<EOF
link add name far up type bridge
link add name near up master far type dummy
EOF
maclearn -n elsewhere port set dev near enabled on
printed '["near","far",true]' json '.[] | [.ifname, .master, .enabled]' -n elsewhere port
printed 1 json length -n elsewhere bridge

# ---- forms of output
printed '[]' maclearn -j entry show dev sniffer vlan 7
[[ $(maclearn -j -p port | jq -c .) == "$(maclearn -j port)" ]]
maclearn -p -j port | grep '^        "ifname": "host1",$' >"$LAB/found"
maclearn -color=always port show dev host1 | grep $'^\e\\[36mhost1\e\\[0m master' >"$LAB/found"
maclearn port show dev host1 | grep $'^host1 master' >"$LAB/found"

# ---- what is wrong: said, and nothing has changed
state >"$LAB/before"
refused 'Object "none" is unknown, try "maclearn help".' none
[[ $(maclearn --help 2>&1 >"$LAB/help") == "" && $(head -n 1 "$LAB/help") == "Usage: maclearn "* ]] || fail "$(<"$LAB/help")"
refused 'Option "-x" is unknown, try "maclearn help".' -x
refused 'Cannot open network namespace "none": No such file or directory' -n none port
refused 'Command "none" is unknown, try "maclearn port help".' port none
refused 'Cannot find device "none"' port show dev none
refused 'Device "lo" is no port of a bridge' port show dev lo
refused 'Error: bridge: no such bridge.' port show br host1
refused 'Device "br" is no port of a bridge' port set dev br enabled on
refused 'Error: argument of "enabled" must be one of "on", "off", not "2".' port set dev host1 enabled 2
refused 'Error: argument "-1" of "max_macs" is wrong: not a number of 32 bits.' port set dev host1 max_macs -1
refused 'Error: max_macs: integer out of range (0 to 1048576).' port set dev host1 enabled off max_macs 1048577
refused '"n_macs" is unknown, try "maclearn port set help".' port set dev host1 n_macs 5
refused 'Command line is not complete, try "maclearn port set help".' port set dev host1 enabled
refused 'Error: duplicate "dev": "host2" is the second value.' port set dev host1 enabled off dev host2
refused 'Error: ifindex: no such bridge.' bridge show dev host1
refused 'Error: ifindex: no such bridge.' bridge set dev host1 exclusive on
refused 'Error: ageing_time: integer out of range (0 to 1000000).' bridge set dev br ageing_time 1000001
refused 'Error: port: no such port of a bridge.' entry show dev br
refused 'Error: port: not a port of that bridge.' entry show br br dev trunk
refused 'Error: mac: not the address of a station.' entry add 03:00:00:00:00:01 dev host1
refused 'Error: vlan: the bridge does not filter VLANs, so the entry has none.' entry add $G11 dev host1 vlan 5
refused 'Error: vlan: integer out of range (0 to 4094).' entry add $G11 dev host1 vlan 4095
refused 'Error: argument "1,5" of "age" is wrong: not a number of seconds.' entry add $G11 dev host1 age 1,5
refused 'Error: mac: the port does not own that MAC.' entry del $NOBODY dev host1
refused 'Error: required, and missing: br or dev, try "maclearn entry flush help".' entry flush mac $G11
refused 'Error: ifindex: no such bridge or port of a bridge.' statistics reset dev lo
refused '"none" is unknown, try "maclearn monitor help".' monitor none
refused 'Error: top is for a terminal, try "maclearn statistics".' top
refused 'Error: argument "x" of "delay" is wrong: not a number of seconds.' top delay x
refused 'Error: required, and missing: FILE, try "maclearn apply help".' apply check
refused 'Error: "check" and "follow" don'"'"'t go together.' apply check follow "$LAB/none"
refused 'Error: required, and missing: MAC, try "maclearn why help".' why
refused 'Error: argument "02" of "MAC" is wrong: not a MAC address.' why 02
refused 'Device "lo" is no port of a bridge' why $G21 from lo
refused 'Error: bridge: no such bridge.' why $G21 br host1
refused 'Error: the bridge "br" does not filter VLANs.' why $G21 br br vlan 10
refused 'Error: the bridge "br" does not filter VLANs.' why $G21 10 br br
refused "Error: \"vlan\" and \"VID\" don't go together." why $G21 10 vlan 10
refused 'Error: the bridge "vlans" filters VLANs: vlan is required for a MAC that it does not know.' why $NOBODY br vlans
refused 'Error: the bridge "vlans" filters VLANs: vlan is required for a MAC that it does not know.' \
    why $NOBODY br vlans vlan 0
refused '"a�" is not UTF-8.' port show dev $'a\xff'
refused '"none" is unknown, try "maclearn summary help".' summary none
refused '"none" is unknown, try "maclearn metrics help".' metrics none
refused '"none" is unknown, try "maclearn doctor help".' doctor none
readonly GOOD='{"kind":"port","ifname":"host1","settings":{"enabled":false}}'
# refused_lines WANTED LINES: that is not restored
refused_lines() {
    echo "$2" >"$LAB/wrong"
    refused "$1" restore file "$LAB/wrong"
}
refused_lines "Error: line 2: max_macs can't be \"many\"." \
    "$GOOD"$'\n''{"kind":"port","ifname":"host1","settings":{"max_macs":"many"}}'
refused_lines "Error: line 2: max_macs can't be -1." \
    "$GOOD"$'\n''{"kind":"port","ifname":"none","settings":{"max_macs":-1}}'
refused_lines "Error: line 1: ifindex: no such port of a bridge; 1 of 1 lines were refused." "${GOOD/host1/lo}"
refused 'Cannot open "/none": No such file or directory' restore file /none
refused "Error: line 1: Is a directory." restore file "$LAB"
echo "$GOOD" >"$LAB/wrong"
ln -sf maclearn.lock /run/maclearn.lock
refused 'Cannot lock "/run/maclearn.lock": Too many symbolic links encountered' restore file "$LAB/wrong"
refused 'Cannot lock "/run/maclearn.lock": Too many symbolic links encountered' apply /dev/null
refused 'Cannot lock "/run/maclearn.lock": Too many symbolic links encountered' reload
rm /run/maclearn.lock
refused 'Cannot find device "none"' save dev none
state >"$LAB/after"
diff -u "$LAB/before" "$LAB/after" || fail "what was refused has changed something: see above"
status=0
maclearn port >/dev/full 2>"$LAB/said" || status=$?
((status == 1)) && grep -qx "Cannot write: No space left on device.*" "$LAB/said"

# ---- without the capability: look, but do not touch
printed "$(maclearn -j port)" setpriv --reuid 65534 --clear-groups maclearn -j port
status=0
said=$(setpriv --reuid 65534 --clear-groups maclearn port set dev host1 enabled off 2>&1) || status=$?
[[ $status == 255 && $said == "Error: Operation not permitted." ]] || fail "without the capability: $status, $said"
expect_attribute host1 enabled 1

# ---- who monitors is told that the module has gone
monitor "$LAB/last"
monitor=$!
unload_module
status=0
wait $monitor || status=$?
((status == 1)) || fail "monitor: status $status"
