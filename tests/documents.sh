# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Examples of documents, run as they stand there: blocks that are marked as "console". A functional
# script sources this.
#
#   open_document README.md         its examples are next
#   example "Heading"               the next one is under this heading, and prints what is shown
#   no_more_examples                all of them were run
#
# "# " is the prompt, "> " that of a line that goes on, and "..." stands for anything. A block that
# is marked as "console FILE" is not run here, but by FILE (scripts/documents sees to that).

REPOSITORY=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
readonly REPOSITORY
DOCUMENT=

# open_document FILE: in the repository
open_document() {
    [[ ! $DOCUMENT ]] || no_more_examples
    exec {DOCUMENT}<"$REPOSITORY/$1"
    LINE='' HEADING=''
}

# next_block: the lines of the document's next example are in BLOCK then, the heading above it is in
# HEADING
next_block() {
    local previous indent=
    BLOCK=()
    until [[ $LINE == *console ]]; do
        previous=$LINE
        IFS= read -r -u "$DOCUMENT" LINE || return
        if [[ $LINE =~ ^(=+|-+)$ && $previous ]]; then
            HEADING=$previous
        elif [[ $LINE == '#'* ]]; then
            HEADING=${LINE##*# }
        elif [[ $LINE == '```'* && $LINE != *console ]]; then
            # Another block
            until IFS= read -r -u "$DOCUMENT" LINE && [[ $LINE == '```' ]]; do :; done
        fi
    done
    if [[ $LINE == ..* ]]; then indent='    '; fi
    while IFS= read -r -u "$DOCUMENT" LINE; do
        [[ $LINE ]] || continue
        if [[ $LINE != "$indent"* || $LINE == '```' ]]; then break; fi
        BLOCK+=("${LINE#"$indent"}")
    done
}

# run_command COMMAND OUTPUT: in this shell. "..." stands for anything, and what fails has to say
# why.
run_command() {
    local status=0 said wanted=$2 special
    eval "$1" >"$LAB/said" 2>&1 </dev/null || status=$?
    said=$(<"$LAB/said")
    # shellcheck disable=SC2001 # in each line
    if [[ $said == *": line "* ]]; then said=$(sed 's/^.*: line [0-9]*: /bash: /' <<<"$said"); fi
    for special in $'\\' '[' ']' '*' '?'; do wanted=${wanted//"$special"/"\\$special"}; done
    wanted=${wanted//.../*}
    # shellcheck disable=SC2053 # a pattern
    [[ $said == $wanted ]] || fail "'$1' (status $status) prints"$'\n'"$said"$'\n'"and not"$'\n'"$2"
    ((status == 0)) || [[ $2 ]] || fail "'$1' fails, status $status"
}

# example HEADING: runs the document's next one, which has to be under this heading
example() {
    local line command='' output=''
    next_block || fail "there is no example under '$1'"
    [[ $HEADING == "$1" ]] || fail "the next example is under '$HEADING', not under '$1'"
    for line in "${BLOCK[@]}" '# '; do
        case $line in
        '# '*)
            [[ ! $command ]] || run_command "$command" "${output%$'\n'}"
            command=${line:2} output=
            ;;
        '> '*) command+=$'\n'${line:2} ;;
        *) output+=$line$'\n' ;;
        esac
    done
}

no_more_examples() {
    ! next_block || fail "the example under '$HEADING' was not run: ${BLOCK[0]}"
}
