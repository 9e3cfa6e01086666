# say.sh - what the other scripts of this folder share; sourced, not run.

# One line for each step, on stderr so that stdout stays the result's.
say() { printf '%s\n' "$*" >&2; }

# Runs a command quietly: its output goes to build/log/<name>.log and is shown only if it fails.
quietly() {
    local name=$1 log status=0
    shift
    mkdir -p build/log
    log=build/log/$name.log
    "$@" >"$log" 2>&1 </dev/null || status=$?
    if [ "$status" -ne 0 ]; then
        tail -n 40 "$log" >&2
        say "failed: $* (exit $status; all of its output is in $log)"
    fi
    return "$status"
}
