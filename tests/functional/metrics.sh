#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What `maclearn metrics` prints is as Prometheus wants it, and it is what the alerts and the
# dashboard ask for.

source "${BASH_SOURCE%/*}/lib.sh"

[[ $(type -t promtool) ]] || skip "there is no promtool"

make_hub host1 host2 host3
load_module
for port in host1 host2 host3; do set_attribute "$port" enabled 1; done

exchange <<PLAN
hello host1 $G11
PLAN
# Then no copy for the third port is made of a frame for host1.
wait_until 20 attribute_is br n_offloaded 1

maclearn metrics >"$LAB/metrics"
grep -qxF 'maclearn_bridge_never_made_per_frame{bridge="br"} 1' "$LAB/metrics" || fail "one copy is not made"
grep -qxF 'maclearn_port_learned_total{bridge="br",port="host1"} 1' "$LAB/metrics" || fail "host1 learned one MAC"
../../monitoring/check "$LAB/metrics"

# ---- there are as many samples as Documentation/scale.md reckons with
counted=$(grep -c '^[^#]' "$LAB/metrics")
expected=$(PYTHONPATH=../scale python3 -c 'from fleet import BRIDGE_SAMPLES, PORT_SAMPLES; print(1 + BRIDGE_SAMPLES + 3 * PORT_SAMPLES)')
((counted == expected)) || fail "$counted samples, not $expected"
