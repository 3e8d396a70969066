#!/bin/sh
# What has become of job $1: prints success, failed or running.
case "$(bjobs -noheader -o stat "$1" 2>/dev/null)" in
DONE) echo success ;;
EXIT) echo failed ;;
*) echo running ;;
esac
