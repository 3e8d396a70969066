#!/bin/sh
# What has become of job $1: prints success, failed or running. squeue tells of ended jobs for
# MinJobAge (five minutes by default). One that does not answer at the moment says nothing of the job.
case "$(squeue --noheader --states=all --format=%T --jobs="$1" 2>&1)" in
COMPLETED) echo success ;;
PENDING | RUNNING | CONFIGURING | COMPLETING | SUSPENDED | REQUEUED | NODE_FAIL | PREEMPTED) echo running ;;
*"timed out"* | *"ontact"* | *"onnect"* | *"busy"*) echo running ;;
*) echo failed ;;
esac
