#!/bin/sh
# What has become of job $1: prints success, failed or running.
if qstat -j "$1" >/dev/null 2>&1; then
  echo running
elif qacct -j "$1" 2>/dev/null | grep -q '^exit_status *0 *$'; then
  echo success
else
  echo failed
fi
