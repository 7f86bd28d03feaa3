# For sourcing: runs the parts of a check one after another, and remembers those that failed and the tests that were flaky.

failed=()
flaky=$(mktemp)
trap 'rm -f "$flaky"' EXIT

# part NAME COMMAND...: run a command under a heading, and note its name when it fails.
part() {
    local name=$1 start=$SECONDS
    shift
    echo "== $name"
    "$@" || failed+=("$name")
    echo "== $name: $((SECONDS - start)) s"
}

# repeating_failed [OPTION...] -- COMMAND...: run a command that ends with pytest. When some of its tests fail, run those again,
# each alone and with these options of pytest; only a test that fails alone too makes this fail.
repeating_failed() {
    local options=() status
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    rm -f .pytest_cache/v/cache/lastfailed
    "$@"
    status=$?
    # 1 is "tests failed". After any other status pytest did not run all tests.
    [ $status = 1 ] || return $status
    .venv/bin/python -m scripts.repeat_failed --flaky-to "$flaky" "${options[@]}"
}

# Name the parts that failed, and the flaky tests. Exit with 1 when a part failed.
end_of_parts() {
    if [ -s "$flaky" ]; then
        echo "FLAKY, to be mended: failed beside other tests, passed alone:"
        cat "$flaky"
    fi
    if [ ${#failed[@]} -gt 0 ]; then
        echo "FAILED: $(IFS=,; echo "${failed[*]}")"
        exit 1
    fi
    echo "All parts passed."
}
