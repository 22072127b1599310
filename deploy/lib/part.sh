#!/usr/bin/env bash
# part.sh COMMAND...: runs it, and on SIGTERM ends it with all its children. To be started as the leader of a
# process group. PHP's own web server needs this: told to stop, it leaves its workers behind.
trap 'trap "" TERM; kill -TERM 0; wait; exit 143' TERM
"$@" &
wait $!
