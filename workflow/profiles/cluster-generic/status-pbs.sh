#!/bin/sh
# What has become of job $1: prints success, failed or running.
case "$(qstat -x -f "$1" 2>/dev/null | tr -d ' \n')" in
*job_state=F*Exit_status=0[!0-9]* | *Exit_status=0[!0-9]*job_state=F*) echo success ;;
*job_state=F*) echo failed ;;
*) echo running ;;
esac
