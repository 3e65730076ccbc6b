#!/usr/bin/env bash
# Scans a model and holds the run against a policy; what action.yml runs. All settings come by environment. The exit
# code is that of the first command that did not end well: nothing that could not be measured ends with 0.
set -uo pipefail

plain() { # refuse a value that a command line would take for an option
  case "$2" in
    -*) echo "rmaudit: $1 must not begin with a dash: $2" >&2; exit 2 ;;
  esac
}

: "${RMAUDIT_SOURCE:?name the model}"
out=${RMAUDIT_OUT:-rmaudit-run}
plain source "$RMAUDIT_SOURCE"
plain out "$out"
plain tier "${RMAUDIT_TIER:-smoke}"
plain policy "${RMAUDIT_POLICY:-}"
plain preset "${RMAUDIT_PRESET:-}"
plain baseline "${RMAUDIT_BASELINE:-}"
plain store "${RMAUDIT_STORE:-}"

if ! command -v rmaudit >/dev/null; then
  python -m pip install --quiet --disable-pip-version-check \
    -c "${RMAUDIT_ACTION:?}/constraints.txt" "$RMAUDIT_ACTION" || exit 4
fi

scan=(scan "$RMAUDIT_SOURCE" --out "$out" --tier "${RMAUDIT_TIER:-smoke}")
gate=(gate "$out" --junit "$out-gate/junit.xml" --sarif "$out-gate/gate.sarif" --badge "$out-gate/badge.svg")
for suite in ${RMAUDIT_SUITES:-}; do
  plain suite "$suite"
  scan+=(--suite "$suite")
done
# Loading options are options on purpose; they are split at blanks and go to the scan alone.
read -r -a loading <<<"${RMAUDIT_LOADING:-}"
scan+=(${loading[@]+"${loading[@]}"})
if [ -n "${RMAUDIT_POLICY:-}" ]; then scan+=(--policy "$RMAUDIT_POLICY"); gate+=(--policy "$RMAUDIT_POLICY"); fi
if [ -n "${RMAUDIT_STORE:-}" ]; then scan+=(--store "$RMAUDIT_STORE"); fi
if [ -n "${RMAUDIT_PRESET:-}" ]; then gate+=(--preset "$RMAUDIT_PRESET"); fi
if [ -n "${RMAUDIT_BASELINE:-}" ]; then gate+=(--baseline "$RMAUDIT_BASELINE"); fi

mkdir -p "$out-gate"
# A scan shows texts of models and datasets; nothing in them may become a command of the runner.
name="rmaudit-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
if [ "${GITHUB_ACTIONS:-}" = true ]; then echo "::stop-commands::$name"; fi
rmaudit "${scan[@]}"
code=$?
if [ "${GITHUB_ACTIONS:-}" = true ]; then echo "::$name::"; fi
if [ "$code" -eq 0 ]; then
  rmaudit "${gate[@]}"
  code=$?
fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then
  { echo "exit-code=$code"; echo "sarif=$out-gate/gate.sarif"; } >>"$GITHUB_OUTPUT"
fi
exit "$code"
