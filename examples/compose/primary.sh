#!/usr/bin/env bash
# Prepares the primary for its standby, once, before its first start. Commits wait for the standby from then on.
set -euo pipefail
echo "host replication holdfast all scram-sha-256" >>"$PGDATA/pg_hba.conf"
psql -v ON_ERROR_STOP=1 -U holdfast -d holdfast -c "ALTER SYSTEM SET synchronous_standby_names = '*'"
