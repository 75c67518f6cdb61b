#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What ports that join get: the bridge's defaults, in sysfs and by netlink, and what the module's
# parameters make of them at first.

source "${BASH_SOURCE%/*}/lib.sh"

# expect_settings PORT ENABLED LEARNING UNKNOWN_UNICAST ON_FAILURE MAX_MACS
expect_settings() {
    expect_attribute "$1" enabled "$2"
    expect_attribute "$1" learning "$3"
    expect_attribute "$1" unknown_unicast "$4"
    expect_attribute "$1" on_failure "$5"
    expect_attribute "$1" max_macs "$6"
}

# rejoin PORT: it leaves the bridge and joins it again
rejoin() {
    ip link set dev "$1" nomaster
    ip link set dev "$1" master br
}

make_hub host1 host2
load_module
expect_settings host1 0 1 flood open 4096

# modinfo tells of each parameter, and what the setting is without it.
declare -A NUMBERS=([flood]=0 [suppress]=1 [open]=0 [closed]=1 [off]=0 [auto]=1)
modinfo -F parm "${MACLEARN_KO:-maclearn}" >"$LAB/parameters"
(($(wc -l <"$LAB/parameters") == 9)) || fail "$(<"$LAB/parameters")"
while IFS=: read -r parameter text; do
    get_attribute br "$parameter"
    [[ $text == "Initial $parameter of a bridge"*"(${NUMBERS[$REPLY]:-$REPLY})"* ]] ||
        fail "modinfo says of $parameter, which is $REPLY: $text"
done <"$LAB/parameters"

# Present ports keep what they have, ports that join get the new values.
set_attribute br auto_enable 1
set_attribute br default_learning 0
set_attribute br default_unknown_unicast suppress
set_attribute br default_on_failure closed
set_attribute br default_max_macs 7
expect_settings host1 0 1 flood open 4096
rejoin host2
expect_settings host2 1 0 suppress closed 7
for value in '' on 1048577 -1 Suppress open; do
    for name in default_learning default_unknown_unicast default_max_macs; do
        get_attribute br "$name"
        before=$REPLY
        fails set_attribute br "$name" "$value"
        expect_attribute br "$name" "$before"
    done
done
fails set_attribute br default_on_failure flood
expect_attribute br default_on_failure closed

# The same by netlink: all or nothing.
python3 - <<'PYTHON' || fail "see above"
from family import NlError, connect, indices

ynl = connect()
br = indices()["br"]


def defaults():
    bridge = ynl.do("bridge-get", {"ifindex": br})
    return {name: bridge[name] for name in bridge if name.startswith("default-") or name == "auto-enable"}


wanted = {"auto-enable": 1, "default-learning": 0, "default-unknown-unicast": "suppress",
          "default-on-failure": "closed", "default-max-macs": 7}
assert defaults() == wanted, defaults()
for name, value in ("default-learning", 2), ("default-max-macs", 1048577), ("default-unknown-unicast", 2):
    try:
        ynl.do("bridge-set", {"ifindex": br, "exclusive": 1, name: value})
        raise SystemExit(f"{name} {value} was accepted")
    except NlError as refusal:
        assert refusal.nl_msg.extack["bad-attr"] == f".{name}", refusal
    assert defaults() == wanted, defaults()
    assert ynl.do("bridge-get", {"ifindex": br})["exclusive"] == 0
ynl.do("bridge-set", {"ifindex": br, "default-learning": 1, "default-unknown-unicast": "flood",
                      "default-on-failure": "open", "default-max-macs": 0})
assert defaults() == {"auto-enable": 1, "default-learning": 1, "default-unknown-unicast": "flood",
                      "default-on-failure": "open", "default-max-macs": 0}, defaults()
PYTHON
rejoin host2
expect_settings host2 1 1 flood open 0

# Parameters: for bridges and ports that are there, and for those that come.
unload_module
PARAMETERS=(auto_enable=1 ageing_time=60 exclusive=1 max_macs=1000 default_learning=0 default_unknown_unicast=1
    default_on_failure=1 default_max_macs=5)
load_module
expect_settings host1 1 0 suppress closed 5
links - <<<"link add name later up type bridge"
for bridge in br later; do
    expect_attribute "$bridge" auto_enable 1
    expect_attribute "$bridge" ageing_time 60
    expect_attribute "$bridge" exclusive 1
    expect_attribute "$bridge" max_macs 1000
    expect_attribute "$bridge" default_learning 0
    expect_attribute "$bridge" default_unknown_unicast suppress
    expect_attribute "$bridge" default_on_failure closed
    expect_attribute "$bridge" default_max_macs 5
done

# A value that is out of range or no number: it is not loaded, and the log says why.
unload_module
for parameter in auto_enable=2 ageing_time=1000001 exclusive=9 max_macs=16777217 default_learning=2 \
    default_unknown_unicast=2 default_on_failure=2 default_max_macs=1048577 ageing_time=soon max_macs=; do
    PARAMETERS=("$parameter")
    fails load_module
    [[ ! -e /sys/module/maclearn ]] || fail "loaded with $parameter"
done
dmesg >"$LAB/log"
grep -q 'maclearn: ageing_time is 1000001, it may be 0 to 1000000' "$LAB/log" || fail "the log does not say why"
