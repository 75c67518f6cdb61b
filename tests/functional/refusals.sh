#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Bad input to every subcommand and keyword of the command maclearn that only the kernel or a file
# can tell is bad: one line that names it, iproute2's exit status, and nothing has changed. What can
# be said is read from the command's own help, so what comes anew is tried too; the rest is refused
# before that, see the tests in tools/command/src.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2
PARAMETERS=(fdb_offload=0)
load_module
enable host1 host2
maclearn entry add $G11 dev host1
: >"$LAB/file"

python3 - "$LAB/file" <<'PYTHON' || fail "see above"
import re
import subprocess
import sys

BAD = "no/thing"
VALUES = {"MAC": "02:00:00:00:01:02", "PORT": "host1", "BRIDGE": "br", "DEVICE": "host1", "FILE": sys.argv[1]}
NAMES = ["PORT", "BRIDGE", "DEVICE", "FILE"]


def run(*words):
    return subprocess.run(["maclearn", *words], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def state():
    text = run("port").stdout + run("bridge").stdout + run("entry").stdout
    return re.sub(r" age \d+", "", text)


def argument(tokens, is_required):
    """An argument's keyword, what stands for its value or is one, both if there, and whether it is required."""
    keyword = tokens.pop(0) if tokens[0].islower() else ""
    value = tokens.pop(0) if tokens and tokens[0] != "]" else ""
    if value == "{":
        while (word := tokens.pop(0)) != "}":
            value = word
    return keyword, value, is_required


def words(keyword, value):
    return [word for word in (keyword, value) if word]


def commands():
    """The words of each command, and what it can be told."""
    lines = [line.split()[1:] for line in run("help").stderr.splitlines() if line.startswith("maclearn ")]
    objects = [tokens[0] for tokens in lines]
    for tokens in lines:
        length = 1 if objects.count(tokens[0]) == 1 else 2
        path, tokens, known = tokens[:length], tokens[length:], []
        while tokens:
            is_optional = tokens[0] == "["
            if is_optional:
                tokens.pop(0)
            known.append(argument(tokens, not is_optional))
            if is_optional:
                assert tokens.pop(0) == "]", path
        yield path, known


tried = []
before = state()
assert before.count("\n") >= 4, before


def refused(command, names, *rest, one_more=()):
    """It is, in a line with one of the names; with one more argument if it takes one."""
    done = run(*command, *rest)
    if one_more and "required, and missing" in done.stderr:
        done = run(*command, *rest, *one_more)
    said = done.stderr.splitlines()
    what = f"maclearn {' '.join([*command, *rest])}"
    if done.returncode != 255 or len(said) != 1 or done.stdout or not any(name and name in said[0] for name in names):
        sys.exit(f"{what}: status {done.returncode}, said {done.stderr!r}, printed {done.stdout!r}")
    tried.append(command)


for command, known in commands():
    required = [(keyword, VALUES[value]) for keyword, value, is_required in known if is_required]
    for keyword, value, is_required in known:
        others = [word for other in required if other != (keyword, VALUES.get(value)) for word in words(*other)]
        good = ((other[0], VALUES.get(other[1], other[1])) for other in known if other[0] not in (keyword, "from"))
        good = [words(*other) for other in good if other[0] and other[1] and not other[1].isupper()]
        one_more = next((other for other in good if other[0] not in others), ())
        bad = {"NUMBER": "4294967295", "VID": "4095"}.get(value, BAD if value in NAMES else None)
        if command[0] == "why" and value == "VID":
            # The bridge filters none.
            refused(command, ["br"], *others, *words(keyword, "5"))
        elif bad is not None:
            refused(command, [bad if value in NAMES else keyword], *others, *words(keyword, bad), one_more=one_more)
    refused(command, [BAD], *[word for argument in required for word in words(*argument)], BAD, BAD)
    if state() != before:
        sys.exit(f"{command} has changed {before} to {state()}")
for options in [["-n", BAD], ["-x"], ["-color=" + BAD]]:
    refused(options, [BAD, "-x"], "port")
assert len(tried) > 40, tried
PYTHON
